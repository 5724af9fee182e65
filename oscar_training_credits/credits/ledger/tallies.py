"""Entries of the ledger added up in one pass, for several moments of the past."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, Generic, TypeVar

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    F,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)

from ..models import CreditGrant, LedgerEntry, Reinstatement

V = TypeVar("V")
Kind = LedgerEntry.Kind
MOVEMENTS = ("granted", "redeemed", "refunded", "adjusted", "lapsed", "moved")
COUNTED = (*MOVEMENTS, "cleared", "dead")
"""What is summed up: also what was closed when it had expired, and all of the dead."""
CAPTURED = "captured"
COUNTS_FOR: dict[str, str] = {
    Kind.GRANT: "granted",
    Kind.REDEEM: "redeemed",
    CAPTURED: "redeemed",
    Kind.REFUND: "refunded",
    Kind.ADJUST: "adjusted",
    Kind.LAPSE: "lapsed",
    Kind.MOVE: "moved",
}
"""For what an entry counts; what is held or released is outstanding still."""
Groups = Mapping[str, Any]
"""What is summed up apart: expressions on what has a grant, by their names."""


class Tally(Generic[V]):
    """What was added up until each of some moments."""

    def __init__(self, moments: int) -> None:
        zeros: Any = [0] * moments
        self._added: dict[str, list[Any]] = {name: [*zeros] for name in COUNTED}

    def add(self, name: str, number: int, amount: Any) -> None:
        """Add what happened before the moment of this number, after the one before."""
        self._added[name][number] += amount

    def add_all(self, other: Tally[Any], *, times: Any) -> None:
        for name, amounts in other._added.items():
            for number, amount in enumerate(amounts):
                self.add(name, number, amount * times)

    def before(self, number: int) -> dict[str, V]:
        """Return all that happened before a moment, by what it counts for."""
        return {
            name: [*accumulate(amounts[: number + 1])][-1]
            for name, amounts in self._added.items()
        }


def tallies(
    moments: Sequence[datetime],
    reinstated: Iterable[Mapping[str, Any]],
    *,
    of: Groups | None = None,
    within: Q | None = None,
) -> dict[tuple[Any, ...], Tally[int]]:
    """Return what happened before each of these moments, by group and in their order.

    `reinstated` is what `reinstatements` found. One query, which reads each entry once;
    one more if something had expired at a moment, and is valid again.
    """
    of, within = of or {}, within or Q()
    last = len(moments) - 1
    found: dict[tuple[Any, ...], Tally[int]] = defaultdict(lambda: Tally(last + 1))
    bits = len(moments).bit_length()
    rows = _moved(moments, of, within).union(_captured(moments, of, within), all=True)
    for row in rows.order_by(*of):
        *key, kind, is_adjusted, is_cleared = row[: -1 - 2 * bits]
        at, ended = (
            _number(row[-1 - 2 * bits : -1 - bits]),
            _number(row[-1 - bits : -1]),
        )
        tally, credits = found[tuple(key)], row[-1]
        name = "adjusted" if is_adjusted else COUNTS_FOR.get(kind)
        if name:
            tally.add(name, at, credits)
        if is_cleared:
            tally.add("cleared", at, credits)
        if kind != CAPTURED and ended <= last:
            tally.add("dead", max(at, ended), credits)
    if any(_was_dead(each, moment) for each in reinstated for moment in moments):
        for *key, number, credits in _dead_again(moments, of, within):
            tally = found[tuple(key)]
            tally.add("dead", number, credits)
            if number < last:
                tally.add("dead", number + 1, -credits)
    return found


def reinstatements(
    moments: Sequence[datetime], *, of: Groups | None = None, within: Q | None = None
) -> QuerySet[Any, Any]:
    """Return the values of what became valid again after the first of these moments."""
    rows = Reinstatement.objects.filter(
        grant__code__is_test=False, created_at__gte=moments[0]
    )
    groups = dict(of or {})
    rows = rows.annotate(**groups).filter(within or Q()).order_by()
    found: QuerySet[Any, Any] = rows.values(
        *groups, "credits", "expired_at", "created_at"
    )
    return found


def _moved(moments: Sequence[datetime], of: Groups, within: Q) -> QuerySet[Any, Any]:
    """Sum up entries by kind, by the first moment after them, and after their end."""
    entries = _entries(moments[-1], of, within).annotate(
        counted_as=F("kind"),
        is_adjusted=_is(
            Q(kind=Kind.GRANT, grant__origin=CreditGrant.Origin.ADJUSTMENT)
        ),
        # Closing a code takes expired credits from the books, which were gone before.
        is_cleared=_is(Q(kind=Kind.LAPSE) & had_expired()),
        **_numbers("at", [Q(created_at__lt=each) for each in moments]),
        **_numbers("ended", [_ended(each) for each in moments]),
    )
    return _summed(entries, of, moments)


def _captured(moments: Sequence[datetime], of: Groups, within: Q) -> QuerySet[Any, Any]:
    """Sum up what was held, and is spent from the moment that its order is placed."""
    placed = [
        Q(created_at__lt=each, redemption__order__date_placed__lt=each)
        for each in moments
    ]
    entries = _entries(moments[-1], of, within & Q(kind=Kind.HOLD) & placed[-1])
    entries = entries.annotate(
        counted_as=Value(CAPTURED, output_field=CharField()),
        is_adjusted=Value(False),
        is_cleared=Value(False),
        **_numbers("at", placed),
        **_numbers("ended", [Q(pk=None)] * len(moments)),
    )
    return _summed(entries, of, moments)


def _entries(end: datetime, of: Groups, within: Q) -> QuerySet[LedgerEntry]:
    real = LedgerEntry.objects.filter(grant__code__is_test=False, created_at__lt=end)
    return real.order_by().annotate(**of).filter(within)


def _summed(
    entries: QuerySet[Any], of: Groups, moments: Sequence[datetime]
) -> QuerySet[Any, Any]:
    numbers = range(len(moments).bit_length())
    bits = [f"{name}_{bit}" for name in ("at", "ended") for bit in numbers]
    groups = (*of, "counted_as", "is_adjusted", "is_cleared", *bits)
    sums = entries.values(*groups).annotate(total=Sum("credits"))
    rows: QuerySet[Any, Any] = sums.values_list(*groups, "total")
    return rows


def _is(condition: Q) -> Case:
    return Case(When(condition, then=True), default=False, output_field=BooleanField())


def _numbers(name: str, conditions: Sequence[Q]) -> dict[str, Any]:
    """Return the number of the first condition that is met, bit by bit.

    It is one more than the last if none is. What meets one meets all that follow, so
    few of them have to be tried.

    PostgreSQL knows that a truth value makes two groups. Of a number it would expect
    as many groups as entries, and not share the work among several cores.
    """
    none = len(conditions)
    return {
        f"{name}_{bit}": _bit(bit, conditions, range(none + 1))
        for bit in range(none.bit_length())
    }


def _bit(bit: int, conditions: Sequence[Q], among: range) -> Any:
    """Return a bit of the number, which is one of these."""
    first, last = among[0], among[-1]
    if first >> bit == last >> bit:
        return Value(bool(first >> bit & 1))
    # Halved where a higher bit changes, the same bit is the same sooner.
    half = 1 << (len(among) - 1).bit_length() - 1
    return Case(
        When(conditions[first + half - 1], then=_bit(bit, conditions, among[:half])),
        default=_bit(bit, conditions, among[half:]),
        output_field=BooleanField(),
    )


def _number(bits: Iterable[bool]) -> int:
    return sum(1 << place for place, bit in enumerate(bits) if bit)


def had_expired() -> Q:
    """Match the entries of grants that had expired when these were written."""
    return Q(grant__expires_at__lte=F("created_at")) | Q(
        grant__source=None, grant__code__expires_at__lte=F("created_at")
    )


def _ended(moment: datetime) -> Q:
    """Match the entries of grants that had ended before a moment, as of today."""
    # What is unused when a child code ends goes back, and is outstanding still.
    return Q(grant__expires_at__lt=moment) | Q(
        grant__source=None, grant__code__expires_at__lt=moment
    )


def _dead_again(
    moments: Sequence[datetime], of: Groups, within: Q
) -> Iterator[tuple[Any, ...]]:
    """Yield what had expired at a moment, and is valid again: group, number, credits.

    What has expired since is not among it: it is dead already.
    """
    since = Reinstatement.objects.filter(
        expired_at__lt=moments[-1], created_at__gte=moments[0]
    )
    entries = _entries(moments[-1], of, within).filter(grant__in=since.values("grant"))
    sums = {
        f"dead_{number}": Sum("credits", filter=_was_dead_at(moment), default=0)
        for number, moment in enumerate(moments)
    }
    # Grouped by what is the same for all of them, if by nothing else.
    rows = entries.annotate(same=Value(0)).values(*of, "same").annotate(**sums)
    for row in rows:
        for number in range(len(moments)):
            yield *(row[name] for name in of), number, row[f"dead_{number}"]


def _was_dead_at(moment: datetime) -> Q:
    meanwhile = Reinstatement.objects.filter(
        expired_at__lt=moment, created_at__gte=moment
    )
    then = Q(created_at__lt=moment, grant__in=meanwhile.values("grant"))
    return then & ~_ended(moment)


def _was_dead(reinstated: Mapping[str, Any], moment: datetime) -> bool:
    return bool(reinstated["expired_at"] < moment <= reinstated["created_at"])
