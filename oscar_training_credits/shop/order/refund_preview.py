"""What giving credits of an order back would do, before it is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from ...conf import settings
from ...credits.access import places
from ...credits.ledger import refunding
from ...credits.ledger.refunding import Plan, RefundRefusal
from ...credits.ledger.stranding import stranding_of
from ...credits.models import CreditCode
from .refunds import stranding_text


@dataclass(frozen=True, slots=True)
class Destination:
    """Credits that would go back to one code."""

    code: CreditCode
    credits: int
    expires_at: datetime | None
    """When they expire again, if they had expired."""
    stranding: str = ""
    """Why nobody could spend them there, for staff."""


@dataclass(frozen=True, slots=True)
class LineToRefund:
    """What becomes of an order line of which so many units are given back."""

    line: Any
    quantity: int
    destinations: tuple[Destination, ...]
    access_ends: bool = False
    never_opens: bool = False
    """It waits for its payment, and will not open."""
    kept: str = ""
    """Why its credits are not given back."""
    places: int = 0
    """How many places are taken back."""
    claimed_places: int = 0
    """How many of them somebody has claimed, so that access ends."""

    @property
    def is_change(self) -> bool:
        """Something becomes of it, or its credits do not come back."""
        return bool(
            self.destinations
            or self.access_ends
            or self.never_opens
            or self.kept
            or self.places
        )


@dataclass(frozen=True, slots=True)
class RefundPreview:
    """What `refund_lines` would do now."""

    lines: tuple[LineToRefund, ...]
    """In the order given; none where anything is refused."""
    refusals: tuple[RefundRefusal, ...]
    credits: int
    """All credits that would go back."""


def preview_refund(lines: Iterable[tuple[Any, int]]) -> RefundPreview:
    """Return what `refund_lines` would do now with these lines; locks nothing.

    Raises:
        ValueError: a quantity is not positive, or the lines are of several orders.
    """
    chosen = list(lines)
    plan = refunding.plan_lines(chosen)
    if plan.refusals:
        return RefundPreview((), plan.refusals, credits=0)
    changes = tuple(line_to_refund(line, plan, quantity) for line, quantity in chosen)
    return RefundPreview(changes, (), plan.credits)


def line_to_refund(line: Any, plan: Plan, quantity: int) -> LineToRefund:
    """Return what becomes of a line of which so many units are given back.

    Of a line paid with money these are the units whose order is cancelled.
    """
    credits: dict[tuple[CreditCode, datetime | None], int] = {}
    for portion in plan.portions:
        if portion.order_line_id == line.pk:
            where = portion.line.redemption.code, portion.expires_at
            credits[where] = credits.get(where, 0) + portion.credits
    destinations = tuple(
        Destination(code, amount, expires_at, _stranding(code, plan))
        for (code, expires_at), amount in credits.items()
    )
    settled = getattr(line, "settled_line", None)
    left = settled.left if settled else line.quantity
    is_all = line.pk in plan.fully or settled is None
    ends = settings.REFUND_ENDS_ACCESS and is_all
    access = getattr(line, "training_access", None)
    is_running = access is not None and not access.has_ended(timezone.now())
    going = places.to_take_back(line.training_places.all(), keep=left - quantity)
    claimed = [place for place in going if place.claimed_at]
    if not settings.REFUND_ENDS_ACCESS:
        going, claimed = [place for place in going if place.is_free], []
    return LineToRefund(
        line,
        quantity,
        destinations,
        access_ends=ends and is_running,
        places=len(going),
        claimed_places=len(claimed),
    )


def _stranding(code: CreditCode, plan: Plan) -> str:
    back = [each for each in plan.portions if each.line.redemption.code_id == code.pk]
    reason = stranding_of(code, back=sum(portion.credits for portion in back))
    return stranding_text(reason)
