"""Credits that end soon: they expire, or their code does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from ..models import CodeManager, CreditCode, CreditGrant

DAYS_BEFORE = (7, 30, 60)
"""How many days before the end a notice is due, each once."""


@dataclass(frozen=True, slots=True)
class Expiring:
    """Credits of one code that end at one moment."""

    code: CreditCode
    ends_at: datetime
    credits: int

    def days_before(self, at: datetime) -> int:
        """Return which of the notices is due; one that was missed is not made up."""
        return next(
            days for days in DAYS_BEFORE if self.ends_at - at <= timedelta(days=days)
        )


def expiring_of_managed() -> Iterator[Expiring]:
    """Return what ends within 60 days on active codes with a manager, test codes not.

    Code by code, the soonest first.
    """
    managed = CodeManager.objects.filter(user__isnull=False).values("code")
    codes = CreditCode.objects.filter(
        pk__in=managed, is_test=False, state=CreditCode.State.ACTIVE
    )
    ends = _ending(CreditGrant.objects.filter(code__in=codes))
    for pk in ends.order_by("code").values_list("code", flat=True).distinct():
        yield from expiring_of(CreditCode.objects.get(pk=pk))


def expiring_of(code: CreditCode) -> list[Expiring]:
    """Return what ends on a code within 60 days, the soonest first."""
    credits: Counter[datetime] = Counter()
    for grant in _ending(code.grants.all()):
        ends = [each for each in (grant.expires_at, code.expires_at) if each]
        credits[min(ends)] += grant.remaining
    return [Expiring(code, end, credits[end]) for end in sorted(credits)]


def _ending(grants: QuerySet[CreditGrant]) -> QuerySet[CreditGrant]:
    now = timezone.now()
    soon = now, now + timedelta(days=max(DAYS_BEFORE))
    rows = grants.filter(remaining__gt=0).filter(
        Q(expires_at__range=soon) | Q(code__expires_at__range=soon)
    )
    # Neither is over.
    return rows.filter(
        Q(expires_at=None) | Q(expires_at__gt=now),
        Q(code__expires_at=None) | Q(code__expires_at__gt=now),
    )
