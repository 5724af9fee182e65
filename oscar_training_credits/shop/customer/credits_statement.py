"""The monthly statement of a code: a page to read and print, and files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...aliases import Request
from ...credits.ledger.statements import (
    Statement,
    last_month,
    month_of,
    next_month,
    statement_of,
)
from ...credits.models import CreditCode
from ..communication.documents import (
    SUMS,
    in_words,
    statement_pdf,
    statement_shown,
)
from ..files import FORMATS
from ..pdf_files import has_pdf, pdf_response
from .credits_views import ManagedCodePage


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
    """What became of a code's credits in a month; `?as=` sends a file."""

    template_name = "training_credits/my_code_statement.html"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        asked = {"month": default_month(self.code), **request.GET.dict()}
        form = MonthForm(asked, code=self.code)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        first, month = form.first_day(), form.cleaned_data["month"]
        start, end = month_of(first)
        statement = statement_of(self.code, start=start, end=end)
        name, kind = f"statement-{self.code.pk}-{month}", request.GET.get("as", "")
        if send := FORMATS.get(kind):
            return send(name, file_rows(statement))
        if kind == "pdf" and has_pdf():
            return pdf_response(name, statement_pdf(statement, first))
        context = self.get_context_data(
            **statement_shown(statement, first),
            form=form,
            statement=statement,
            has_pdf=has_pdf(),
            file_query=f"month={month}",
        )
        return self.render_to_response(context)


def default_month(code: CreditCode) -> str:
    """Return the last month that is over, or that in which the code was made."""
    months = months_of(code)
    return f"{months[min(1, len(months) - 1)]:%Y-%m}"


def file_rows(statement: Statement) -> Iterator[list[Any]]:
    """Yield the headings, the opening balance, the lines, and the closing balance."""
    yield [_("Day"), _("What"), _("Who and for what"), _("Credits")]
    yield [_day(statement.start), str(SUMS["opening"]), "", statement.sums.opening]
    for line in statement.lines:
        yield [_day(line.at), str(line.kind.label), in_words(line), line.credits]
    yield [_day(statement.end), str(SUMS["closing"]), "", statement.sums.closing]


def _day(moment: datetime) -> date:
    return timezone.localdate(moment, timezone.get_default_timezone())
