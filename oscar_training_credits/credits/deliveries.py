"""News of access for the learning system that a site has: written, sent, sent again.

News is a row written with the change itself, so neither is there without the other.
It is tried when the change is committed, then by `deliver_due` until it has arrived.
Whoever tries it takes it for a while by one conditional UPDATE. No transaction is
open while another machine is asked, and news whose process died is free again later.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from ..conf import settings
from ..exceptions import DeliveryFailed
from .models import Access, AccessChange, Delivery, TrainingProduct

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

LEASE = timedelta(minutes=5)
"""How long a granter may take before somebody else may try."""
FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=6)
FAILURES_IN_A_ROW = 5
"""After so many the learning system seems to be down: the rest can wait."""
LONGEST_ERROR = 500

Kind = AccessChange.Kind

logger = logging.getLogger("training_credits")


@dataclass(frozen=True, slots=True)
class AccessNews:
    """What a granter is told."""

    key: str
    """The idempotency key: the same at every attempt, another for all other news."""
    kind: str
    """`given`, `changed` or `ended`."""
    access: Access
    """As it is now, which later news may have changed."""
    starts_at: datetime
    ends_at: datetime | None
    """The period that the news is about; an end of None is never."""

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


def write_news(access: Access, kind: str) -> None:
    """Write news of `access`, and try it when the transaction is committed.

    Without a granter nothing is written. The caller changes `access` in the same
    transaction.
    """
    if settings.ACCESS_GRANTER:
        pk = _write(access, kind).pk

        # Not a partial: Django asks for its name when it logs an error.
        def try_at_once() -> None:
            _try_at_once(pk)

        transaction.on_commit(try_at_once, robust=True)


def deliver_due(*, seconds: float | None = None) -> Round:
    """Send what is due, the oldest first, and return how it went.

    Access whose time ran out is news too, written here, once. Stops after `seconds`,
    or after five failures in a row; what is left stays due. Safe to run at any time
    and in several processes at once.
    """
    write_run_out()
    until = monotonic() + seconds if seconds is not None else None
    return _deliver(Delivery.objects.due(timezone.now()), until)


def try_again(pk: int) -> Result:
    """Try one delivery now, whatever its time. What is being tried is left alone."""
    _make_due(Delivery.objects.filter(pk=pk))
    return _attempt(pk)


def try_all_again(*, seconds: float) -> Round:
    """Make all that has not arrived due now, and send it for so many `seconds`."""
    _make_due(Delivery.objects.all())
    return deliver_due(seconds=seconds)


def write_run_out() -> int:
    """Write that access has ended where its time ran out; return for how many.

    Only of what the granter was told before. Safe to repeat.
    """
    last = Delivery.objects.filter(access=OuterRef("pk")).order_by("-pk")
    ended = Access.objects.filter(ends_at__lte=timezone.now())
    told = ended.annotate(last_news=Subquery(last.values("kind")[:1]))
    return _write_each(
        told.filter(last_news__in=[Kind.GIVEN, Kind.CHANGED]), Kind.ENDED
    )


def write_existing() -> int:
    """Write news of access that nobody told the granter of; return for how many.

    For the day on which a site gets its granter. What has ended is left out. Safe to
    repeat.
    """
    untold = Access.objects.unended(timezone.now()).filter(deliveries=None)
    return _write_each(untold, Kind.GIVEN)


def _write(access: Access, kind: str) -> Delivery:
    return Delivery.objects.create(
        key=uuid4().hex,
        access=access,
        kind=kind,
        starts_at=access.starts_at,
        ends_at=access.ends_at,
    )


def _write_each(rows: QuerySet[Access], kind: str) -> int:
    pks = list(rows.order_by("pk").values_list("pk", flat=True))
    return sum(_write_one(rows, pk, kind) for pk in pks)


@transaction.atomic
def _write_one(rows: QuerySet[Access], pk: int, kind: str) -> bool:
    # Asked again under the lock: it may have been extended, or told, meanwhile.
    list(Access.objects.filter(pk=pk).select_for_update().values_list("pk"))
    access = rows.filter(pk=pk).first()
    if access is not None:
        _write(access, kind)
    return access is not None


def _try_at_once(pk: int) -> None:
    # A learner should not wait for a system that let another one wait just now.
    just_failed = Delivery.objects.pending().filter(
        attempts=1, next_attempt_at__gt=timezone.now()
    )
    if not just_failed.exists():
        _attempt(pk)


def _deliver(due: QuerySet[Delivery], until: float | None) -> Round:
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
        "access__learner", "access__training__product"
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
        delivered_at=timezone.now(), taken_until=None, error=""
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
    granter = settings.load("ACCESS_GRANTER")
    granter(
        AccessNews(
            key=delivery.key,
            kind=delivery.kind,
            access=delivery.access,
            starts_at=delivery.starts_at,
            ends_at=delivery.ends_at,
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
    # Only what the granter says to staff: other errors quote addresses and tokens.
    said = str(error) if isinstance(error, DeliveryFailed) else ""
    return (said or type(error).__name__)[:LONGEST_ERROR]
