"""Oscar's dashboard: a year of credits at a glance, drawn and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from ....aliases import Request
from ....credits.ledger.reporting import RollForward, roll_forward_series
from ....credits.ledger.usage import UseGrouping, most_used_for
from ....credits.terms import start_of
from ...balance_chart import HEIGHT, WIDTH, round_up
from ...files import FORMATS
from .base import CodesMixin
from .names import product_names
from .roll_forward import COLUMNS as ALL_COLUMNS

COLUMNS = {name: text for name, text in ALL_COLUMNS.items() if name != "moved"}
"""Without what is moved between codes: of all together, that is nothing."""
MONTHS = 12
MOST_PRODUCTS = 10


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers of the same kind, one a month, and how they are drawn."""

    name: str
    style: str
    """What it is called in the style sheet."""
    total: int
    bars: str
    """The path of its bars, from left to right."""


@dataclass(frozen=True, slots=True)
class Drawing:
    series: tuple[Series, ...]
    levels: tuple[int, int, int]
    """The amounts beside it, from the top down to 0."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A product, and what was redeemed for it beside the one with most."""

    name: str
    url: str
    credits: int
    percent: int


class OverviewView(CodesMixin, TemplateView):
    """What became of credits month by month, and what they were used for.

    `?as=csv` or `?as=xlsx` sends the months as a file.
    """

    request: Request
    permission = "report_creditcode"
    template_name = "training_credits/dashboard_overview.html"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        months = year_until(timezone.localdate())
        rows = roll_forward_series([*months, timezone.now()])
        if respond := FORMATS.get(request.GET.get("as", "")):
            return respond("credits-by-month", exported(rows))
        moved = [
            (_("Granted"), "granted", [row.granted for row in rows]),
            (_("Redeemed"), "redeemed", [row.redeemed - row.refunded for row in rows]),
            (_("Unused"), "unused", [row.expired + row.lapsed for row in rows]),
        ]
        outstanding = [(_("Outstanding"), "outstanding", [row.closing for row in rows])]
        used = most_used_for(
            UseGrouping.PRODUCT, MOST_PRODUCTS, start=months[0], end=timezone.now()
        )
        context = self.get_context_data(
            heading=_("Overview"),
            columns=list(COLUMNS.values()),
            rows=[(name_of(row), numbers_of(row)) for row in reversed(rows)],
            months=[name_of(row, "M") for row in rows],
            moved=drawn(moved),
            outstanding=drawn(outstanding),
            products=bars_of(used),
        )
        return self.render_to_response(context)


def year_until(today: date) -> list[datetime]:
    """Return the beginnings of the last twelve months, this one included."""
    count = today.year * 12 + today.month - 1
    numbers = range(count - MONTHS + 1, count + 1)
    return [start_of(date(n // 12, n % 12 + 1, 1)) for n in numbers]


def name_of(row: RollForward[int], form: str = "YEAR_MONTH_FORMAT") -> str:
    return date_format(timezone.localtime(row.key), form)


def numbers_of(row: RollForward[int]) -> tuple[int, ...]:
    return tuple(getattr(row, column) for column in COLUMNS)


def exported(rows: Sequence[RollForward[int]]) -> list[list[Any]]:
    lines = [[name_of(row, "Y-m"), *numbers_of(row)] for row in rows]
    return [[_("Month"), *COLUMNS.values()], *lines]


def drawn(kinds: Sequence[tuple[str, str, Sequence[int]]]) -> Drawing:
    """Return bars side by side for each month; what is below 0 is drawn as 0."""
    top = round_up(max(max(numbers) for _name, _style, numbers in kinds))
    series = [
        Series(name, style, sum(numbers), _bars(numbers, top, number, len(kinds)))
        for number, (name, style, numbers) in enumerate(kinds)
    ]
    return Drawing(tuple(series), (top, top // 2, 0))


def _bars(numbers: Sequence[int], top: int, place: int, places: int) -> str:
    month = WIDTH / len(numbers)
    # A part of each month is left free, so that months stand apart.
    wide = month * 0.8 / places
    bars = []
    for number, credits in enumerate(numbers):
        left = number * month + month * 0.1 + place * wide
        high = max(credits, 0) / top * HEIGHT
        if high:
            bars.append(f"M{left:.1f},{HEIGHT} v-{high:.1f} h{wide:.1f} v{high:.1f} z")
    return " ".join(bars)


def bars_of(used: Sequence[tuple[Any, int]]) -> list[Bar]:
    names = product_names([key for key, _credits in used])
    most = max((credits for _key, credits in used), default=0)
    bars = []
    for key, credits in used:
        name, url = names.get(key) or (str(key), "")
        bars.append(Bar(name, url, credits, round(credits * 100 / most)))
    return bars
