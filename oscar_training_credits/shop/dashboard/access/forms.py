"""Forms of the dashboard's pages of access."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ....credits import wording
from ....credits.access.granting import LONGEST_REASON
from ....credits.codes.fields import LastDayField
from ....credits.codes.finding import learner_matches
from ....credits.models import Access
from ....credits.terms import end_of
from ..fields import TrainingField, learner_with
from ..mixins import training_matches
from ..partners import own_trainings
from ..widgets import PlainSelect

STATES: dict[str, tuple[Any, Callable[[datetime], Q]]] = {
    "running": (
        gettext_lazy("Running"),
        lambda now: Q(starts_at__lte=now) & (Q(ends_at=None) | Q(ends_at__gt=now)),
    ),
    "to-come": (
        gettext_lazy("To come"),
        lambda now: Q(starts_at__gt=now) & (Q(ends_at=None) | Q(ends_at__gt=now)),
    ),
    "ended": (gettext_lazy("Ended"), lambda now: Q(ends_at__lte=now)),
}


GROUNDS: dict[str, tuple[Any, Q]] = {
    "order": (gettext_lazy("An order"), Q(order_line__isnull=False)),
    "place": (gettext_lazy("A place"), Q(place__isnull=False)),
    "staff": (gettext_lazy("Staff"), Q(order_line=None, place=None)),
}


def choices_of(named: dict[str, Any]) -> list[tuple[str, Any]]:
    every = [("", gettext_lazy("All"))]
    return every + [(value, label) for value, (label, _condition) in named.items()]


class AccessSearchForm(forms.Form):
    learner = forms.CharField(
        label=gettext_lazy("Name or e-mail address"), required=False
    )
    training = forms.CharField(label=gettext_lazy("Training"), required=False)
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        choices=choices_of(STATES),
        required=False,
        widget=PlainSelect,
    )
    ground = forms.ChoiceField(
        label=gettext_lazy("Had by"),
        choices=choices_of(GROUNDS),
        required=False,
        widget=PlainSelect,
    )
    order = forms.CharField(label=gettext_lazy("Order number"), required=False)

    def filtered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        asked = self.cleaned_data
        found = learner_matches(asked["learner"], prefix="learner")
        if asked["training"]:
            found &= training_matches(asked["training"], prefix="training")
        if asked["state"]:
            found &= STATES[asked["state"]][1](timezone.now())
        if asked["ground"]:
            found &= GROUNDS[asked["ground"]][1]
        if number := asked["order"].removeprefix("#"):
            bought, claimed = "order_line__order", "place__order_line__order"
            found &= Q((f"{bought}__number", number)) | Q(
                (f"{claimed}__number", number)
            )
        return rows.filter(found)


def reason_field() -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=LONGEST_REASON,
        help_text=gettext_lazy("Kept on record, for staff."),
    )


class GiveForm(forms.Form):
    email = forms.CharField(
        label=gettext_lazy("E-mail address of the learner"),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    training = TrainingField(
        label=gettext_lazy("Training"), queryset=None, widget=PlainSelect
    )
    last_day = LastDayField(
        label=gettext_lazy("Last day"),
        required=False,
        help_text=gettext_lazy(
            "Leave it empty for as long as a purchase made now would last."
        ),
    )
    reason = reason_field()
    # What makes a second click harmless.
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["training"]
        field.queryset = own_trainings(user)

    def clean_email(self) -> Any:
        """Return the learner with this address."""
        return learner_with(self.cleaned_data["email"])

    def until(self) -> datetime | None:
        day = self.cleaned_data["last_day"]
        return end_of(day) if day else None


class ExtendForm(forms.Form):
    last_day = LastDayField(label=gettext_lazy("New last day"), required=False)
    for_ever = forms.BooleanField(label=gettext_lazy("Without an end"), required=False)
    reason = reason_field()

    def __init__(self, *args: Any, access: Access, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access = access

    def clean(self) -> None:
        super().clean()
        day, for_ever = (self.cleaned_data.get(n) for n in ("last_day", "for_ever"))
        if "last_day" in self.errors:
            return
        if bool(day) == bool(for_ever):
            self.add_error("last_day", _("Choose a day or “without an end”."))
        elif day and self.is_earlier(end_of(day)):
            self.add_error("last_day", self.text_of_earlier())

    def is_earlier(self, until: datetime) -> bool:
        return self.access.ends_at is None or until < self.access.ends_at

    def text_of_earlier(self) -> str:
        if self.access.ends_at is None:
            return _("It has no end. To let it end, end it now.")
        return _("It lasts until %(end)s already. Choose a later day.") % {
            "end": wording.end_in_words(self.access.ends_at)
        }

    def until(self) -> datetime | None:
        day = self.cleaned_data["last_day"]
        return end_of(day) if day else None


class EndForm(forms.Form):
    reason = reason_field()
