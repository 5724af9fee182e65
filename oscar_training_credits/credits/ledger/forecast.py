"""How long the credits of codes last, if they are spent as in the last months."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from django.db.models import Max, Min, Q, QuerySet, Sum
from django.utils import timezone

from ..codes.listing import key_in
from ..models import CreditCode, CreditGrant, Redemption, Refund

WINDOW = timedelta(days=90)
"""What was spent since then says how much is spent in a day."""
SHORTEST_WINDOW = timedelta(days=7)
"""A code that is younger is reckoned as if it were so old."""
FARTHEST = timedelta(days=36_500)
DAY = timedelta(days=1)
CHUNK = 1_000
PART = 20_000
"""How many keys of codes are looked through at once."""


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
    grants = CreditGrant.objects.filter(code__in=by_key, remaining__gt=0).order_by()
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


def ending_within(days: int, *, at: datetime) -> Iterator[tuple[CreditCode, Forecast]]:
    """Yield the active codes whose credits last no longer than so many days more.

    In the order of their keys. Those that can't end by then are not even read.
    """
    until = at + timedelta(days=days)
    for keys in _may_end_by(until, at=at):
        for start in range(0, len(keys), CHUNK):
            codes = CreditCode.objects.filter(pk__in=keys[start : start + CHUNK])
            chunk = list(codes.order_by("pk"))
            found = forecasts(chunk, at=at)
            for code in chunk:
                end = found[code.pk].lasts_until
                if found[code.pk].balance and end and end <= until:
                    yield code, found[code.pk]


def _may_end_by(until: datetime, *, at: datetime) -> Iterator[list[int]]:
    """Yield the keys of the codes that may end by then, for a part of them each time.

    A code whose credits end later ends by then only if so much is spent meanwhile.
    What was given back is left out of account: it would make the rate smaller.
    """
    keys = CreditCode.objects.aggregate(first=Min("pk"), last=Max("pk"))
    for first in range(keys["first"] or 1, (keys["last"] or 0) + 1, PART):
        yield _keys_in(range(first, first + PART), until, at)


def _keys_in(part: range, until: datetime, at: datetime) -> list[int]:
    of_part: dict[str, int] = {"code__gte": part.start, "code__lt": part.stop}
    lately = Redemption.objects.filter(
        state=Redemption.State.CAPTURED, created_at__gte=at - WINDOW, **of_part
    )
    left = CreditGrant.objects.filter(remaining__gt=0, **of_part)
    later = Q(expires_at=None) | Q(expires_at__gt=until)
    ending = left.filter(expires_at__gt=at, expires_at__lte=until)
    spent, lasting = _sums(lately, "credits"), _sums(left.filter(later), "remaining")

    def is_spent(pk: int, age: timedelta) -> bool:
        return spent.get(pk, 0) * (until - at) >= lasting.get(pk, 0) * age

    known = {*ending.values_list("code", flat=True), *spent}
    likely = [pk for pk in known if is_spent(pk, SHORTEST_WINDOW)]
    expiring = Q(expires_at__gt=at, expires_at__lte=until)
    codes = CreditCode.objects.filter(
        key_in("pk", likely) | expiring,
        pk__gte=part.start,
        pk__lt=part.stop,
        state=CreditCode.State.ACTIVE,
        is_test=False,
    )
    columns = codes.order_by("pk").values_list("pk", "created_at", "expires_at")
    return [
        pk
        for pk, created_at, end in columns
        if (end and end <= until) or is_spent(pk, _age(created_at, at))
    ]


def _sums(rows: QuerySet[Any], name: str) -> dict[int, int]:
    sums = rows.order_by().values_list("code").annotate(sum=Sum(name))
    return dict(sums)


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
        code__in=list(code_ids),
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
