"""The balance of a code over time, and after a purchase."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import F, OuterRef, Subquery

from ..codes.checking import CodeBalance, balance_with
from ..codes.listing import key_in
from ..models import CreditGrant, LedgerEntry, Redemption

Balance = tuple[datetime, int]
"""The credits that could be spent from a moment on."""
MOST_APART = 10
"""The movements of so many grants are looked up one grant after the other."""
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
    keys = latest_entries(grants, most=most)
    rows = LedgerEntry.objects.filter(key_in("pk", keys)).order_by("-pk")
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
    grants: Iterable[CreditGrant], *, most: int, before: int | None = None
) -> list[int]:
    """Return the keys of the `most` latest movements on these grants, latest first.

    An index has those of each grant in order. The database must not walk along all
    movements, which it would if it were to sort those of several grants by the key.
    """
    grants = list(grants)
    entries = LedgerEntry.objects.all()
    if before is not None:
        entries = entries.filter(pk__lt=before)
    if len(grants) > MOST_APART or not _sorts_parts():
        of_all = entries.filter(grant__in=grants).order_by((F("pk") + 0).desc())
        return list(of_all.values_list("pk", flat=True)[:most])
    newest = entries.order_by("-pk").values_list("pk", flat=True)
    parts = [newest.filter(grant=grant)[:most] for grant in grants]
    if len(parts) < 2:
        return [key for part in parts for key in part]
    first, *others = parts
    return list(first.union(*others, all=True).order_by("-pk")[:most])


def _sorts_parts() -> bool:
    features: Any = connections[DEFAULT_DB_ALIAS].features
    return bool(features.supports_slicing_ordering_in_compound)


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
