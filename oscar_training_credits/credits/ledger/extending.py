"""A longer life for a code, for the credits on it, and for what they have opened."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils.translation import gettext as _

from ..access import granting
from ..access.granting import period_from
from ..codes import history
from ..codes.ends import reinstating
from ..isolation import own_transaction
from ..models import (
    Access,
    CodeChange,
    CreditCode,
    CreditGrant,
    DueAccess,
    Place,
    RedemptionLine,
)
from ..terms import refuse_far_away
from .redemption import lock_codes

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..codes.history import Record


@own_transaction()
def extend_code(
    code: CreditCode,
    *,
    until: datetime,
    with_credits: bool = False,
    with_access: bool = False,
    **record: Unpack[Record],
) -> CodeChange | None:
    """Let a code end later, at `until`; one without an end keeps none.

    `with_credits`: credits left on it that end before, or have ended, end then, too.
    `with_access`: so does what was bought with it and ended with it, as far as its own
    terms of today allow. Returns what was done, or None where nothing had to be.

    Raises:
        CodeClosed: the code is closed.
        ValueError: it would end sooner, or more than a hundred years from now.
    """
    refuse_far_away(until)
    (locked,) = lock_codes([code.pk])
    history.refuse_closed(locked)
    former = locked.expires_at
    if former and until < former:
        raise ValueError("A code can't be extended to an earlier end.")
    details = []
    with reinstating(locked):
        if former and until > former:
            locked.expires_at = code.expires_at = until
            locked.save(update_fields=["expires_at"])
            details.append(("expires_at", former.isoformat(), until.isoformat()))
        grants = _ending_sooner(locked, until) if with_credits else []
        for grant in grants:
            before = grant.expires_at.isoformat() if grant.expires_at else ""
            details.append(("grant", before, until.isoformat()))
            grant.expires_at = until
            grant.save(update_fields=["expires_at"])
    moved = 0
    if with_access and former:
        moved = _extend_access(locked, former, until, by=record.get("by"))
    if moved:
        details.append(("access", "", str(moved)))
    if not details:
        return None
    return history.keep(code, CodeChange.Kind.EXTENDED, record, details=details)


def tied_access(code: CreditCode) -> int:
    """Return how many things bought with a code end with it: access and places."""
    if not code.expires_at:
        return 0
    return sum(rows.count() for rows in _tied(code, code.expires_at))


def _ending_sooner(code: CreditCode, until: datetime) -> list[CreditGrant]:
    return [
        grant
        for grant in code.grants.all()
        if grant.remaining and grant.expires_at and grant.expires_at < until
    ]


def _tied(code: CreditCode, end: datetime) -> tuple[Any, Any, Any]:
    paid = RedemptionLine.objects.filter(
        redemption__code=code, settled_line__isnull=False
    )
    lines = paid.values("settled_line__order_line")
    return (
        Access.objects.filter(
            Q(order_line__in=lines) | Q(place__order_line__in=lines), ends_at=end
        ),
        Place.objects.kept().filter(order_line__in=lines, ends_at=end),
        DueAccess.objects.filter(order_line__in=lines, ends_at=end),
    )


def _extend_access(
    code: CreditCode, former: datetime, until: datetime, *, by: Any
) -> int:
    """Let end later what ended with the code; return how much that was."""
    access, places, due = _tied(code, former)
    moved = 0
    for waiting in (
        *due.select_related("training"),
        *places.select_related("training"),
    ):
        ends_at = min(filter(None, (waiting.training.closes_at, until)))
        if ends_at > former:
            waiting.ends_at = ends_at
            waiting.save(update_fields=["ends_at"])
            moved += 1
    reason = _("The code that it was bought with was extended.")
    # One learner after the other, in the order in which everybody locks them.
    for given in access.select_related("training", "place").order_by("learner", "pk"):
        # A place has its own terms, of the day of its purchase.
        days = (given.place or given.training).access_days
        ends = (given.training.closes_at, until)
        period = period_from(given.starts_at, days=days, ends=ends)
        if period.ends_at and period.ends_at > former:
            granting.extend_access(given, until=period.ends_at, reason=reason, by=by)
            moved += 1
    return moved
