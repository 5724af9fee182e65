"""What reports on credits have in common: the form, the table, the file."""

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

from ....aliases import Request
from ....credits.codes.fields import day_field
from ....credits.terms import end_of, far_away_text, is_far_away, start_of
from ...files import FORMATS
from ..widgets import PlainSelect
from .base import CodesMixin
from .names import Naming

MOST_SHOWN = 200
CHUNK = 1_000
"""How many rows are named at once."""


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


def grouping_field(groupings: dict[str, Any], **options: Any) -> forms.ChoiceField:
    """Return the choice of what the rows are about."""
    return forms.ChoiceField(
        label=gettext_lazy("For each"),
        widget=PlainSelect,
        **{"choices": groupings.items(), **options},
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a report: what it is about, with its page, and its numbers in order."""

    name: str
    numbers: tuple[Any, ...]
    url: str = ""
    currency: str = ""
    """Of the numbers, if they are amounts of money."""


class ReportView(CodesMixin, TemplateView):
    """A page with a form above a table, which is downloaded as a file as well.

    `?as=csv` or `?as=xlsx` sends the file.
    """

    request: Request
    permission = "report_creditcode"
    template_name = "training_credits/dashboard_report.html"
    form_class: type[Any]
    defaults: ClassVar[dict[str, str]] = {}
    """What the form asks for, unless it is asked for something else."""
    heading: Any
    intro: Any
    nothing: Any
    """What is said in place of rows, if there are none."""
    file_name: str
    words = 0
    """How many of the first columns are words: numbers stand on the right."""

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        form = self.form_class({**self.asked(), **request.GET.dict()})
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
            columns=self.headings(),
            words=self.words,
            nothing=self.nothing,
            file_query=request.GET.urlencode(),
        )
        return self.render_to_response(context)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            heading=self.heading, intro=self.intro, **kwargs
        )

    def asked(self) -> dict[str, str]:
        return self.defaults

    def grouping(self, form: Any) -> str:
        """Return the heading of what the rows are about."""
        raise NotImplementedError

    def headings(self) -> list[Any]:
        """Return the headings of the numbers."""
        raise NotImplementedError

    def shown_rows(self, form: Any) -> Iterator[Row]:
        """Yield the rows of the page; no more of them are read than are shown."""
        raise NotImplementedError

    def lines(self, form: Any) -> Iterator[list[Any]]:
        """Yield the headings, and the rows for a file."""
        raise NotImplementedError


class PeriodReportView(ReportView):
    """A report on a period, this month unless another is asked for."""

    form_class: type[PeriodForm]
    columns: dict[str, Any]
    """The headings of the numbers, by the names that they have in what is found."""
    groupings: dict[str, Any]
    """What the rows can be about, in words."""
    namings: dict[str, Naming]
    """What names the rows, for each of these."""

    def asked(self) -> dict[str, str]:
        return {**this_month(), **self.defaults}

    def grouping(self, form: Any) -> str:
        return str(self.groupings.get(form.cleaned_data["by"], ""))

    def headings(self) -> list[Any]:
        return list(self.columns.values())

    def found(self, form: Any) -> Iterator[Any]:
        """Yield what was found: its `key`, and its numbers by their names."""
        raise NotImplementedError

    def rows(self, form: Any) -> Iterator[Row]:
        """Yield what was found, named a chunk at a time."""
        naming, found = self.namings[form.cleaned_data["by"]], self.found(form)
        while chunk := list(islice(found, CHUNK)):
            names = naming([each.key for each in chunk])
            for each in chunk:
                name, url = names.get(each.key) or (str(each.key), "")
                yield self.row(name, each, url)

    def row(self, name: str, each: Any, url: str = "") -> Row:
        numbers = tuple(getattr(each, column) for column in self.columns)
        return Row(name, numbers, url, getattr(each, "currency", ""))

    def shown_rows(self, form: Any) -> Iterator[Row]:
        return self.rows(form)

    def lines(self, form: Any) -> Iterator[list[Any]]:
        yield [self.grouping(form), *self.headings()]
        for row in self.rows(form):
            yield [row.name, *row.numbers]


def this_month() -> dict[str, str]:
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    return {
        "first_day": today.replace(day=1).isoformat(),
        "last_day": today.isoformat(),
    }
