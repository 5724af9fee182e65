"""What became of credits in a period: outstanding before, moved, outstanding after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, Generic, TypeVar

from django.db.models import Case, CharField, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from ..models import CreditCode, CreditGrant, LedgerEntry, Reinstatement
from ..terms import to_cents

N = TypeVar("N", int, Decimal)
CHUNK = 1_000
Kind, Origin = LedgerEntry.Kind, CreditGrant.Origin


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


MOVEMENTS = ("granted", "redeemed", "refunded", "adjusted", "lapsed", "moved")


def roll_forward(*, start: datetime, end: datetime) -> RollForward[int]:
    """Return what became of all credits from `start` on and before `end`.

    Two queries. A period that has not ended is reckoned until now.

    Raises:
        ValueError: it begins after it ends, or in the future.
    """
    end = until_now(start, end)
    sums = _entries(end).aggregate(**_sums(start, end))
    back = _reinstated(start, end).aggregate(credits=Sum("credits"))["credits"]
    return _row("", sums, back or 0)


def roll_forward_series(moments: Sequence[datetime]) -> list[RollForward[int]]:
    """Return the same for each period from one of these moments to the next.

    Two queries, which read the ledger once. Their keys are the moments that they begin
    with. Periods of the future are left out.

    Raises:
        ValueError: the moments are not in order, or begin in the future.
    """
    now = until_now(moments[0], moments[-1])
    past = [*(moment for moment in moments if moment < now), now]
    if past != sorted(set(past)):
        raise ValueError("Periods follow one another.")
    sums = _entries(now).aggregate(
        **{
            f"{name}_{number}": each
            for number, moment in enumerate(past)
            for name, each in _sums_before(moment).items()
        }
    )
    back = _reinstated(past[0], now).values_list("created_at", "credits")
    reinstated = [
        sum(credits for at, credits in back if start <= at < end)
        for start, end in pairwise(past)
    ]
    return [
        _row(start, _between(sums, number), reinstated[number])
        for number, start in enumerate(past[:-1])
    ]


def _between(sums: Mapping[str, int], number: int) -> dict[str, int]:
    """Return the sums at the start and the end of a period."""
    labels = {f"_{number}": "_before", f"_{number + 1}": "_after"}
    return {
        name + labels[f"_{at}"]: total
        for (name, at), total in ((key.rsplit("_", 1), sums[key]) for key in sums)
        if f"_{at}" in labels
    }


def roll_forward_by(
    grouping: Grouping, *, start: datetime, end: datetime
) -> Iterator[RollForward[int]]:
    """Yield the same for each code, holder, reference or origin, in their order.

    Two queries, read in chunks; groups of which nothing was there are left out. Names
    and origins are those of today.

    Raises:
        ValueError: as `roll_forward`.
    """
    end = until_now(start, end)
    entries = _entries(end).annotate(key=_key(grouping)).order_by("key")
    back = _reinstated(start, end).annotate(key=_key(grouping))
    grouped = back.order_by().values("key").annotate(total=Sum("credits"))
    reinstated = dict(grouped.values_list("key", "total"))
    sums = entries.values("key").annotate(**_sums(start, end))
    rows = (
        _row(each["key"], each, reinstated.get(each["key"], 0))
        for each in sums.iterator(CHUNK)
    )
    return (row for row in rows if not row.is_empty)


def roll_forward_of(
    code: CreditCode, *, start: datetime, end: datetime
) -> list[RollForward[int]]:
    """Return the same for each grant of one code; the keys are the grants'.

    Two queries. Of a test code there is none.

    Raises:
        ValueError: as `roll_forward`.
    """
    end = until_now(start, end)
    entries = _entries(end).filter(grant__code=code)
    sums = entries.values(key=F("grant")).annotate(**_sums(start, end))
    back = _reinstated(start, end).filter(grant__code=code).order_by()
    reinstated = dict(back.values_list("grant").annotate(Sum("credits")))
    return [
        _row(each["key"], each, reinstated.get(each["key"], 0))
        for each in sums.order_by("key")
    ]


def summed_up(key: Any, rows: Iterable[RollForward[int]]) -> RollForward[int]:
    """Return the sum of roll-forwards of one period."""
    rows = list(rows)
    numbers = {name: sum(getattr(row, name) for row in rows) for name in NUMBERS}
    return RollForward(key=key, **numbers)


def roll_forward_money(
    *, start: datetime, end: datetime, grouping: Grouping | None = None
) -> Iterator[RollForward[Decimal]]:
    """Yield the same in the money that credits were sold for, for each currency.

    Credits are worth an equal part of what their grant was sold for; those of which
    that is not on record, goodwill and adjustments are left out. Sums since the
    beginning are exact, and rounded to cents once, so that the numbers of a period add
    up and it opens with what the one before closed with. Without a grouping the key is
    empty. Two queries, read in chunks.

    Raises:
        ValueError: as `roll_forward`.
    """
    end = until_now(start, end)
    key: Any = _key(grouping) if grouping else Value("")
    # A moved part has the price of the grant that it came from.
    price = {
        name: Coalesce(F(f"grant__source__{column}"), F(f"grant__{column}"))
        for name, column in (
            ("currency", "paid_currency"),
            ("paid", "paid_amount"),
            ("of", "credits"),
        )
    }
    in_order = ("key", "currency", "paid", "of")
    entries: Any = _entries(end).annotate(key=key, **price)
    entries = entries.filter(paid__gt=0)
    sums = entries.order_by(*in_order).values(*in_order).annotate(**_sums(start, end))
    back: Any = _reinstated(start, end).annotate(key=key, **price)
    back = back.filter(paid__gt=0).order_by()
    reinstated: dict[Any, Fraction] = defaultdict(Fraction)
    for each in back.values(*in_order).annotate(total=Sum("credits")):
        worth = Fraction(each["paid"]) * each["total"] / each["of"]
        reinstated[each["key"], each["currency"]] += worth
    of = itemgetter("key", "currency")
    rows = (
        _money_row(key, currency, alike, reinstated[key, currency])
        for (key, currency), alike in groupby(sums.iterator(CHUNK), of)
    )
    return (row for row in rows if not row.is_empty)


def _money_row(
    key: Any, currency: str, alike: Iterable[Mapping[str, Any]], reinstated: Fraction
) -> RollForward[Decimal]:
    """Add up the sums of grants that were sold for different prices."""
    worth: dict[str, Fraction] = defaultdict(Fraction)
    for sums in alike:
        price = Fraction(sums["paid"]) / sums["of"]
        for name in sums.keys() - {"key", "currency", "paid", "of"}:
            worth[name] += price * sums[name]
    in_cents = {name: to_cents(amount) for name, amount in worth.items()}
    return replace(_row(key, in_cents, to_cents(reinstated)), currency=currency)


def until_now(start: datetime, end: datetime) -> datetime:
    """Return the end of a period, or now if that is earlier.

    Raises:
        ValueError: the period begins after it ends, or in the future.
    """
    end = min(end, timezone.now())
    if start > end:
        raise ValueError("A period begins before it ends, and in the past.")
    return end


def _entries(end: datetime) -> QuerySet[LedgerEntry]:
    real = LedgerEntry.objects.filter(grant__code__is_test=False)
    return real.filter(created_at__lt=end).order_by()


def _reinstated(start: datetime, end: datetime) -> QuerySet[Reinstatement]:
    real = Reinstatement.objects.filter(grant__code__is_test=False)
    return real.filter(created_at__gte=start, created_at__lt=end)


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


def _sums(start: datetime, end: datetime) -> dict[str, Sum]:
    """Return what is summed up of all entries: at the start, and at the end."""
    return {
        f"{name}_{at}": each
        for at, moment in (("before", start), ("after", end))
        for name, each in _sums_before(moment).items()
    }


def _sums_before(moment: datetime) -> dict[str, Sum]:
    return {
        name: Sum("credits", filter=matching, default=0)
        for name, matching in _matching(moment).items()
    }


def _matching(moment: datetime) -> dict[str, Q]:
    """Return which entries count for what, of all that happened before a moment."""
    before = Q(created_at__lt=moment)
    adjustment = Q(grant__origin=Origin.ADJUSTMENT)
    granted = before & Q(kind=Kind.GRANT)
    # Held credits are spent when their order is placed; until then, and if they are
    # released, they are outstanding.
    captured = Q(kind=Kind.HOLD, redemption__order__date_placed__lt=moment)
    return {
        "granted": granted & ~adjustment,
        "redeemed": before & (Q(kind=Kind.REDEEM) | captured),
        "refunded": before & Q(kind=Kind.REFUND),
        "adjusted": before & Q(kind=Kind.ADJUST) | granted & adjustment,
        "lapsed": before & Q(kind=Kind.LAPSE),
        "moved": before & Q(kind=Kind.MOVE),
        # Closing a code takes expired credits from the books, which were gone before.
        "cleared": before & Q(kind=Kind.LAPSE) & had_expired(),
        "dead": before & _dead(moment),
    }


def had_expired() -> Q:
    """Match the entries of grants that had expired when these were written."""
    return Q(grant__expires_at__lte=F("created_at")) | Q(
        grant__source=None, grant__code__expires_at__lte=F("created_at")
    )


def _dead(moment: datetime) -> Q:
    """Match the entries of grants that had expired before a moment."""
    meanwhile = Reinstatement.objects.filter(
        expired_at__lt=moment, created_at__gte=moment
    )
    return (
        Q(grant__expires_at__lt=moment)
        # What is unused when a child code ends goes back, and is outstanding still.
        | Q(grant__source=None, grant__code__expires_at__lt=moment)
        | Q(grant__in=meanwhile.values("grant"))
    )


def _row(key: Any, sums: Mapping[str, Any], reinstated: N) -> RollForward[N]:
    moved = {
        name: sums[f"{name}_after"] - sums[f"{name}_before"]
        for name in (*MOVEMENTS, "cleared", "dead")
    }
    all_before = sum(sums[f"{name}_before"] for name in MOVEMENTS)
    return RollForward(
        key=key,
        opening=all_before - sums["dead_before"],
        granted=moved["granted"],
        redeemed=-moved["redeemed"],
        refunded=moved["refunded"],
        adjusted=moved["adjusted"],
        lapsed=moved["cleared"] - moved["lapsed"],
        expired=moved["dead"] - moved["cleared"] + reinstated,
        reinstated=reinstated,
        moved=moved["moved"],
    )
