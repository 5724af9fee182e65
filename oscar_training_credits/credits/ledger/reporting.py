"""What became of credits in a period: outstanding before, moved, outstanding after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import pairwise
from typing import Any, Generic, TypeVar

from django.db.models import Case, CharField, F, Q, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from ..models import CreditCode, CreditGrant
from ..terms import to_cents
from .tallies import MOVEMENTS, Tally, reinstatements, tallies

N = TypeVar("N", int, Decimal)
PORTION, LARGEST_PORTION = 250, 25_000
"""How many groups are summed up at once: at first, and at most."""
Origin = CreditGrant.Origin


class Grouping(Enum):
    """What the rows of a roll-forward are about."""

    CODE = "code"
    HOLDER = "holder"
    REFERENCE = "reference"
    ORIGIN = "origin"


PAID, GOODWILL, ADJUSTMENT = "paid", "goodwill", "adjustment"
"""Where credits come from: sold or imported, given, or put right by staff."""


@dataclass(frozen=True, slots=True)
class RollForward(Generic[N]):
    """What became of credits in a period: in whole credits, or what they were sold for.

    `opening`, and all that follows but for `adjusted` in its own sign, sum up to
    `closing`, which the next period opens with.
    """

    key: Any
    """Of what: the code's primary key, a holder, a reference, or an origin."""
    opening: N
    granted: N
    redeemed: N
    refunded: N
    adjusted: N
    """Positive when staff have added more than they took."""
    lapsed: N
    """What was left on codes that were closed."""
    expired: N
    """What expired unused."""
    reinstated: N
    """What had expired, and was made valid again by a later end."""
    moved: N
    """From other codes, less what went to them: of all codes together, nothing."""
    currency: str = ""
    """Of the amounts; empty where they are credits."""

    @property
    def closing(self) -> N:
        added = self.granted + self.refunded + self.adjusted + self.reinstated
        gone = self.redeemed + self.lapsed + self.expired
        return self.opening + added + self.moved - gone

    @property
    def is_empty(self) -> bool:
        """Nothing was there, and nothing happened."""
        return not any(getattr(self, name) for name in NUMBERS)


NUMBERS = (
    "opening",
    "granted",
    "redeemed",
    "refunded",
    "adjusted",
    "lapsed",
    "expired",
    "reinstated",
    "moved",
)


def roll_forward(*, start: datetime, end: datetime) -> RollForward[int]:
    """Return what became of all credits from `start` on and before `end`.

    Two queries; three if credits that had expired are valid again. A period that has
    not ended is reckoned until now.

    Raises:
        ValueError: it begins after it ends, or in the future.
    """
    return _series([start, until_now(start, end)], key="")[0]


def roll_forward_series(moments: Sequence[datetime]) -> list[RollForward[int]]:
    """Return the same for each period from one of these moments to the next.

    As many queries, which read the ledger once. Their keys are the moments that they
    begin with. Periods of the future are left out.

    Raises:
        ValueError: the moments are not in order, or begin in the future.
    """
    now = until_now(moments[0], moments[-1])
    past = [*(moment for moment in moments if moment < now), now]
    if past != sorted(set(past)):
        raise ValueError("Periods follow one another.")
    return _series(past)


def _series(moments: list[datetime], key: Any = None) -> list[RollForward[int]]:
    back = list(reinstatements(moments))
    tally: Tally[int] = tallies(moments, back)[()]
    return [
        _row(
            start if key is None else key,
            tally.before(number),
            tally.before(number + 1),
            sum(each["credits"] for each in back if start <= each["created_at"] < end),
        )
        for number, (start, end) in enumerate(pairwise(moments))
    ]


def roll_forward_by(
    grouping: Grouping, *, start: datetime, end: datetime
) -> Iterator[RollForward[int]]:
    """Yield the same for each code, holder, reference or origin, in their order.

    Summed up as they are asked for, in portions of some thousands: four queries each.
    Groups of which nothing was there are left out. Names and origins are those of
    today.

    Raises:
        ValueError: as `roll_forward`.
    """
    end = until_now(start, end)
    return _rows_by(grouping, [start, end])


def _rows_by(grouping: Grouping, moments: list[datetime]) -> Iterator[RollForward[int]]:
    for portion in _portions(grouping):
        rows = _rows(moments, of=_key(grouping), within=portion)
        yield from (row for row in rows if not row.is_empty)


def roll_forward_of(
    code: CreditCode, *, start: datetime, end: datetime
) -> list[RollForward[int]]:
    """Return the same for each grant of one code; the keys are the grants'.

    As many queries as `roll_forward`. Of a test code there is none.

    Raises:
        ValueError: as `roll_forward`.
    """
    moments = [start, until_now(start, end)]
    return list(_rows(moments, of=F("grant"), within=Q(grant__code=code)))


def summed_up(key: Any, rows: Iterable[RollForward[int]]) -> RollForward[int]:
    """Return the sum of roll-forwards of one period."""
    rows = list(rows)
    numbers = {name: sum(getattr(row, name) for row in rows) for name in NUMBERS}
    return RollForward(key=key, **numbers)


def _rows(moments: list[datetime], *, of: Any, within: Q) -> Iterator[RollForward[int]]:
    back = list(reinstatements(moments, of={"key": of}, within=within))
    reinstated: dict[Any, int] = defaultdict(int)
    for each in back:
        if each["created_at"] < moments[-1]:
            reinstated[each["key"]] += each["credits"]
    found = tallies(moments, back, of={"key": of}, within=within)
    for (key,), tally in found.items():
        yield _row(key, tally.before(0), tally.before(1), reinstated[key])


def _portions(grouping: Grouping) -> Iterator[Q]:
    """Yield conditions on entries, each for the groups that follow those before.

    Few at first: a page shows no more, and need not wait for all.
    """
    if grouping is Grouping.ORIGIN:
        yield Q()
        return
    name = "pk" if grouping is Grouping.CODE else grouping.value
    codes = CreditCode.objects.filter(is_test=False).order_by(name)
    keys = codes.values_list(name, flat=True).distinct()
    size, after, path = PORTION, Q(), f"grant__code__{name}"
    while True:
        last = keys[size - 1 : size].first()
        if last is None:
            yield after
            return
        yield after & Q(**{f"{path}__lte": last})
        after = Q(**{f"{path}__gt": last})
        keys = codes.filter(**{f"{name}__gt": last}).values_list(name, flat=True)
        keys = keys.distinct()
        size = min(size * 10, LARGEST_PORTION)


def roll_forward_money(
    *, start: datetime, end: datetime, grouping: Grouping | None = None
) -> Iterator[RollForward[Decimal]]:
    """Yield the same in the money that credits were sold for, for each currency.

    Credits are worth an equal part of what their grant was sold for; those of which
    that is not on record, goodwill and adjustments are left out. Sums since the
    beginning are exact, and rounded to cents once, so that the numbers of a period add
    up and it opens with what the one before closed with. Without a grouping the key is
    empty.

    Raises:
        ValueError: as `roll_forward`.
    """
    end = until_now(start, end)
    return _rows_in_money(grouping, [start, end])


def _rows_in_money(
    grouping: Grouping | None, moments: list[datetime]
) -> Iterator[RollForward[Decimal]]:
    # A moved part has the price of the grant that it came from.
    of: dict[str, Any] = {
        name: Coalesce(F(f"grant__source__{column}"), F(f"grant__{column}"))
        for name, column in (
            ("currency", "paid_currency"),
            ("paid", "paid_amount"),
            ("of", "credits"),
        )
    }
    of = {"key": _key(grouping) if grouping else Value(""), **of}
    for portion in _portions(grouping) if grouping else [Q()]:
        sold = portion & Q(paid__gt=0)
        back = list(reinstatements(moments, of=of, within=sold))
        reinstated: dict[Any, Fraction] = defaultdict(Fraction)
        for each in back:
            if each["created_at"] < moments[-1]:
                worth = Fraction(each["paid"]) * each["credits"] / each["of"]
                reinstated[each["key"], each["currency"]] += worth
        found = tallies(moments, back, of=of, within=sold)
        for (key, currency), tally in _worth(found, moments).items():
            before, after = tally.before(0), tally.before(1)
            row = _row(
                key,
                {name: to_cents(amount) for name, amount in before.items()},
                {name: to_cents(amount) for name, amount in after.items()},
                to_cents(reinstated[key, currency]),
            )
            if not row.is_empty:
                yield replace(row, currency=currency)


def _worth(
    found: Mapping[tuple[Any, ...], Tally[int]], moments: Sequence[datetime]
) -> dict[tuple[Any, str], Tally[Fraction]]:
    """Add up, by key and currency, what was sold for different prices."""
    worth: dict[tuple[Any, str], Tally[Fraction]] = {}
    for (key, currency, paid, of), tally in found.items():
        total = worth.setdefault((key, currency), Tally(len(moments)))
        total.add_all(tally, times=Fraction(paid) / of)
    return worth


def until_now(start: datetime, end: datetime) -> datetime:
    """Return the end of a period, or now if that is earlier.

    Raises:
        ValueError: the period begins after it ends, or in the future.
    """
    end = min(end, timezone.now())
    if start > end:
        raise ValueError("A period begins before it ends, and in the past.")
    return end


def _key(grouping: Grouping) -> Any:
    if grouping is Grouping.CODE:
        return F("grant__code_id")
    if grouping is Grouping.ORIGIN:
        return Case(
            When(grant__origin__in=[Origin.SALE, Origin.IMPORT], then=Value(PAID)),
            default=F("grant__origin"),
            output_field=CharField(),
        )
    return F(f"grant__code__{grouping.value}")


def _row(
    key: Any, before: Mapping[str, Any], after: Mapping[str, Any], reinstated: N
) -> RollForward[N]:
    """Return what became of credits between two moments, by what is summed up there."""
    moved = {name: after[name] - before[name] for name in after}
    all_before = sum(before[name] for name in MOVEMENTS)
    return RollForward(
        key=key,
        opening=all_before - before["dead"],
        granted=moved["granted"],
        redeemed=-moved["redeemed"],
        refunded=moved["refunded"],
        adjusted=moved["adjusted"],
        lapsed=moved["cleared"] - moved["lapsed"],
        expired=moved["dead"] - moved["cleared"] + reinstated,
        reinstated=reinstated,
        moved=moved["moved"],
    )
