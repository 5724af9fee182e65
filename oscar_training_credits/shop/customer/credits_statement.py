"""The monthly statement of a code: a page to read and print, and a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django import forms
from django.conf import settings as django_settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...credits.ledger.statements import (
    Line,
    Statement,
    last_month,
    month_of,
    next_month,
    statement_of,
)
from ...credits.models import CreditCode
from ...credits.wording import name_of
from ..files import FORMATS
from .credits_views import ManagedCodePage

SUMS = {
    "opening": gettext_lazy("At the beginning"),
    "granted": gettext_lazy("Granted"),
    "redeemed": gettext_lazy("Used"),
    "refunded": gettext_lazy("Given back"),
    "adjusted": gettext_lazy("Adjusted"),
    "moved": gettext_lazy("Moved between codes"),
    "expired": gettext_lazy("Expired unused"),
    "reinstated": gettext_lazy("Valid again"),
    "lapsed": gettext_lazy("Lapsed with the code"),
    "closing": gettext_lazy("At the end"),
}
GONE = {"redeemed", "expired", "lapsed"}
ALWAYS = {"opening", "granted", "redeemed", "refunded", "expired", "closing"}


class MonthForm(forms.Form):
    month = forms.ChoiceField(label=gettext_lazy("Month"))

    def __init__(self, *args: Any, code: CreditCode, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        month: Any = self.fields["month"]
        month.choices = [
            (f"{first:%Y-%m}", date_format(first, "F Y")) for first in months_of(code)
        ]

    def first_day(self) -> date:
        year, month = map(int, self.cleaned_data["month"].split("-"))
        return date(year, month, 1)


def months_of(code: CreditCode) -> list[date]:
    """Return the first days of the months in which there was a code, latest first."""
    zone = timezone.get_default_timezone()
    first = timezone.localdate(code.created_at, zone).replace(day=1)
    months = [first]
    while (following := next_month(months[-1])) <= next_month(last_month()):
        months.append(following)
    return months[::-1]


class StatementView(ManagedCodePage):
    """What became of a code's credits in a month; `?as=csv` sends its lines."""

    template_name = "training_credits/my_code_statement.html"

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        asked = {"month": default_month(self.code), **request.GET.dict()}
        form = MonthForm(asked, code=self.code)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        start, end = month_of(form.first_day())
        statement = statement_of(self.code, start=start, end=end)
        if send := FORMATS.get(request.GET.get("as", "")):
            name = f"statement-{self.code.pk}-{form.cleaned_data['month']}"
            return send(name, file_rows(statement))
        context = self.get_context_data(
            form=form,
            statement=statement,
            month=form.first_day(),
            sums=sums_of(statement),
            lines=[(line, in_words(line)) for line in statement.lines],
            is_under_way=end > timezone.now(),
            shop_name=django_settings.OSCAR_SHOP_NAME,
            file_query=f"month={form.cleaned_data['month']}",
        )
        return self.render_to_response(context)


def default_month(code: CreditCode) -> str:
    """Return the last month that is over, or that in which the code was made."""
    months = months_of(code)
    return f"{months[min(1, len(months) - 1)]:%Y-%m}"


def sums_of(statement: Statement) -> list[tuple[Any, int]]:
    """Return the numbers that add up, each with its name and its sign."""
    numbers = {name: getattr(statement.sums, name) for name in SUMS}
    return [
        (SUMS[name], -number if name in GONE else number)
        for name, number in numbers.items()
        if number or name in ALWAYS
    ]


def in_words(line: Line) -> str:
    """Return who used what, for what was used or given back; empty for the rest."""
    if not line.titles:
        return ""
    return ", ".join([name_of(line.learner) or _("Deleted account"), *line.titles])


def file_rows(statement: Statement) -> Iterator[list[Any]]:
    """Yield the headings, the opening balance, the lines, and the closing balance."""
    yield [_("Day"), _("What"), _("Who and for what"), _("Credits")]
    yield [_day(statement.start), str(SUMS["opening"]), "", statement.sums.opening]
    for line in statement.lines:
        yield [_day(line.at), str(line.kind.label), in_words(line), line.credits]
    yield [_day(statement.end), str(SUMS["closing"]), "", statement.sums.closing]


def _day(moment: datetime) -> date:
    return timezone.localdate(moment, timezone.get_default_timezone())
