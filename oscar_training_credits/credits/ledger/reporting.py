"""What became of credits in a period: outstanding before, moved, outstanding after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from django.db.models import Case, CharField, F, Q, QuerySet, Sum, Value, When
from django.utils import timezone

from ..models import CreditGrant, LedgerEntry, Reinstatement

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
class RollForward:
    """What became of credits in a period, in whole credits.

    `opening`, and all that follows but for `adjusted` in its own sign, sum up to
    `closing`.
    """

    key: Any
    """Of what: the code's primary key, a holder, a reference, or an origin."""
    opening: int
    granted: int
    redeemed: int
    refunded: int
    adjusted: int
    """Positive when staff have added more than they took."""
    lapsed: int
    """What was left on codes that were closed."""
    expired: int
    """What expired unused."""
    reinstated: int
    """What had expired, and was made valid again by a later end."""

    @property
    def closing(self) -> int:
        added = self.granted + self.refunded + self.adjusted + self.reinstated
        return self.opening + added - self.redeemed - self.lapsed - self.expired

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
)


MOVEMENTS = ("granted", "redeemed", "refunded", "adjusted", "lapsed")


def roll_forward(*, start: datetime, end: datetime) -> RollForward:
    """Return what became of all credits from `start` on and before `end`.

    Two queries. A period that has not ended is reckoned until now.

    Raises:
        ValueError: it begins after it ends, or in the future.
    """
    end = until_now(start, end)
    sums = _entries(end).aggregate(**_sums(start, end))
    back = _reinstated(start, end).aggregate(credits=Sum("credits"))["credits"]
    return _row("", sums, back or 0)


def roll_forward_by(
    grouping: Grouping, *, start: datetime, end: datetime
) -> Iterator[RollForward]:
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
    return LedgerEntry.objects.filter(created_at__lt=end).order_by()


def _reinstated(start: datetime, end: datetime) -> QuerySet[Reinstatement]:
    return Reinstatement.objects.filter(created_at__gte=start, created_at__lt=end)


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
        f"{name}_{at}": Sum("credits", filter=matching, default=0)
        for at, moment in (("before", start), ("after", end))
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
    had_expired = Q(grant__expires_at__lte=F("created_at")) | Q(
        grant__code__expires_at__lte=F("created_at")
    )
    return {
        "granted": granted & ~adjustment,
        "redeemed": before & (Q(kind=Kind.REDEEM) | captured),
        "refunded": before & Q(kind=Kind.REFUND),
        "adjusted": before & Q(kind=Kind.ADJUST) | granted & adjustment,
        "lapsed": before & Q(kind=Kind.LAPSE),
        # Closing a code takes expired credits from the books, which were gone before.
        "cleared": before & Q(kind=Kind.LAPSE) & had_expired,
        "dead": before & _dead(moment),
    }


def _dead(moment: datetime) -> Q:
    """Match the entries of grants that had expired before a moment."""
    meanwhile = Reinstatement.objects.filter(
        expired_at__lt=moment, created_at__gte=moment
    )
    return (
        Q(grant__expires_at__lt=moment)
        | Q(grant__code__expires_at__lt=moment)
        | Q(grant__in=meanwhile.values("grant"))
    )


def _row(key: Any, sums: Mapping[str, Any], reinstated: int) -> RollForward:
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
    )
