"""Oscar's dashboard: which codes run dry soon, and what will expire unused."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView

from ....credits.ledger.forecast import Forecast, ending_within
from ....credits.models import CreditCode
from ....credits.wording import last_day
from ..files import FORMATS
from ..widgets import PlainSelect
from .base import CodesMixin, code_url
from .periods import MOST_SHOWN, Row
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


class OutlookView(CodesMixin, TemplateView):
    """The codes whose credits end soon, by spending or by expiring, soonest first.

    `?as=csv` or `?as=xlsx` sends the file.
    """

    request: Any
    permission = "report_creditcode"
    template_name = "training_credits/dashboard_outlook.html"

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        form = OutlookForm({"within": HORIZONS[0][0], **request.GET.dict()})
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        days = int(form.cleaned_data["within"])
        found = ending_within(days, at=timezone.now())
        if respond := FORMATS.get(request.GET.get("as", "")):
            return respond("outlook", exported(found))
        soonest = heapq.nsmallest(MOST_SHOWN + 1, found, key=end_of)
        context = self.get_context_data(
            form=form,
            grouping=_("Credit code"),
            columns=[_("Holder"), *COLUMNS],
            rows=[row_of(*pair) for pair in soonest[:MOST_SHOWN]],
            has_more=len(soonest) > MOST_SHOWN,
            file_query=request.GET.urlencode(),
        )
        return self.render_to_response(context)


def end_of(pair: tuple[CreditCode, Forecast]) -> Any:
    return pair[1].lasts_until


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
