"""Credits that lie on a code from which nobody can spend them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from django.db.models import Sum
from django.utils import timezone

from ..codes.rules import is_for_nobody
from ..codes.rules.limits import redemptions_of
from ..models import CreditCode


class Stranding(Enum):
    """Why nobody can spend what lies on a code, or goes back to it."""

    DISABLED = "disabled"
    CLOSED = "closed"
    FOR_NOBODY = "for_nobody"
    """All those whom the code was for have been deleted."""
    ONE_ORDER = "one_order"


def stranding_of(
    code: CreditCode, *, back: int = 0, at: datetime | None = None
) -> Stranding | None:
    """Return why nobody could spend credits of `code` once `back` more went back to it.

    A code for one order is free again when all that the order took has gone back.
    """
    if code.state == CreditCode.State.DISABLED:
        return Stranding.DISABLED
    if code.state == CreditCode.State.CLOSED:
        return _stranding_of_parent(code)
    if is_for_nobody(code):
        return Stranding.FOR_NOBODY
    if code.one_order_only and _kept(code, at or timezone.now()) > back:
        return Stranding.ONE_ORDER
    return None


def _stranding_of_parent(code: CreditCode) -> Stranding | None:
    """Return why a closed code strands credits: what a child gets back goes on."""
    parent = code.parent
    if parent is None or parent.state == CreditCode.State.CLOSED:
        return Stranding.CLOSED
    return stranding_of(parent)


def _kept(code: CreditCode, at: datetime) -> int:
    return redemptions_of(code, at).aggregate(total=Sum("kept"))["total"] or 0
