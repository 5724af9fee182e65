"""The balance of a code over time, and after a purchase."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery

from ..codes.checking import CodeBalance, balance_with
from ..models import CreditGrant, LedgerEntry, Redemption

Balance = tuple[datetime, int]
"""The credits that could be spent from a moment on."""
TAKEN = (LedgerEntry.Kind.HOLD, LedgerEntry.Kind.REDEEM)


def balances_over_time(
    grants: Iterable[CreditGrant], *, at: datetime, most: int
) -> list[Balance]:
    """Return the balance of a code after each of its `most` last movements.

    `grants` are all of one code. The first is the balance before these movements,
    at the first of them; the last is that of `at`. Credits are gone when their grant
    expires, as of today: what was extended meanwhile never was. Two queries.
    """
    grants = list(grants)
    keys = list(latest_entries(grants).values_list("pk", flat=True)[:most])
    rows = LedgerEntry.objects.filter(pk__in=keys).order_by("-pk")
    moves = list(rows.values_list("created_at", "grant_id", "credits"))
    left = {grant.pk: grant.remaining for grant in grants}
    for _moment, grant_id, credits in moves:
        left[grant_id] -= credits
    ended = [grant for grant in grants if grant.expires_at and grant.expires_at <= at]
    ends = {grant.pk: grant.expires_at for grant in ended if grant.expires_at}
    steps: dict[datetime, list[tuple[int, int]]] = defaultdict(list)
    for moment, grant_id, credits in moves:
        steps[moment].append((grant_id, credits))
    for moment in ends.values():
        steps.setdefault(moment, [])
    if not steps:
        return []
    return _walk(steps, left, ends, at=at)


def left_after(redemptions: Iterable[Redemption]) -> list[CodeBalance]:
    """Return what each redemption left on its code, with the ends of today.

    In the order of `redemptions`, which come with their codes. One query.
    """
    redemptions = list(redemptions)
    entries = LedgerEntry.objects.order_by("-pk")
    last = entries.filter(redemption=OuterRef("spent_by"), kind__in=TAKEN)
    before = entries.filter(grant=OuterRef("pk"), pk__lte=OuterRef("last"))
    grants = CreditGrant.objects.filter(
        code__redemptions__in=[each.pk for each in redemptions]
    ).annotate(
        spent_by=F("code__redemptions"),
        last=Subquery(last.values("pk")[:1]),
        left=Subquery(before.values("balance")[:1]),
    )
    found: dict[int, list[tuple[CreditGrant, int]]] = defaultdict(list)
    row: Any
    for row in grants.select_related("code"):
        found[row.spent_by].append((row, row.left or 0))
    return [
        balance_with(found[each.pk], each.code, each.created_at) for each in redemptions
    ]


def latest_entries(
    grants: Iterable[CreditGrant], *, before: int | None = None
) -> QuerySet[LedgerEntry]:
    """Return the movements on these grants, the latest first: ask for keys alone.

    An index has those together. The database must not walk along all movements, which
    it would if it were to sort them by the key itself.
    """
    entries = LedgerEntry.objects.filter(grant__in=list(grants))
    if before is not None:
        entries = entries.filter(pk__lt=before)
    return entries.order_by((F("pk") + 0).desc())


def _walk(
    steps: dict[datetime, list[tuple[int, int]]],
    left: dict[int, int],
    ends: dict[int, datetime],
    *,
    at: datetime,
) -> list[Balance]:
    def spendable(moment: datetime) -> int:
        return sum(
            credits
            for pk, credits in left.items()
            if pk not in ends or ends[pk] > moment
        )

    start = min(steps)
    balances = [(start, spendable(start))]
    for moment in sorted(steps):
        for grant_id, credits in steps[moment]:
            left[grant_id] += credits
        balances.append((moment, spendable(moment)))
    return [*balances, (max(at, balances[-1][0]), spendable(at))]
