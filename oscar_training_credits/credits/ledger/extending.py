"""A longer life for a code, for the credits on it, and for what they have opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from django.db.models import Q, prefetch_related_objects
from django.utils.translation import gettext as _

from ...exceptions import IdempotencyKeyReused, WiderThanParent
from ..access import granting
from ..access.granting import period_from
from ..codes import history
from ..codes.ends import end_of, latest_end, reinstating
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


class ExtensionObstacle(Enum):
    """Why a code can't be extended."""

    CLOSED = "closed"
    LASTS_LONGER = "lasts_longer"
    OUTLIVES_PARENT = "outlives_parent"
    """The credits of a child code end with those of its parent."""
    NOTHING_TO_DO = "nothing_to_do"
    """It has no end, or this one, and no credits that end before."""


@dataclass(frozen=True, slots=True)
class Extension:
    """What becomes of a code that is to be extended along with others."""

    code: CreditCode
    obstacle: ExtensionObstacle | None = None
    """None if it is extended."""


def plan_extension(
    codes: Iterable[CreditCode], *, until: datetime, with_credits: bool = False
) -> list[Extension]:
    """Return what `extend_codes` would do with each code now; locks nothing."""
    codes = list(codes)
    prefetch_related_objects(codes, "grants")
    return [_extension(code, until, with_credits) for code in codes]


@own_transaction()
def extend_codes(
    codes: Sequence[CreditCode],
    *,
    until: datetime,
    with_credits: bool = False,
    with_access: bool = False,
    **record: Unpack[Record],
) -> list[Extension]:
    """Extend codes by `extend_code`, each that can be: all of them, or none.

    The access of a code is left as it is where none ends with the code. Done once per
    `idempotency_key`, of 40 characters at most: again, it extends nothing that it has
    extended before, and returns it as extended.

    Raises:
        IdempotencyKeyReused: the key stands for another end.
        ValueError: it is more than a hundred years from now.
    """
    refuse_far_away(until)
    key = record.get("idempotency_key")
    # All of them first: extending one may lock learners, who come after codes.
    locked = lock_codes([code.pk for code in codes])
    done = []
    for code in locked:
        own: Record = {**record, "idempotency_key": key and f"{key}:{code.pk}"}
        found = _extension(code, until, with_credits)
        if _extended_before(code, until, own):
            found = Extension(code)
        elif found.obstacle is None:
            extend_code(
                code,
                until=until,
                with_credits=with_credits,
                with_access=with_access and code.ends_access,
                **own,
            )
        done.append(found)
    return done


def _extension(code: CreditCode, until: datetime, with_credits: bool) -> Extension:
    if code.state == CreditCode.State.CLOSED:
        return Extension(code, ExtensionObstacle.CLOSED)
    if code.expires_at and code.expires_at > until:
        return Extension(code, ExtensionObstacle.LASTS_LONGER)
    if _outlives_parent(code, until):
        return Extension(code, ExtensionObstacle.OUTLIVES_PARENT)
    ends_sooner = bool(code.expires_at and code.expires_at < until)
    if ends_sooner or (with_credits and _ending_sooner(code, until)):
        return Extension(code)
    return Extension(code, ExtensionObstacle.NOTHING_TO_DO)


def _extended_before(
    code: CreditCode, until: datetime, record: Record
) -> CodeChange | None:
    """Return the change that extended a code for the same key, if any.

    Raises:
        IdempotencyKeyReused: that was to another end.
    """
    earlier = history.done_before(CodeChange.Kind.EXTENDED, record, code=code)
    if earlier is None:
        return None
    ends = [after for _name, _before, after in earlier.details]
    if until.isoformat() not in ends:
        raise IdempotencyKeyReused(earlier.idempotency_key)
    return earlier


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
    terms of today allow. Returns what was done, or None where nothing had to be. Done
    once per `idempotency_key`: again, it returns what was done.

    Raises:
        CodeClosed: the code is closed.
        IdempotencyKeyReused: the key stands for another code or end.
        WiderThanParent: a child code would outlive the credits of its parent.
        ValueError: it would end sooner, or more than a hundred years from now.
    """
    refuse_far_away(until)
    (locked,) = lock_codes([code.pk])
    if earlier := _extended_before(locked, until, record):
        return earlier
    history.refuse_closed(locked)
    former = locked.expires_at
    if former and until < former:
        raise ValueError("A code can't be extended to an earlier end.")
    if _outlives_parent(locked, until):
        raise WiderThanParent("expires_at")
    details = []
    with reinstating(locked):
        if former and until > former:
            locked.expires_at = code.expires_at = until
            locked.save(update_fields=["expires_at"])
            details.append(("expires_at", former.isoformat(), until.isoformat()))
        grants = _ending_sooner(locked, until) if with_credits else []
        for grant in grants:
            before = grant.expires_at.isoformat() if grant.expires_at else ""
            grant.expires_at = _own_end(grant, until)
            details.append(("grant", before, grant.expires_at.isoformat()))
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
        if grant.remaining
        and grant.expires_at
        and grant.expires_at < _own_end(grant, until)
    ]


def _own_end(grant: CreditGrant, until: datetime) -> datetime:
    """Return until when a grant may last: a moved part no longer than its source."""
    last = end_of(grant.source) if grant.source else None
    return min(filter(None, (until, last)))


def _outlives_parent(code: CreditCode, until: datetime) -> bool:
    last = latest_end(code) if code.parent_id else None
    return bool(last and until > last)


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
