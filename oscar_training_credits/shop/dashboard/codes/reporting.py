"""Oscar's dashboard: what became of credits in a period, as a page and as a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView

from ....credits.ledger import reporting
from ....credits.ledger.reporting import Grouping, RollForward
from ....credits.models import CreditCode
from ....credits.terms import end_of, far_away_text, is_far_away, start_of
from ..csv_files import csv_response
from ..widgets import PlainSelect
from .base import CodesMixin
from .forms import day_field

MOST_SHOWN = 200
CHUNK = 1_000
COLUMNS: dict[str, Any] = {
    "opening": gettext_lazy("Outstanding before"),
    "granted": gettext_lazy("Granted"),
    "refunded": gettext_lazy("Given back"),
    "adjusted": gettext_lazy("Adjusted"),
    "reinstated": gettext_lazy("Made valid again"),
    "redeemed": gettext_lazy("Redeemed"),
    "lapsed": gettext_lazy("Lapsed by closing"),
    "expired": gettext_lazy("Expired unused"),
    "closing": gettext_lazy("Outstanding after"),
}
GROUPINGS: dict[str, Any] = {
    Grouping.CODE.value: gettext_lazy("Credit code"),
    Grouping.HOLDER.value: gettext_lazy("Holder"),
    Grouping.REFERENCE.value: gettext_lazy("Reference"),
    Grouping.ORIGIN.value: gettext_lazy("Origin"),
}
ORIGINS: dict[str, Any] = {
    reporting.PAID: gettext_lazy("Sold or imported"),
    reporting.GOODWILL: gettext_lazy("Goodwill"),
    reporting.ADJUSTMENT: gettext_lazy("Adjustment"),
}


class PeriodForm(forms.Form):
    first_day = day_field(label=gettext_lazy("First day"), required=True)
    last_day = day_field(label=gettext_lazy("Last day"), required=True)
    by = forms.ChoiceField(
        label=gettext_lazy("For each"),
        choices=[("", gettext_lazy("All together")), *GROUPINGS.items()],
        required=False,
        widget=PlainSelect,
    )

    def clean_first_day(self) -> date:
        day: date = self.cleaned_data["first_day"]
        if is_far_away(day):
            raise ValidationError(far_away_text())
        if start_of(day) > timezone.now():
            raise ValidationError(_("This day is still to come."))
        return day

    def clean_last_day(self) -> date:
        day: date = self.cleaned_data["last_day"]
        if is_far_away(day):
            raise ValidationError(far_away_text())
        first = self.cleaned_data.get("first_day")
        if first and day < first:
            raise ValidationError(_("It must not be before the first day."))
        return day

    def period(self) -> dict[str, datetime]:
        asked = self.cleaned_data
        return {
            "start": start_of(asked["first_day"]),
            "end": end_of(asked["last_day"]),
        }


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the report: what it is about, and its numbers in their order."""

    name: str
    numbers: tuple[int, ...]
    code_id: int | None = None


class RollForwardView(CodesMixin, TemplateView):
    """Credits outstanding before a period, what became of them, and after it.

    Of this month, unless another period is asked for. `?as=csv` sends the file.
    """

    request: Any
    permission = "report_creditcode"
    template_name = "training_credits/dashboard_roll_forward.html"

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        form = PeriodForm({**this_month(), **request.GET.dict()})
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        if request.GET.get("as") == "csv":
            return csv_response("credits", exported(form))
        is_grouped = bool(form.cleaned_data["by"])
        shown = list(islice(rows_of(form), MOST_SHOWN + 1)) if is_grouped else []
        context = self.get_context_data(
            form=form,
            total=named("", reporting.roll_forward(**form.period())),
            rows=shown[:MOST_SHOWN],
            has_more=len(shown) > MOST_SHOWN,
            grouping=GROUPINGS.get(form.cleaned_data["by"], ""),
            columns=list(COLUMNS.values()),
            file_query=f"{request.GET.urlencode()}&as=csv",
        )
        return self.render_to_response(context)


def this_month() -> dict[str, str]:
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    return {
        "first_day": today.replace(day=1).isoformat(),
        "last_day": today.isoformat(),
    }


def rows_of(form: PeriodForm) -> Iterator[Row]:
    """Yield the rows of the report, read in chunks."""
    if not (by := form.cleaned_data["by"]):
        yield named(str(_("All together")), reporting.roll_forward(**form.period()))
        return
    found = reporting.roll_forward_by(Grouping(by), **form.period())
    while chunk := list(islice(found, CHUNK)):
        yield from _named_rows(by, chunk)


def _named_rows(by: str, found: Iterable[RollForward]) -> Iterator[Row]:
    rows = list(found)
    if by == Grouping.CODE.value:
        codes = CreditCode.objects.in_bulk([each.key for each in rows])
        for each in rows:
            yield named(str(codes[each.key]), each, code_id=each.key)
    elif by == Grouping.ORIGIN.value:
        yield from (named(str(ORIGINS[each.key]), each) for each in rows)
    else:
        yield from (named(each.key or str(_("None given")), each) for each in rows)


def named(name: str, found: RollForward, *, code_id: int | None = None) -> Row:
    numbers = tuple(getattr(found, column) for column in COLUMNS)
    return Row(name, numbers, code_id)


def exported(form: PeriodForm) -> Iterator[list[Any]]:
    """Yield the headings, and the rows for a file."""
    grouping = GROUPINGS.get(form.cleaned_data["by"], "")
    yield [grouping, *COLUMNS.values()]
    for row in rows_of(form):
        yield [row.name, *row.numbers]
