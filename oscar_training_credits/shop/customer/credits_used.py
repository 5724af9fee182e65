"""Who used what of the codes that somebody looks after: found, listed, and as a file.

Of learners it says the name or the address, the content, the day and the credits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from oscar.core.loading import get_model

from ...credits.codes.fields import day_field, near
from ...credits.codes.finding import learner_matches
from ...credits.models import CreditCode, Redemption, RedemptionLine
from ...credits.terms import end_of, start_of
from ...credits.wording import name_of

CHUNK = 1_000
"""How many rows are named at once."""
PAGE = 50


@dataclass(frozen=True, slots=True)
class UseRow:
    """What one learner spent on one line of an order."""

    at: datetime
    code: str
    """The label."""
    learner: str
    """The name, else the e-mail address."""
    title: str
    quantity: int
    """More than one where places for others were bought."""
    credits: int
    refunded: int


@dataclass(frozen=True, slots=True)
class HeldRow:
    """What is held while a learner pays other money."""

    learner: str
    title: str
    credits: int
    until: datetime | None


class UsesForm(forms.Form):
    """Which uses are listed. All of it may be left empty."""

    code: Any = forms.ModelChoiceField(
        label=gettext_lazy("Code"),
        queryset=None,
        required=False,
        empty_label=gettext_lazy("All"),
    )
    learner = forms.CharField(
        label=gettext_lazy("Learner"), required=False, max_length=200
    )
    content = forms.CharField(
        label=gettext_lazy("Content"), required=False, max_length=200
    )
    first_day = day_field(label=gettext_lazy("From"))
    last_day = day_field(label=gettext_lazy("Until"))

    def __init__(self, *args: Any, codes: QuerySet[CreditCode], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.codes = codes
        code: Any = self.fields["code"]
        code.queryset = codes.order_by("label", "pk")

    def clean_first_day(self) -> Any:
        return near(self.cleaned_data["first_day"])

    def clean_last_day(self) -> Any:
        day = near(self.cleaned_data["last_day"])
        first = self.cleaned_data.get("first_day")
        if day and first and day < first:
            raise forms.ValidationError(_("It must not be before the first day."))
        return day

    @property
    def asked_codes(self) -> QuerySet[CreditCode]:
        chosen = self.cleaned_data["code"]
        return self.codes.filter(pk=chosen.pk) if chosen else self.codes

    def uses(self) -> Uses:
        return uses(self.asked_codes, **self._asked())

    def held(self) -> list[HeldRow]:
        """Return what is held now; no day is asked of it."""
        asked = self._asked()
        content = asked["content"].casefold()
        holds = holds_of(self.asked_codes).filter(
            learner_matches(asked["learner"], prefix="learner")
        )
        rows = _held_rows(holds)
        return [row for row in rows if content in row.title.casefold()]

    def _asked(self) -> dict[str, Any]:
        asked = self.cleaned_data
        first, last = asked["first_day"], asked["last_day"]
        return {
            "learner": asked["learner"],
            "content": asked["content"],
            "start": start_of(first) if first else None,
            "end": end_of(last) if last else None,
        }


class Uses:
    """What was spent, the latest first: a page at a time, or all of it."""

    def __init__(self, rows: QuerySet[Any, Any]) -> None:
        self.rows = rows

    def page(self, number: Any) -> Any:
        """Return a page of it, whose `object_list` are its `UseRow`s."""
        page = Paginator(self.rows, PAGE).get_page(number)
        page.object_list = _use_rows(page.object_list)
        return page

    def first(self, number: int) -> list[UseRow]:
        return _use_rows(self.rows[:number])

    def __iter__(self) -> Iterator[UseRow]:
        rows = self.rows.iterator(CHUNK)
        while chunk := list(islice(rows, CHUNK)):
            yield from _use_rows(chunk)


def uses(
    codes: QuerySet[CreditCode],
    *,
    learner: str = "",
    content: str = "",
    start: datetime | None = None,
    end: datetime | None = None,
) -> Uses:
    """Return what was spent of these codes from `start` on and before `end`.

    The name or address of the learner has all words of `learner`; the content's title
    has `content` in it. One row for each line of an order, whatever grants it is from.
    """
    lines = RedemptionLine.objects.filter(
        learner_matches(learner, prefix="redemption__learner"),
        redemption__code__in=codes.order_by(),
        redemption__state=Redemption.State.CAPTURED,
    )
    if content:
        lines = lines.filter(settled_line__order_line__title__icontains=content)
    if start:
        lines = lines.filter(redemption__order__date_placed__gte=start)
    if end:
        lines = lines.filter(redemption__order__date_placed__lt=end)
    rows: QuerySet[Any, Any] = lines.order_by().values(*COLUMNS.values())
    sums = rows.annotate(credits=Sum("credits"), refunded=Sum("refunded"))
    return Uses(sums.order_by("-redemption", "settled_line"))


COLUMNS = {
    "redemption": "redemption",
    "line": "settled_line",
    "at": "redemption__order__date_placed",
    "code": "redemption__code__label",
    "learner": "redemption__learner",
    "title": "settled_line__order_line__title",
    "quantity": "settled_line__quantity",
}


def holds_of(codes: QuerySet[CreditCode]) -> QuerySet[Redemption]:
    """Return the holds that have not lapsed, the latest first."""
    lasting = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    held = Redemption.objects.held().filter(lasting)
    return held.filter(code__in=codes.order_by()).order_by("-pk")


def file_rows(found: Iterable[UseRow]) -> Iterator[list[Any]]:
    """Yield the headings, and the rows for a file."""
    yield [
        _("Day"),
        _("Code"),
        _("Learner"),
        _("Content"),
        _("Quantity"),
        _("Credits"),
        _("Given back"),
    ]
    zone = timezone.get_default_timezone()
    for row in found:
        yield [
            timezone.localdate(row.at, zone),
            row.code,
            row.learner,
            row.title,
            row.quantity,
            row.credits,
            row.refunded,
        ]


def _use_rows(rows: Iterable[dict[str, Any]]) -> list[UseRow]:
    rows = list(rows)
    names = _names({row[COLUMNS["learner"]] for row in rows})
    return [
        UseRow(
            at=row[COLUMNS["at"]],
            code=row[COLUMNS["code"]],
            learner=names.get(row[COLUMNS["learner"]]) or _("Deleted account"),
            title=row[COLUMNS["title"]] or "",
            quantity=row[COLUMNS["quantity"]] or 1,
            credits=row["credits"],
            refunded=row["refunded"],
        )
        for row in rows
    ]


def _held_rows(holds: QuerySet[Redemption]) -> list[HeldRow]:
    rows = list(holds.select_related("learner").prefetch_related("lines")[:PAGE])
    keys = {line.basket_line for row in rows for line in row.lines.all()}
    Line = get_model("basket", "Line")
    found = Line._default_manager.select_related("product").in_bulk(keys)
    titles = {key: line.product.get_title() for key, line in found.items()}
    return [
        HeldRow(
            learner=name_of(row.learner) or _("Deleted account"),
            title=", ".join(
                dict.fromkeys(
                    titles.get(line.basket_line, "") for line in row.lines.all()
                )
            ),
            credits=row.credits,
            until=row.expires_at,
        )
        for row in rows
    ]


def _names(keys: set[Any]) -> dict[Any, str]:
    users = get_user_model()._default_manager.in_bulk(keys - {None})
    return {key: name_of(user) for key, user in users.items()}
