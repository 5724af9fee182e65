"""A code's balance over time as a drawing, and as a table for who cannot see it.

Drawn by the server as SVG: one line needs no chart library, and is there without
JavaScript. Its words are text of the page, so that they keep their size on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from django.utils import timezone
from django.utils.translation import gettext as _

from ..credits import wording
from ..credits.ledger.balances import Balance

WIDTH, HEIGHT = 1_000, 200
MOST_DAYS = 60
"""How many days the table has: the last on which the balance moved."""


@dataclass(frozen=True, slots=True)
class Chart:
    line: str
    """The path of the line, from left to right."""
    area: str
    """The same, closed along the bottom."""
    levels: tuple[str, ...]
    """The amounts beside it, from the top down to 0."""
    days: tuple[str, ...]
    """The days below it, from left to right."""
    summary: str
    rows: tuple[tuple[str, int], ...]
    """The balance at the end of each day, the latest first."""


def chart_of(balances: Sequence[Balance]) -> Chart | None:
    """Return the drawing; None of what has not lasted any time."""
    if not balances or balances[0][0] == balances[-1][0]:
        return None
    (start, _first), (end, now) = balances[0], balances[-1]
    top = round_up(max(balance for _moment, balance in balances))
    line = _path(balances, top)
    middle = start + (end - start) / 2
    most = max(balance for _moment, balance in balances)
    summary = _(
        "From %(start)s to %(end)s. At most there were %(most)s, now there are %(now)s."
    ) % {
        "start": wording.day_of(start),
        "end": wording.day_of(end),
        "most": wording.in_words(most),
        "now": wording.in_words(now),
    }
    return Chart(
        line=line,
        area=f"{line} V{HEIGHT} H0 Z",
        levels=tuple(f"{level}" for level in _levels(top)),
        days=tuple(wording.day_of(moment) for moment in (start, middle, end)),
        summary=summary,
        rows=tuple(_by_day(balances, MOST_DAYS)),
    )


def _path(balances: Sequence[Balance], top: int) -> str:
    start, end = balances[0][0], balances[-1][0]

    def across(moment: datetime) -> str:
        return f"{(moment - start) / (end - start) * WIDTH:.1f}"

    def up(balance: int) -> str:
        return f"{HEIGHT - balance / top * HEIGHT:.1f}"

    steps = [
        f"H{across(moment)} V{up(balance)}"
        for (_earlier, before), (moment, balance) in pairwise(balances)
        if balance != before or moment == end
    ]
    return " ".join([f"M0,{up(balances[0][1])}", *steps])


def round_up(most: int) -> int:
    """Return the next 2, 4, 6, 8 or 10 times a power of ten: half of it is whole."""
    power = 1
    while True:
        for times in (2, 4, 6, 8, 10):
            if times * power >= most:
                return times * power
        power *= 10


def _levels(top: int) -> tuple[int, ...]:
    return top, top // 2, 0


def _by_day(balances: Sequence[Balance], most: int) -> list[tuple[str, int]]:
    # The day of each moment in words would take longer than all of the drawing.
    days: dict[date, tuple[str, int]] = {}
    zone = timezone.get_current_timezone()
    for moment, balance in reversed(balances):
        day = moment.astimezone(zone).date()
        if day in days:
            continue
        if len(days) == most:
            break
        days[day] = wording.day_of(moment), balance
    return list(days.values())
