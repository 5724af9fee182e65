"""Codes of which little is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Max, Q, QuerySet, Sum
from django.utils import timezone

from ...conf import settings
from ..models import CodeManager, CreditCode, CreditGrant

OWN_CREDITS, OWN_PERCENT = "code__notices__low_credits", "code__notices__low_percent"


@dataclass(frozen=True, slots=True)
class LowBalance:
    """What is left on one code."""

    code: CreditCode
    credits: int
    latest_grant: int
    """The primary key of the grant that came last: another one is another story."""
    chosen: tuple[int | None, ...] = ()
    """The threshold of this code, in credits and in percent, if it has its own."""


def low_of_managed() -> Iterator[LowBalance]:
    """Return the active codes with a manager of which little is left; no test codes."""
    managed = CodeManager.objects.filter(user__isnull=False).values("code")
    codes = CreditCode.objects.filter(
        pk__in=managed, is_test=False, state=CreditCode.State.ACTIVE
    )
    rows = list(_low(Q(code__in=codes)))
    found = CreditCode.objects.in_bulk([row["code"] for row in rows])
    for row in rows:
        yield _low_balance(found[row["code"]], row)


def low_of(code: CreditCode) -> LowBalance | None:
    """Return what is left on a code if that is little, else None."""
    row = _low(Q(code=code)).first()
    return _low_balance(code, row) if row else None


def _low_balance(code: CreditCode, row: dict[str, Any]) -> LowBalance:
    own = (row[OWN_CREDITS], row[OWN_PERCENT])
    return LowBalance(code, row["left"], row["latest"], own if any(own) else ())


def _low(grants: Q) -> QuerySet[CreditGrant, Any]:
    now = timezone.now()
    usable = CreditGrant.objects.unexpired(now).filter(
        grants, Q(code__expires_at=None) | Q(code__expires_at__gt=now)
    )
    sums = usable.order_by().values("code", OWN_CREDITS, OWN_PERCENT)
    sums = sums.annotate(left=Sum("remaining"), all=Sum("credits"), latest=Max("pk"))
    parts = sums.annotate(left_parts=F("left") * 100)
    default = settings.LOW_BALANCE_PERCENT
    few = (
        Q(left__lte=F(OWN_CREDITS))
        | Q(left_parts__lte=F("all") * F(OWN_PERCENT))
        | Q(
            **{OWN_CREDITS: None, OWN_PERCENT: None},
            left_parts__lte=F("all") * default,
        )
    )
    low: QuerySet[CreditGrant, Any] = parts.filter(few, left__lt=F("all"))
    return low.order_by("code")
