"""The training terms in the form of a product in Oscar's dashboard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ....credits.models import TrainingProduct
from ....credits.terms import PLAIN, ProductKind, Terms, check_terms
from ...catalogue.edit_conflicts import OPENED, as_opened, opened_field, refuse_stale
from ...catalogue.training import (
    refuse_listed,
    sell_as_training,
    sell_no_longer_as_training,
    training_of,
)
from ..in_use import users_of
from ..partners import own_trainings
from ..widgets import PlainSelect

PREFIX = "training"
COURSE = "course_"
FIRST_COURSE = f"{COURSE}1"
MORE_COURSES = 3
"""How many empty fields for courses are shown below those of a path."""


class TermsForm(forms.Form):
    """How the product is sold as training, if it is.

    It is made as the formsets of Oscar's view of a product are. Where a site's own
    template leaves it out, it changes nothing.
    """

    opened_terms = opened_field()

    def __init__(
        self,
        product_class: Any,
        user: Any,
        data: Any = None,
        files: Any = None,
        *,
        instance: Any,
    ) -> None:
        is_sent = data is not None and f"{PREFIX}-{OPENED}" in data
        super().__init__(data if is_sent else None, prefix=PREFIX)
        self.is_left_out = data is not None and not is_sent
        self.product, self.user = instance, user
        self.training = training_of(instance) if instance and instance.pk else None
        terms = self.training.terms if self.training else Terms()
        self.live = _by_field(terms.as_text()) if self.training else {}
        self.fields.update(_plain_fields())
        self.fields.update(
            _course_fields(
                self._rows(len(terms.path_courses)),
                _offered_courses(user, listed=terms.path_courses),
            )
        )
        if not user.is_staff:
            self._keep_content(terms.plan_content)
        self.initial = dict(zip(self._course_names(), terms.path_courses, strict=False))
        self.initial[OPENED] = as_opened(self.live)
        if self.training:
            self.initial |= terms.plain()

    def _keep_content(self, content: Any) -> None:
        """Leave what a plan opens to staff: a range may hold what others sell."""
        field: Any = self.fields["plan_content"]
        field.queryset = field.queryset.filter(pk=content.pk if content else None)
        field.help_text = _("The shop's staff choose what a plan opens.")

    def _rows(self, listed: int) -> int:
        sent = sum(name.startswith(f"{PREFIX}-{COURSE}") for name in self.data)
        return max(listed + MORE_COURSES, sent)

    def _course_names(self) -> list[str]:
        return [name for name in self.fields if name.startswith(COURSE)]

    def course_fields(self) -> list[Any]:
        return [self[name] for name in self._course_names()]

    def plain_fields(self) -> list[Any]:
        return [self[name] for name in sorted(PLAIN, key=lambda name: name != "kind")]

    @property
    def stays_credit_only(self) -> bool:
        """It was credit-only, and still is when all is saved."""
        was = bool(self.training and self.training.credit_only)
        return was and (self.is_left_out or bool(self.cleaned_data.get("credit_only")))

    def is_valid(self) -> bool:
        return self.is_left_out or super().is_valid()

    def clean(self) -> None:
        super().clean()
        if self.errors:
            return
        try:
            self._check()
        except ValidationError as error:
            self.add_error(None, error)
        else:
            refuse_stale(self, self.live, self._wanted())

    def _check(self) -> None:
        if self.cleaned_data["kind"]:
            TrainingProduct(**self._plain()).clean_fields(exclude=["product"])
            try:
                check_terms(self._terms(), product=self.product)
                if self._courses():
                    refuse_listed(self.product)
            except ValidationError as error:
                raise ValidationError(_by_field(error.error_dict)) from error
        elif self.training and users_of(self.training):
            raise ValidationError({"kind": stays_text()})
        elif not self.training and set(self.changed_data) - {OPENED}:
            text = _("Choose a kind, or leave everything below it empty.")
            raise ValidationError({"kind": text})

    def _wanted(self) -> dict[str, str]:
        texts = _by_field(self._terms().as_text())
        return texts if self.cleaned_data["kind"] else dict.fromkeys(texts, "")

    def _terms(self) -> Terms:
        return Terms(**self._plain(), path_courses=self._courses())

    def _plain(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in PLAIN}

    def _courses(self) -> tuple[TrainingProduct, ...]:
        chosen = (self.cleaned_data[name] for name in self._course_names())
        return tuple(course for course in chosen if course)

    def save(self) -> None:
        if self.is_left_out:
            return
        if self.cleaned_data["kind"]:
            terms: Any = {**self._plain(), "path_courses": self._courses()}
            sell_as_training(self.product, by=self.user, **terms)
        elif self.training:
            sell_no_longer_as_training(self.product)


def _plain_fields() -> dict[str, Any]:
    fields: dict[str, Any] = forms.fields_for_model(
        TrainingProduct,
        fields=PLAIN,
        widgets={
            "kind": PlainSelect,
            "plan_content": PlainSelect,
            "access_from": _date_input(),
            "access_until": _date_input(),
        },
    )
    kind = fields["kind"]
    kind.required, kind.initial = False, ""
    kind.choices = [("", gettext_lazy("Not sold as training")), *ProductKind.choices]
    return fields


def _date_input() -> forms.DateInput:
    return forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


def _offered_courses(
    user: Any, *, listed: Iterable[TrainingProduct]
) -> QuerySet[TrainingProduct]:
    """Return the courses that the user may sell, and those that are listed already."""
    mine = own_trainings(user).filter(kind=ProductKind.COURSE).values("pk")
    known = [course.pk for course in listed]
    courses = TrainingProduct.objects.filter(
        Q(pk__in=mine.order_by()) | Q(pk__in=known)
    )
    return courses.select_related("product__parent").order_by("product__title", "pk")


def _course_fields(
    count: int, courses: QuerySet[TrainingProduct]
) -> Iterator[tuple[str, Any]]:
    for number in range(1, count + 1):
        label = _("Course %(number)d") % {"number": number}
        field: Any = forms.ModelChoiceField(
            courses, label=label, required=False, widget=PlainSelect()
        )
        yield f"{COURSE}{number}", field


def _by_field(by_term: Mapping[str, Any]) -> dict[str, Any]:
    """Name the courses of a path by the first of the fields where they are entered."""
    return {
        FIRST_COURSE if name == "path_courses" else name: value
        for name, value in by_term.items()
    }


def stays_text() -> str:
    return _("It stays training: learners have it, or it is part of a path.")
