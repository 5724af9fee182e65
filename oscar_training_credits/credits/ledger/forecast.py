"""How long the credits of codes last, if they are spent as in the last months."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import islice
from typing import Any

from django.db.models import Case, F, QuerySet, Sum, When
from django.db.models.lookups import GreaterThanOrEqual
from django.utils import timezone

from ..codes.listing import key_in
from ..models import CreditCode, CreditGrant, Redemption, Refund

WINDOW = timedelta(days=90)
"""What was spent since then says how much is spent in a day."""
SHORTEST_WINDOW = timedelta(days=7)
"""A code that is younger is reckoned as if it were so old."""
FARTHEST = timedelta(days=36_500)
DAY = timedelta(days=1)
AGES = [timedelta(days=days) for days in (90, 60, 30, 14)]
"""Younger codes are taken for as old as the next of these when they are looked for."""
SOON = (3, 30)
"""So many days are looked ahead at first for those that end soonest."""
CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Portion:
    """Credits that end together; None if they do not end."""

    credits: int
    ends_at: datetime | None
    goes_back: bool = False
    """To the parent of a child code, when that ends."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What becomes of a code's credits if they are spent at the present rate."""

    balance: int
    per_day: Fraction
    lasts_until: datetime | None
    """When the last one is spent or has expired; None if not in a hundred years."""
    unused: int
    """How many will expire unspent, in whole credits, rounded up."""


def forecasts(
    codes: Iterable[CreditCode], *, at: datetime | None = None
) -> dict[int, Forecast]:
    """Return the outlook of each code, by its primary key. Two queries.

    The rate is what was redeemed in the 90 days before and not given back, by day; for
    a younger code, in its life, but at least in a week. Credits that are held count as
    neither left nor redeemed.
    """
    at = at or timezone.now()
    by_key = {code.pk: code for code in codes}
    left: dict[int, list[Portion]] = defaultdict(list)
    mine = key_in("code", list(by_key))
    grants = CreditGrant.objects.filter(mine, remaining__gt=0).order_by()
    columns = ("code", "remaining", "expires_at", "source")
    for code_id, credits, end, source in grants.values_list(*columns):
        own = by_key[code_id].expires_at
        ends = [each for each in (end, own) if each]
        goes_back = bool(source and own and (end is None or own < end))
        portion = Portion(credits, min(ends, default=None), goes_back)
        if portion.ends_at is None or portion.ends_at > at:
            left[code_id].append(portion)
    spent = _spent(by_key, since=at - WINDOW)
    return {
        pk: outlook(
            left[pk], per_day=Fraction(spent.get(pk, 0)) / _days(code, at), at=at
        )
        for pk, code in by_key.items()
    }


def first_to_end(
    most: int, *, within: int, at: datetime
) -> list[tuple[CreditCode, Forecast]]:
    """Return the active codes whose credits end soonest, within so many days.

    Where many end soon, those that end later are not even read.
    """
    found: list[tuple[CreditCode, Forecast]] = []
    for days in (*(each for each in SOON if each < within), within):
        found = heapq.nsmallest(most, ending_within(days, at=at), key=_end)
        if len(found) == most:
            break
    return found


def _end(pair: tuple[CreditCode, Forecast]) -> Any:
    return pair[1].lasts_until


def ending_within(days: int, *, at: datetime) -> Iterator[tuple[CreditCode, Forecast]]:
    """Yield the active codes whose credits last no longer than so many days more.

    In the order of their keys. Those that can't end by then are not even read.
    """
    until = at + timedelta(days=days)
    # Not by a cursor, for which PostgreSQL would not share the work among its cores.
    keys = iter(_may_end_by(until, at=at))
    while some := list(islice(keys, CHUNK)):
        chunk = list(CreditCode.objects.filter(key_in("pk", some)).order_by("pk"))
        found = forecasts(chunk, at=at)
        for code in chunk:
            end = found[code.pk].lasts_until
            if found[code.pk].balance and end and end <= until:
                yield code, found[code.pk]


def _may_end_by(until: datetime, *, at: datetime) -> QuerySet[Any, int]:
    """Return the keys of the codes that may end by then, in their order. One query."""
    left = CreditGrant.objects.unexpired(at).filter(
        remaining__gt=0, code__state=CreditCode.State.ACTIVE, code__is_test=False
    )
    soon = (at, until)
    keys = [
        grants.order_by().values_list("code", flat=True)
        for grants in (
            # Apart, as an index finds each of them.
            left.filter(expires_at__range=soon),
            left.filter(code__expires_at__range=soon),
            _spent_by(until, at, left),
        )
    ]
    found: QuerySet[Any, int] = keys[0].union(*keys[1:]).order_by("code")
    return found


def _spent_by(
    until: datetime, at: datetime, left: QuerySet[CreditGrant]
) -> QuerySet[Any, Any]:
    """Narrow grants to those that would be spent by then if there were no others.

    What was given back is left out of account: it would make the rate smaller.
    """
    lately = left.filter(
        code__redemptions__state=Redemption.State.CAPTURED,
        code__redemptions__created_at__gte=at - WINDOW,
    )
    created_at = "code__created_at"
    sums = lately.values("code", "pk", "remaining", created_at).annotate(
        spent=Sum("code__redemptions__credits")
    )
    age = Case(
        *(When(**{f"{created_at}__lte": at - each}, then=each.days) for each in AGES),
        default=SHORTEST_WINDOW.days,
    )
    until_then = F("spent") * (until - at).days / age
    found: QuerySet[Any, Any] = sums.filter(
        GreaterThanOrEqual(until_then, F("remaining"))
    )
    return found


def outlook(
    portions: Iterable[Portion], *, per_day: Fraction, at: datetime
) -> Forecast:
    """Return what becomes of credits of which so many are spent in a day from `at` on.

    What ends first is spent first, as it is when a learner buys.
    """
    in_order = sorted(portions, key=lambda each: (each.ends_at is None, each.ends_at))
    whole = Forecast(sum(each.credits for each in in_order), per_day, at, 0)
    elapsed, unused = Fraction(0), 0
    for portion in in_order:
        ends = None if portion.ends_at is None else (portion.ends_at - at) / DAY
        needed = portion.credits / per_day if per_day else None
        if needed is not None and (ends is None or elapsed + needed <= ends):
            elapsed += needed
        elif ends is None:
            return replace(whole, lasts_until=None, unused=unused)
        else:
            days = max(Fraction(ends) - elapsed, Fraction(0))
            left = portion.credits - int(per_day * days)
            unused += 0 if portion.goes_back else left
            elapsed += days
    if elapsed > FARTHEST / DAY:
        return replace(whole, lasts_until=None, unused=unused)
    return replace(whole, lasts_until=at + float(elapsed) * DAY, unused=unused)


def _spent(code_ids: Iterable[int], *, since: datetime) -> dict[int, int]:
    lately = Redemption.objects.filter(
        key_in("code", list(code_ids)),
        state=Redemption.State.CAPTURED,
        created_at__gte=since,
    )
    taken = lately.order_by().values_list("code").annotate(sum=Sum("credits"))
    refunds = Refund.objects.filter(redemption__in=lately).order_by()
    given_back = refunds.values_list("redemption__code").annotate(sum=-Sum("credits"))
    spent: dict[int, int] = defaultdict(int)
    # Not by the lines, which a database would read of all orders.
    for code_id, credits in taken.union(given_back, all=True):
        spent[code_id] += credits
    return spent


def _days(code: CreditCode, at: datetime) -> Fraction:
    return Fraction(_age(code.created_at, at) / DAY)


def _age(created_at: datetime, at: datetime) -> timedelta:
    return min(max(at - created_at, SHORTEST_WINDOW), WINDOW)
