"""Oscar's dashboard: what became of credits in a period, as a page and as a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ....credits.ledger import reporting
from ....credits.ledger.reporting import Grouping, RollForward
from ....credits.models import CreditCode
from ..widgets import PlainSelect
from .base import code_url
from .periods import PeriodForm, PeriodReportView, Row

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


CREDITS, MONEY = "credits", "money"
UNITS = [
    (CREDITS, gettext_lazy("In credits")),
    (MONEY, gettext_lazy("In the money they were sold for")),
]


class RollForwardForm(PeriodForm):
    by = forms.ChoiceField(
        label=gettext_lazy("For each"),
        choices=[("", gettext_lazy("All together")), *GROUPINGS.items()],
        required=False,
        widget=PlainSelect,
    )
    unit = forms.ChoiceField(
        label=gettext_lazy("Reckoned"), choices=UNITS, widget=PlainSelect
    )

    @property
    def is_in_money(self) -> bool:
        return bool(self.cleaned_data["unit"] == MONEY)


class RollForwardView(PeriodReportView):
    """Credits outstanding before a period, what became of them, and after it."""

    template_name = "training_credits/dashboard_roll_forward.html"
    form_class = RollForwardForm
    file_name = "credits"
    columns = COLUMNS
    defaults: ClassVar[dict[str, str]] = {"unit": CREDITS}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        form = context["form"]
        if form.is_valid():
            context |= {"totals": list(totals(form)), "is_in_money": form.is_in_money}
        return context

    def grouping(self, form: PeriodForm) -> str:
        return str(GROUPINGS.get(form.cleaned_data["by"], ""))

    def rows(self, form: PeriodForm) -> Iterator[Row]:
        return rows_of(form) if form.cleaned_data["by"] else totals(form)

    def shown_rows(self, form: PeriodForm) -> Iterator[Row]:
        return rows_of(form) if form.cleaned_data["by"] else iter([])

    def lines(self, form: Any) -> Iterator[list[Any]]:
        if not form.is_in_money:
            yield from super().lines(form)
            return
        yield [self.grouping(form), _("Currency"), *COLUMNS.values()]
        for row in self.rows(form):
            yield [row.name, row.currency, *row.numbers]


def totals(form: Any) -> Iterator[Row]:
    """Yield what became of all credits; in money, for each currency."""
    found: Iterable[RollForward[Any]]
    if form.is_in_money:
        found = reporting.roll_forward_money(**form.period())
    else:
        found = [reporting.roll_forward(**form.period())]
    return (named(str(_("All together")), each) for each in found)


def rows_of(form: Any) -> Iterator[Row]:
    """Yield the rows for each of what the form asks for, read in chunks."""
    found = _found(form)
    while chunk := list(islice(found, CHUNK)):
        yield from _named_rows(form.cleaned_data["by"], chunk)


def _found(form: Any) -> Iterator[Any]:
    by = Grouping(form.cleaned_data["by"])
    if form.is_in_money:
        return reporting.roll_forward_money(grouping=by, **form.period())
    return reporting.roll_forward_by(by, **form.period())


def _named_rows(by: str, found: Iterable[RollForward[Any]]) -> Iterator[Row]:
    rows = list(found)
    if by == Grouping.CODE.value:
        codes = CreditCode.objects.in_bulk([each.key for each in rows])
        for each in rows:
            yield named(str(codes[each.key]), each, url=code_url(each.key))
    elif by == Grouping.ORIGIN.value:
        yield from (named(str(ORIGINS[each.key]), each) for each in rows)
    else:
        yield from (named(each.key or str(_("None given")), each) for each in rows)


def named(name: str, found: RollForward[Any], *, url: str = "") -> Row:
    numbers = tuple(getattr(found, column) for column in COLUMNS)
    return Row(name, numbers, url, found.currency)
