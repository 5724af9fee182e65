"""Oscar's dashboard: which codes run dry soon, and what will expire unused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ....credits.ledger.forecast import Forecast, ending_within, first_to_end
from ....credits.models import CreditCode
from ....credits.wording import last_day
from ..widgets import PlainSelect
from .base import code_url
from .periods import MOST_SHOWN, ReportView, Row
from .showing import rate_text

COLUMNS = [
    gettext_lazy("Credits left"),
    gettext_lazy("A day"),
    gettext_lazy("Last day"),
    gettext_lazy("Will expire unused"),
]
HORIZONS = [
    ("30", gettext_lazy("in 30 days")),
    ("90", gettext_lazy("in 90 days")),
    ("365", gettext_lazy("in a year")),
]


class OutlookForm(forms.Form):
    within = forms.ChoiceField(
        label=gettext_lazy("Nothing is left"), choices=HORIZONS, widget=PlainSelect
    )


class OutlookView(ReportView):
    """The codes whose credits end soon, by spending or by expiring, soonest first."""

    form_class = OutlookForm
    defaults: ClassVar[dict[str, str]] = {"within": HORIZONS[0][0]}
    heading = gettext_lazy("Outlook")
    intro = gettext_lazy(
        "How long the credits of active codes last if they are redeemed as in the last"
        " 90 days, and what will expire before it is redeemed."
    )
    nothing = gettext_lazy("No code ends by then.")
    file_name = "outlook"
    words = 1

    def grouping(self, form: OutlookForm) -> str:
        return _("Credit code")

    def headings(self) -> list[Any]:
        return [_("Holder"), *COLUMNS]

    def shown_rows(self, form: OutlookForm) -> Iterator[Row]:
        soonest = first_to_end(MOST_SHOWN + 1, within=days_of(form), at=timezone.now())
        return (row_of(*pair) for pair in soonest)

    def lines(self, form: OutlookForm) -> Iterator[list[Any]]:
        return exported(ending_within(days_of(form), at=timezone.now()))


def days_of(form: OutlookForm) -> int:
    return int(form.cleaned_data["within"])


def row_of(code: CreditCode, forecast: Forecast) -> Row:
    end: Any = forecast.lasts_until
    numbers = (
        code.holder,
        forecast.balance,
        rate_text(forecast.per_day),
        last_day(end),
        forecast.unused,
    )
    return Row(str(code), numbers, code_url(code.pk))


def exported(
    found: Iterable[tuple[CreditCode, Forecast]],
) -> Iterator[list[Any]]:
    """Yield the headings, and a row for each code."""
    yield [_("Credit code"), _("Holder"), _("Reference"), *COLUMNS]
    for code, forecast in found:
        yield [
            code,
            code.holder,
            code.reference,
            forecast.balance,
            f"{float(forecast.per_day):.3f}",
            forecast.lasts_until,
            forecast.unused,
        ]
