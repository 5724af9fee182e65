"""Oscar's dashboard: what became of credits in a period, as a page and as a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ....credits.ledger import reporting
from ....credits.ledger.reporting import Grouping
from ..widgets import PlainSelect
from .names import code_names, listed_names, written_names
from .periods import PeriodForm, PeriodReportView, Row, grouping_field

COLUMNS: dict[str, Any] = {
    "opening": gettext_lazy("Outstanding before"),
    "granted": gettext_lazy("Granted"),
    "refunded": gettext_lazy("Given back"),
    "adjusted": gettext_lazy("Adjusted"),
    "reinstated": gettext_lazy("Made valid again"),
    "moved": gettext_lazy("Moved between codes"),
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
    by = grouping_field(
        GROUPINGS,
        choices=[("", gettext_lazy("All together")), *GROUPINGS.items()],
        required=False,
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
    defaults: ClassVar[dict[str, str]] = {"unit": CREDITS}
    heading = gettext_lazy("Outstanding balance")
    intro = gettext_lazy(
        "Days begin and end in the site's time zone. Credits that are held for a"
        " payment are outstanding."
    )
    intro_in_money = gettext_lazy(
        "Credits are worth their part of what they were sold for, without tax."
        " Presents, adjustments and credits whose price is not on record are left out."
    )
    nothing = gettext_lazy("Nothing was outstanding, and nothing happened.")
    file_name = "credits"
    columns = COLUMNS
    groupings = GROUPINGS
    namings = {
        Grouping.CODE.value: code_names,
        Grouping.HOLDER.value: written_names,
        Grouping.REFERENCE.value: written_names,
        Grouping.ORIGIN.value: listed_names(ORIGINS),
    }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        form = context["form"]
        if form.is_valid():
            context["totals"] = list(self.totals(form))
            if form.is_in_money:
                context["intro"] = f"{self.intro} {self.intro_in_money}"
        return context

    def found(self, form: Any) -> Iterator[Any]:
        by = Grouping(form.cleaned_data["by"])
        if form.is_in_money:
            return reporting.roll_forward_money(grouping=by, **form.period())
        return reporting.roll_forward_by(by, **form.period())

    def totals(self, form: Any) -> Iterator[Row]:
        """Yield what became of all credits; in money, for each currency."""
        found: Iterable[Any] = (
            reporting.roll_forward_money(**form.period())
            if form.is_in_money
            else [reporting.roll_forward(**form.period())]
        )
        return (self.row(_("All together"), each) for each in found)

    def rows(self, form: Any) -> Iterator[Row]:
        return super().rows(form) if form.cleaned_data["by"] else self.totals(form)

    def shown_rows(self, form: Any) -> Iterator[Row]:
        return super().rows(form) if form.cleaned_data["by"] else iter([])

    def lines(self, form: Any) -> Iterator[list[Any]]:
        if not form.is_in_money:
            yield from super().lines(form)
            return
        yield [self.grouping(form), _("Currency"), *self.headings()]
        for row in self.rows(form):
            yield [row.name, row.currency, *row.numbers]
