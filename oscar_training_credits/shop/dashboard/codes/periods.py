"""What reports on the credits of a period have in common: the form, the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView

from ....credits.terms import end_of, far_away_text, is_far_away, start_of
from ..files import FORMATS
from .base import CodesMixin
from .forms import day_field

MOST_SHOWN = 200


class PeriodForm(forms.Form):
    first_day = day_field(label=gettext_lazy("First day"), required=True)
    last_day = day_field(label=gettext_lazy("Last day"), required=True)
    by: Any
    """A choice of what the rows are about."""

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
    """A row of a report: what it is about, with its page, and its numbers in order."""

    name: str
    numbers: tuple[Any, ...]
    url: str = ""
    currency: str = ""
    """Of the numbers, if they are amounts of money."""


class PeriodReportView(CodesMixin, TemplateView):
    """A report on a period, this month unless another is asked for.

    `?as=csv` or `?as=xlsx` sends the file.
    """

    request: Any
    permission = "report_creditcode"
    form_class: type[PeriodForm]
    defaults: ClassVar[dict[str, str]] = {}
    file_name: str
    columns: dict[str, Any]
    """The headings of the numbers, by what they are."""

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        asked = {**this_month(), **self.defaults, **request.GET.dict()}
        form = self.form_class(asked)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        if respond := FORMATS.get(request.GET.get("as", "")):
            return respond(self.file_name, self.lines(form))
        shown = list(islice(self.shown_rows(form), MOST_SHOWN + 1))
        context = self.get_context_data(
            form=form,
            rows=shown[:MOST_SHOWN],
            has_more=len(shown) > MOST_SHOWN,
            grouping=self.grouping(form),
            columns=list(self.columns.values()),
            file_query=request.GET.urlencode(),
        )
        return self.render_to_response(context)

    def grouping(self, form: PeriodForm) -> str:
        """Return the heading of what the rows are about."""
        raise NotImplementedError

    def rows(self, form: PeriodForm) -> Iterator[Row]:
        """Yield the rows of the file, read in chunks."""
        raise NotImplementedError

    def shown_rows(self, form: PeriodForm) -> Iterator[Row]:
        return self.rows(form)

    def lines(self, form: PeriodForm) -> Iterator[list[Any]]:
        """Yield the headings, and the rows for a file."""
        yield [self.grouping(form), *self.columns.values()]
        for row in self.rows(form):
            yield [row.name, *row.numbers]


def this_month() -> dict[str, str]:
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    return {
        "first_day": today.replace(day=1).isoformat(),
        "last_day": today.isoformat(),
    }
