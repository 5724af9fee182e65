"""Places: what an order line for several gives instead of access for its buyer.

Each place has a link, and becomes the access of the one learner who claims it. Lock
order: the places of a line by primary key, then learners.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from django.core.signing import BadSignature, Signer
from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from ...aliases import Order
from ...conf import settings
from ...exceptions import PlaceRefused
from ..isolation import own_transaction
from ..locking import for_update
from ..models import Access, DueAccess, Place
from . import granting, status
from .granting import Period
from .status import NO_ACCESS, AccessStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

SALT_BYTES = 12


class ClaimReason(Enum):
    """Why a place can't be claimed by somebody."""

    REVOKED = "revoked"
    """The buyer has made a new link, and this one works no longer."""
    REFUNDED = "refunded"
    CLAIMED = "claimed"
    EXPIRED = "expired"
    HAS_PLACE = "has_place"
    """They have claimed another place on the same order line."""
    HAS_ACCESS = "has_access"
    """They have access already, and would gain nothing."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a place would give to somebody now, or why it can't."""

    place: Place
    period: Period
    access_status: AccessStatus = NO_ACCESS
    reason: ClaimReason | None = None
    is_theirs: bool = False
    """They have claimed this very place."""


def make_places(bought: Iterable[DueAccess]) -> list[Place]:
    """Make the places of order lines, on the terms of their purchase."""
    return Place.objects.bulk_create(
        Place(
            order_line=due.order_line,
            training=due.training,
            number=number,
            salt=_new_salt(),
            access_days=due.access_days,
            starts_at=due.starts_at,
            ends_at=due.ends_at,
        )
        for due in bought
        for number in range(1, due.order_line.quantity + 1)
    )


@sensitive_variables()
def link_text(place: Place) -> str:
    """Return what the link of a place ends with: 96 random bits and a signature."""
    return _signer().sign(place.salt)


@sensitive_variables()
def salt_of(text: str) -> str | None:
    """Return the salt in a link that was made here, now or once; None for any other."""
    try:
        return _signer().unsign(text)
    except BadSignature:
        return None


def place_with(salt: str) -> Place | None:
    """Return the place whose link has this salt now; None once it was revoked."""
    found = Place.objects.filter(salt=salt)
    return found.select_related("training__product").first()


@sensitive_variables()
def find_place(text: str) -> Place | None:
    """Return the place that the text at the end of a link leads to, or None."""
    salt = salt_of(text)
    return place_with(salt) if salt else None


def places_of(order: Order) -> list[Place]:
    """Return all places that an order bought, line by line: one query.

    One that was claimed has its `access`; `is_free` says whether it can be.
    """
    rows = Place.objects.filter(order_line__order=order)
    rows = rows.select_related("order_line", "training__product", "access__learner")
    return list(rows.order_by("order_line", "number"))


def offer_to(learner: AbstractBaseUser | AnonymousUser, place: Place) -> Offer:
    """Return what `place` would give to `learner`, now."""
    if not learner.is_authenticated:
        return Offer(place, granting.period_of_place(place), reason=_reason_of(place))
    access_status = status.access_status(learner, place.training)
    theirs = Access.objects.filter(learner_id=learner.pk)
    if place.claimed_at and (mine := theirs.filter(place=place).first()):
        period = Period(mine.starts_at, mine.ends_at)
        reason = ClaimReason.REFUNDED if place.revoked_at else None
        return Offer(place, period, access_status, reason, is_theirs=True)
    period = granting.period_of_place(place, learner)
    reason = _reason_of(place) or _reason_for(theirs, place, access_status, period)
    return Offer(place, period, access_status, reason)


def gained_from(learner: AbstractBaseUser, places: Iterable[Place]) -> frozenset[int]:
    """Return which of these places would give `learner` something, by primary key.

    As `offer_to` says of each, but for all of them together.
    """
    places = list(places)
    known = status.grounds(learner, {place.training for place in places})
    return frozenset(
        place.pk
        for place in places
        if not _reason_of(place) and _gains(known.get(place.training_id, ()), place)
    )


@own_transaction()
def claim(place: Place, learner: AbstractBaseUser) -> Access:
    """Give the place, with the link that `place` had when it was read, to `learner`.

    Whoever claims it again is given the same access.

    Raises:
        PlaceRefused: with the reason; the place stays as it is.
    """
    now = lock(place)
    if now is None or now.salt != place.salt:
        raise PlaceRefused(ClaimReason.REVOKED)
    granting.lock_learners([learner.pk])
    offer = offer_to(learner, now)
    if offer.reason:
        raise PlaceRefused(offer.reason)
    if offer.is_theirs:
        return now.access
    now.claimed_at = timezone.now()
    now.save(update_fields=["claimed_at"])
    return granting.claim_access(learner, now, offer.period)


@own_transaction()
def renew_link(place: Place) -> bool:
    """Make the link worthless that `place` had when it was read, for a new one.

    Tells whether it did: a place that has been claimed, taken back or renewed
    meanwhile is left as it is.
    """
    now = lock(place)
    if now is None or not now.is_free or now.salt != place.salt:
        return False
    now.salt = _new_salt()
    now.save(update_fields=["salt"])
    return True


def lock(place: Place) -> Place | None:
    """Return a place as it is now, locked until the transaction ends."""
    return for_update(Place.objects.filter(pk=place.pk)).first()


def name(place: Place, meant_for: str) -> None:
    """Note for whom a place is, in its buyer's words; it binds nobody."""
    Place.objects.filter(pk=place.pk).update(meant_for=meant_for)


def to_take_back(places: Iterable[Place], *, keep: int) -> list[Place]:
    """Return which places go if only so many are kept, the first to go first.

    Free ones from the highest number down, then those claimed last.
    """
    kept = [place for place in places if not place.revoked_at]
    kept.sort(key=_keeping_order)
    return kept[: max(0, len(kept) - keep)]


def take_back(
    keep: Mapping[int, int], *, claimed_too: bool, at: datetime
) -> list[Place]:
    """Leave so many places to each order line, by its primary key; return the rest.

    Of those claimed, if `claimed_too`, the caller ends the access, in the same
    transaction: learners are locked after places, and all at once.
    """
    rows = Place.objects.kept().filter(order_line__in=list(keep)).order_by("pk")
    locked = list(for_update(rows))
    gone: list[Place] = []
    for line_id, number in keep.items():
        of_line = [place for place in locked if place.order_line_id == line_id]
        going = to_take_back(of_line, keep=number)
        gone += [place for place in going if claimed_too or place.is_free]
    Place.objects.filter(pk__in=[place.pk for place in gone]).update(revoked_at=at)
    return gone


def _keeping_order(place: Place) -> tuple[bool, float, int]:
    claimed = place.claimed_at.timestamp() if place.claimed_at else 0
    return place.claimed_at is not None, -claimed, -place.number


def _reason_of(place: Place) -> ClaimReason | None:
    if place.revoked_at:
        return ClaimReason.REFUNDED
    if place.claimed_at:
        return ClaimReason.CLAIMED
    if place.ends_at and place.ends_at <= timezone.now():
        return ClaimReason.EXPIRED
    return None


def _reason_for(
    theirs: Any, place: Place, access_status: AccessStatus, period: Period
) -> ClaimReason | None:
    others = theirs.filter(place__order_line=place.order_line_id)
    going_on = Q(ends_at=None) | Q(ends_at__gt=timezone.now())
    if others.filter(going_on).exists():
        return ClaimReason.HAS_PLACE
    if access_status.is_endless or period.is_empty:
        return ClaimReason.HAS_ACCESS
    return None


def _gains(rows: Iterable[Access], place: Place) -> bool:
    rows = list(rows)
    access_status = status.access_status_from(rows, at=timezone.now())
    return not (access_status.is_endless or granting.period_after(rows, place).is_empty)


def _new_salt() -> str:
    return secrets.token_urlsafe(SALT_BYTES)


def _signer() -> Signer:
    keys: list[Any] = list(settings.CODE_KEYS)
    salt = "oscar_training_credits.place"
    return Signer(key=keys[0], fallback_keys=keys[1:], sep=".", salt=salt)
