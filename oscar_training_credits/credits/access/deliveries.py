"""News of access for the learning system that a site has: written, sent, sent again.

News is a row written with the change itself, so neither is there without the other.
It is tried when the change is committed, then by `deliver_due` until it has arrived.
Whoever tries it takes it for a while by one conditional UPDATE. No transaction is
open while another machine is asked, and news whose process died is free again later.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Max, OuterRef, QuerySet, Subquery
from django.utils import timezone

from ...conf import settings
from ...exceptions import DeliveryFailed
from ..locking import for_update
from ..models import Access, AccessChange, Delivery, TrainingProduct

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

LEASE = timedelta(minutes=5)
"""How long an enrolment backend may take before somebody else may try."""
FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=6)
FAILURES_IN_A_ROW = 5
"""After so many the learning system seems to be down: the rest can wait."""
LONGEST_ERROR = 500

Kind = AccessChange.Kind

logger = logging.getLogger("training_credits")


@dataclass(frozen=True, slots=True)
class AccessEvent:
    """What an enrolment backend is told."""

    key: str
    """The idempotency key: the same at every attempt, another for all other news."""
    kind: str
    """`given`, `changed` or `ended`."""
    access: Access
    """As it is now, which later news may have changed. Unsaved if it was deleted."""
    starts_at: datetime
    ends_at: datetime | None
    """The period that the news is about; an end of None is never."""
    is_account_deleted: bool = False
    """The learner is gone: known by primary key and e-mail address, and unsaved."""

    @property
    def learner(self) -> AbstractBaseUser:
        return self.access.learner

    @property
    def training(self) -> TrainingProduct:
        return self.access.training


class Result(Enum):
    """How an attempt went."""

    ARRIVED = "arrived"
    FAILED = "failed"
    LEFT = "left"
    """Not tried: it has arrived, is being tried, or waits for its time or turn."""


@dataclass(frozen=True, slots=True)
class Round:
    """How many deliveries arrived and failed."""

    arrived: int = 0
    failed: int = 0


def write_news(rows: Iterable[Access], kind: str) -> None:
    """Write news of access, and try it when the transaction is committed.

    Without a backend nothing is written. The caller changes the rows in the same
    transaction.
    """
    if settings.ENROLMENT_BACKEND:
        news = Delivery.objects.bulk_create(_news(access, kind) for access in rows)
        for delivery in news:
            _try_after_commit(delivery)


def write_deleted(access: Access) -> None:
    """Write that access ends with its row, which is about to be deleted.

    Its other news goes with it, so this one says all that the backend needs. Nothing
    is written where the enrolment backend knows that it has ended. Safe to repeat.
    """
    if not settings.ENROLMENT_BACKEND or _has_heard_of_end(access):
        return
    if Delivery.objects.filter(deleted__access=access.pk).exists():
        return
    now = timezone.now()
    _try_after_commit(
        Delivery.objects.create(
            key=uuid4().hex,
            kind=Kind.ENDED,
            deleted=_remains(access),
            deleted_training_id=access.training_id,
            starts_at=min(access.starts_at, now),
            ends_at=now if access.ends_at is None else min(access.ends_at, now),
            next_attempt_at=_end_of_attempts(access) or now,
        )
    )


def deliver_due(*, seconds: float | None = None) -> Round:
    """Send what is due, the oldest first, and return how it went.

    Access whose time ran out is news too, written here, once. Stops after `seconds`,
    or after five failures in a row; what is left stays due. Safe to run at any time
    and in several processes at once.
    """
    write_run_out()
    return _deliver(Delivery.objects.due(timezone.now()), seconds)


def try_again(pk: int) -> Result:
    """Try one delivery now, whatever its time. What is being tried is left alone."""
    _make_due(Delivery.objects.filter(pk=pk))
    return _attempt(pk)


def try_all_again(*, seconds: float, among: QuerySet[Delivery] | None = None) -> Round:
    """Make all that has not arrived due now, and send it for so many `seconds`.

    With `among` only those deliveries.
    """
    write_run_out()
    rows = Delivery.objects.all() if among is None else among
    _make_due(rows)
    due = Delivery.objects.due(timezone.now())
    if among is not None:
        due = due.filter(pk__in=among.order_by().values("pk"))
    return _deliver(due, seconds)


def write_run_out() -> int:
    """Write that access has ended where its time ran out; return for how many.

    Only of what the enrolment backend was told before. Safe to repeat.
    """
    last = Delivery.objects.filter(access=OuterRef("pk")).order_by("-pk")
    ended = Access.objects.filter(ends_at__lte=timezone.now())
    told = ended.annotate(last_news=Subquery(last.values("kind")[:1]))
    return _write_each(
        told.filter(last_news__in=[Kind.GIVEN, Kind.CHANGED]), Kind.ENDED
    )


def write_existing() -> int:
    """Write news of access that nobody told the backend of; return for how many.

    For the day on which a site gets its backend. What has ended is left out. Safe to
    repeat.
    """
    untold = Access.objects.unended(timezone.now()).filter(deliveries=None)
    return _write_each(untold, Kind.GIVEN)


def _news(access: Access, kind: str) -> Delivery:
    return Delivery(
        key=uuid4().hex,
        access=access,
        kind=kind,
        starts_at=access.starts_at,
        ends_at=access.ends_at,
    )


def _try_after_commit(delivery: Delivery) -> None:
    """Try news that was just written when the transaction is committed."""

    # Not a partial: Django asks for its name when it logs an error.
    def try_at_once() -> None:
        _try_at_once(delivery.pk)

    transaction.on_commit(try_at_once, robust=True)


def _has_heard_of_end(access: Access) -> bool:
    last = access.deliveries.order_by("-pk").first()
    if last is None:
        return access.has_ended(timezone.now())
    return last.kind == Kind.ENDED and last.delivered_at is not None


def _end_of_attempts(access: Access) -> datetime | None:
    """Return until when earlier news of `access` may be under way.

    What arrived after this news would open again what it has ended.
    """
    ends = access.deliveries.pending().aggregate(last=Max("taken_until"))
    last: datetime | None = ends["last"]
    return last if last and last > timezone.now() else None


def _remains(access: Access) -> dict[str, Any]:
    """Return what the enrolment backend needs to know of access that is gone."""
    learner = access.learner
    email = getattr(learner, learner.get_email_field_name(), "")
    # A text, as a site's primary keys may be of any kind.
    return {"access": access.pk, "learner": str(learner.pk), "email": email}


def _access_of(delivery: Delivery) -> Access:
    """Return the access that news is about; one that was deleted as it was, unsaved."""
    if delivery.access:
        return delivery.access
    remains, User = delivery.deleted or {}, get_user_model()
    learner = User(**{User.get_email_field_name(): remains["email"]})
    learner.pk = User._meta.pk.to_python(remains["learner"])
    return Access(
        pk=remains["access"],
        learner=learner,
        training=delivery.deleted_training,
        starts_at=delivery.starts_at,
        ends_at=delivery.ends_at,
    )


def _write_each(rows: QuerySet[Access], kind: str) -> int:
    pks = list(rows.order_by("pk").values_list("pk", flat=True))
    return sum(_write_one(rows, pk, kind) for pk in pks)


@transaction.atomic
def _write_one(rows: QuerySet[Access], pk: int, kind: str) -> bool:
    # Asked again under the lock: it may have been extended, or told, meanwhile.
    list(for_update(Access.objects.filter(pk=pk)).values_list("pk"))
    access = rows.filter(pk=pk).first()
    if access is not None:
        _news(access, kind).save()
    return access is not None


def _try_at_once(pk: int) -> None:
    # A learner should not wait for a system that let another one wait just now.
    just_failed = Delivery.objects.pending().filter(
        attempts=1, next_attempt_at__gt=timezone.now()
    )
    if not just_failed.exists():
        _attempt(pk)


def _deliver(due: QuerySet[Delivery], seconds: float | None) -> Round:
    until = monotonic() + seconds if seconds is not None else None
    arrived = failed = in_a_row = 0
    pks = list(due.order_by("pk").values_list("pk", flat=True))
    for pk in pks:
        if in_a_row == FAILURES_IN_A_ROW or (until and monotonic() > until):
            break
        result = _attempt(pk)
        arrived += result is Result.ARRIVED
        failed += result is Result.FAILED
        if result is not Result.LEFT:
            in_a_row = in_a_row + 1 if result is Result.FAILED else 0
    return Round(arrived, failed)


def _make_due(deliveries: QuerySet[Delivery]) -> None:
    now = timezone.now()
    deliveries.filter(delivered_at=None, next_attempt_at__gt=now).update(
        next_attempt_at=now
    )


def _attempt(pk: int) -> Result:
    news = Delivery.objects.select_related(
        "access__learner", "access__training__product", "deleted_training__product"
    )
    delivery = news.filter(pk=pk).first()
    if delivery is None or not _take(delivery):
        return Result.LEFT
    try:
        _send(delivery)
    except Exception as error:
        # Whatever it is, the purchase stands, and the news is tried again.
        logger.warning("Delivery %s failed", delivery.key, exc_info=True)
        _fail(delivery, error)
        return Result.FAILED
    Delivery.objects.filter(pk=pk, delivered_at=None).update(
        delivered_at=timezone.now(),
        taken_until=None,
        error="",
        deleted=None,
        deleted_training=None,
    )
    return Result.ARRIVED


def _take(delivery: Delivery) -> bool:
    """Take a delivery that is due and in its turn, unless somebody else just did."""
    if Delivery.objects.before(delivery).pending().exists():
        return False
    now = timezone.now()
    seen = Delivery.objects.due(now).filter(pk=delivery.pk, attempts=delivery.attempts)
    delivery.attempts += 1
    return bool(seen.update(taken_until=now + LEASE, attempts=delivery.attempts))


def _send(delivery: Delivery) -> None:
    enrolment_backend = settings.load("ENROLMENT_BACKEND")
    enrolment_backend(
        AccessEvent(
            key=delivery.key,
            kind=delivery.kind,
            access=_access_of(delivery),
            starts_at=delivery.starts_at,
            ends_at=delivery.ends_at,
            is_account_deleted=delivery.access is None,
        )
    )


def _fail(delivery: Delivery, error: Exception) -> None:
    delay = min(FIRST_DELAY * 2 ** min(delivery.attempts - 1, 20), LONGEST_DELAY)
    # Not if it took so long that somebody else has tried meanwhile.
    mine = Delivery.objects.pending().filter(pk=delivery.pk, attempts=delivery.attempts)
    mine.update(
        next_attempt_at=timezone.now() + delay,
        taken_until=None,
        error=_error_text(error),
    )


def _error_text(error: Exception) -> str:
    # Only what the backend says to staff: other errors quote addresses and tokens.
    said = str(error) if isinstance(error, DeliveryFailed) else ""
    return (said or type(error).__name__)[:LONGEST_ERROR]
