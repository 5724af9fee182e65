"""The statement of one code for a month: what was there, what happened, what is left.

The numbers are those of `reporting`; the lines add up to what lies between opening and
closing. Credits that are held count when their order is placed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Case, Q, QuerySet, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..codes.ends import end_of
from ..models import (
    CreditCode,
    CreditGrant,
    LedgerEntry,
    Redemption,
    RedemptionLine,
    Refund,
    Reinstatement,
)
from ..terms import start_of
from .reporting import RollForward, roll_forward_of, summed_up, until_now
from .tallies import had_expired

Kind, Origin = LedgerEntry.Kind, CreditGrant.Origin


class LineKind(models.TextChoices):
    """What happened, as a statement calls it."""

    GRANTED = "granted", _("Granted")
    REDEEMED = "redeemed", _("Used")
    REFUNDED = "refunded", _("Given back")
    ADJUSTED = "adjusted", _("Adjusted")
    MOVED = "moved", _("Moved between codes")
    LAPSED = "lapsed", _("Lapsed with the code")
    EXPIRED = "expired", _("Expired unused")
    REINSTATED = "reinstated", _("Valid again")


KINDS = {
    Kind.GRANT: LineKind.GRANTED,
    Kind.REDEEM: LineKind.REDEEMED,
    Kind.HOLD: LineKind.REDEEMED,
    Kind.REFUND: LineKind.REFUNDED,
    Kind.ADJUST: LineKind.ADJUSTED,
    Kind.MOVE: LineKind.MOVED,
    Kind.LAPSE: LineKind.LAPSED,
}
"""What entries are called. Those of a hold count once it is captured."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened to a code."""

    at: datetime
    kind: LineKind
    credits: int
    """Positive when added, negative when taken."""
    learner: Any = None
    """Who used it, for what was used or given back; None as well if that is deleted."""
    titles: tuple[str, ...] = ()
    """Of what was used or given back: none for all else."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What became of a code's credits from `start` on and before `end`."""

    code: CreditCode
    start: datetime
    end: datetime
    sums: RollForward[int]
    lines: tuple[Line, ...]
    """In the order of time."""

    @property
    def is_empty(self) -> bool:
        return self.sums.is_empty and not self.lines


def statement_of(code: CreditCode, *, start: datetime, end: datetime) -> Statement:
    """Return the statement of a period; one that has not ended is told until now.

    Raises:
        ValueError: it begins after it ends, or in the future.
    """
    end = until_now(start, end)
    by_grant = roll_forward_of(code, start=start, end=end)
    lines = [
        *_merged(_moved(code, start, end)),
        *_reinstated(code, start, end),
        *_expired(code, by_grant, start, end),
    ]
    lines.sort(key=lambda line: line.at)
    sums = summed_up(code.pk, by_grant)
    return Statement(code, start, end, sums, tuple(lines))


def used_in(code: CreditCode, *, start: datetime, end: datetime) -> list[Line]:
    """Return what was used of a code, from `start` on and before `end`."""
    moved = _merged(_moved(code, start, end))
    return [line for line in moved if line.kind is LineKind.REDEEMED]


def month_of(day: date) -> tuple[datetime, datetime]:
    """Return when the month of a day begins and ends, in the site's time zone."""
    first = day.replace(day=1)
    return start_of(first), start_of(next_month(first))


def next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def last_month() -> date:
    """Return the first day of the latest month that is over, in the site's zone."""
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def _moved(
    code: CreditCode, start: datetime, end: datetime
) -> Iterator[tuple[LedgerEntry, Line]]:
    for entry in _entries(code, start, end):
        kind = KINDS[Kind(entry.kind)]
        if kind is LineKind.GRANTED and entry.grant.origin == Origin.ADJUSTMENT:
            kind = LineKind.ADJUSTED
        at, redemption = entry.created_at, entry.redemption
        if entry.kind == Kind.HOLD and redemption and redemption.order:
            at = redemption.order.date_placed
        if entry.refund:
            yield entry, Line(at, kind, entry.credits, *_given_back(entry.refund))
        else:
            yield entry, Line(at, kind, entry.credits, *_used(redemption))


def _used(redemption: Redemption | None) -> tuple[Any, tuple[str, ...]]:
    if redemption is None:
        return None, ()
    return redemption.learner, _titles(redemption.lines.all())


def _given_back(refund: Refund) -> tuple[Any, tuple[str, ...]]:
    lines = [each.redemption_line for each in refund.lines.all()]
    return refund.redemption.learner, _titles(lines)


def _titles(lines: Iterable[RedemptionLine]) -> tuple[str, ...]:
    settled = [line.settled_line for line in lines if line.settled_line]
    return tuple(dict.fromkeys(line.order_line.title for line in settled))


def _entries(code: CreditCode, start: datetime, end: datetime) -> QuerySet[LedgerEntry]:
    own = LedgerEntry.objects.filter(grant__code=code, grant__code__is_test=False)
    # Credits that had expired were told as such when they did.
    cleared = Case(When(had_expired(), then=True), default=False)
    happened = Q(created_at__gte=start, created_at__lt=end)
    captured = Q(
        kind=Kind.HOLD,
        redemption__order__date_placed__gte=start,
        redemption__order__date_placed__lt=end,
    )
    at_once = happened & Q(kind__in=set(KINDS) - {Kind.HOLD, Kind.LAPSE})
    lapsed = happened & Q(kind=Kind.LAPSE, cleared=False)
    found = own.annotate(cleared=cleared).filter(captured | at_once | lapsed)
    related = (
        "redemption__learner",
        "redemption__order",
        "refund__redemption__learner",
    )
    lines = (
        "redemption__lines__settled_line__order_line",
        "refund__lines__redemption_line__settled_line__order_line",
    )
    rows = found.select_related("grant", *related).prefetch_related(*lines)
    return rows.order_by("pk")


def _merged(moved: Iterable[tuple[LedgerEntry, Line]]) -> Iterable[Line]:
    """Return one line for what was done at once to several grants."""
    merged: dict[tuple[object, ...], Line] = {}
    for entry, line in moved:
        cause = (entry.redemption_id, entry.refund_id, entry.change_id)
        key = (line.kind, *cause) if any(cause) else (entry.pk,)
        known = merged.get(key)
        merged[key] = (
            replace(known, credits=known.credits + line.credits) if known else line
        )
    return merged.values()


def _reinstated(code: CreditCode, start: datetime, end: datetime) -> list[Line]:
    rows = Reinstatement.objects.filter(
        grant__code=code,
        grant__code__is_test=False,
        created_at__gte=start,
        created_at__lt=end,
    )
    return [Line(row.created_at, LineKind.REINSTATED, row.credits) for row in rows]


def _expired(
    code: CreditCode,
    by_grant: Iterable[RollForward[int]],
    start: datetime,
    end: datetime,
) -> Iterator[Line]:
    gone = {row.key: row.expired for row in by_grant if row.expired}
    grants = CreditGrant.objects.filter(pk__in=gone).select_related("code")
    for grant in grants.order_by("pk"):
        # What was extended since ends later today than it did then.
        at = max(start, min(end_of(grant) or end, end))
        yield Line(at, LineKind.EXPIRED, -gone[grant.pk])
