"""The outbox: what others are to be told, sent and sent again until it arrives.

A delivery is a row written with what it tells of, so neither is there without the
other. It is tried when that is committed, then by `deliver_due` until it has arrived.
Whoever tries it takes it for a while by one conditional UPDATE. No transaction is
open while another machine is asked, and what a process that died was sending is free
again later.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from time import monotonic

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from ..conf import settings
from ..exceptions import DeliveryDropped, DeliveryFailed
from .models import Delivery

LEASE = timedelta(minutes=5)
"""How long an attempt may take before somebody else may try."""
FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=6)
FAILURES_IN_A_ROW = 5
"""After so many a receiver seems to be down: the rest for it can wait."""
LONGEST_ERROR = 500
PRUNED = (Delivery.Channel.MAIL, Delivery.Channel.WEBHOOK)
"""Of which channels nothing is kept for ever."""
MOST_PRUNED = 5_000

logger = logging.getLogger("training_credits")


@dataclass(frozen=True, slots=True)
class Sender:
    """How the deliveries of one channel are sent."""

    send: Callable[[Delivery], None]
    """Raises `DeliveryDropped` if it can never arrive, anything else to try again."""
    is_on: Callable[[], bool] = lambda: True
    """While it is off, what is there waits."""
    prepare: Callable[[], object] = lambda: None
    """Writes what is due by time, before a round."""


class Result(Enum):
    """How an attempt went."""

    ARRIVED = "arrived"
    FAILED = "failed"
    DROPPED = "dropped"
    """It can never arrive, and is not tried again."""
    LEFT = "left"
    """Not tried: it has arrived, is being tried, or waits for its time or turn."""


@dataclass(frozen=True, slots=True)
class Round:
    """How many deliveries arrived and failed."""

    arrived: int = 0
    failed: int = 0


_senders: dict[str, Sender] = {}


def register(channel: str, sender: Sender) -> None:
    """Let a channel's deliveries be sent this way, as the apps are loaded."""
    _senders[channel] = sender


def write(deliveries: Iterable[Delivery]) -> None:
    """Write deliveries, and try them when the transaction is committed.

    The caller does what they tell of in the same transaction.
    """
    for delivery in Delivery.objects.bulk_create(deliveries):
        _try_after_commit(delivery)


def write_for_later(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Write deliveries that `deliver_due` sends: nobody waits for them.

    The caller does what they tell of in the same transaction.
    """
    return Delivery.objects.bulk_create(deliveries)


def write_once(delivery: Delivery) -> bool:
    """Write a delivery as `write` does, once for its key; tell whether it is new."""
    if Delivery.objects.filter(key=delivery.key).exists():
        return False
    try:
        with transaction.atomic():
            delivery.save(force_insert=True)
            _try_after_commit(delivery)
    except IntegrityError:
        # Another process wrote it meanwhile.
        return False
    return True


def deliver_due(*, seconds: float | None = None) -> Round:
    """Send what is due, the oldest first, and return how it went.

    Access whose time ran out is news too, written here, once. Stops after `seconds`;
    of one receiver after five failures in a row. What is left stays due. Safe to run at
    any time and in several processes at once.
    """
    _prepare()
    return _deliver(Delivery.objects.due(timezone.now()), seconds)


def prune() -> int:
    """Delete mails and webhooks that were sent or given up long ago; return how many.

    How long is `TRAINING_CREDITS_DELIVERY_DAYS`. What is never written a second time
    because it is there stays, as does what says what a learning system knows. Safe to
    run at any time.
    """
    if settings.DELIVERY_DAYS is None:
        return 0
    before = timezone.now() - timedelta(days=settings.DELIVERY_DAYS)
    over = Q(delivered_at__lt=before) | Q(delivered_at=None, dropped_at__lt=before)
    old = Delivery.objects.filter(over, channel__in=PRUNED, is_kept=False)
    # Some at a time: nothing else is held up, and the next run goes on.
    keys = list(old.order_by("pk").values_list("pk", flat=True)[:MOST_PRUNED])
    deleted, _by_model = Delivery.objects.filter(pk__in=keys).delete()
    return deleted


def try_again(pk: int) -> Result:
    """Try one delivery now, whatever its time. What is being tried is left alone."""
    _make_due(Delivery.objects.filter(pk=pk))
    return _attempt(pk)


def try_all_again(*, seconds: float, among: QuerySet[Delivery] | None = None) -> Round:
    """Make all that has not arrived due now, and send it for so many `seconds`.

    With `among` only those deliveries.
    """
    _prepare()
    rows = Delivery.objects.all() if among is None else among
    _make_due(rows)
    due = Delivery.objects.due(timezone.now())
    if among is not None:
        due = due.filter(pk__in=among.order_by().values("pk"))
    return _deliver(due, seconds)


def open_channels() -> list[str]:
    """Return the channels that something is sent by."""
    return [channel for channel, sender in _senders.items() if sender.is_on()]


def _prepare() -> None:
    for channel in open_channels():
        _senders[channel].prepare()


def _try_after_commit(delivery: Delivery) -> None:
    """Try what was just written when the transaction is committed."""

    # Not a partial: Django asks for its name when it logs an error.
    def try_at_once() -> None:
        _try_at_once(delivery)

    transaction.on_commit(try_at_once, robust=True)


def _try_at_once(delivery: Delivery) -> None:
    # Nobody should wait for a system that let another one wait just now.
    just_failed = Delivery.objects.pending().filter(
        channel=delivery.channel, attempts=1, next_attempt_at__gt=timezone.now()
    )
    if not just_failed.exists():
        _attempt(delivery.pk)


def _deliver(due: QuerySet[Delivery], seconds: float | None) -> Round:
    until = monotonic() + seconds if seconds is not None else None
    done: Counter[Result] = Counter()
    in_a_row: Counter[tuple[str, int | None]] = Counter()
    rows = due.filter(channel__in=open_channels()).order_by("pk")
    for pk, channel, endpoint in list(rows.values_list("pk", "channel", "endpoint")):
        if until is not None and monotonic() > until:
            break
        receiver = channel, endpoint
        if in_a_row[receiver] == FAILURES_IN_A_ROW:
            continue
        result = _attempt(pk)
        done[result] += 1
        if result is Result.FAILED:
            in_a_row[receiver] += 1
        elif result is Result.ARRIVED:
            in_a_row[receiver] = 0
    return Round(done[Result.ARRIVED], done[Result.FAILED])


def _make_due(deliveries: QuerySet[Delivery]) -> None:
    now = timezone.now()
    pending = deliveries.filter(delivered_at=None, dropped_at=None)
    pending.filter(next_attempt_at__gt=now).update(next_attempt_at=now)


def _attempt(pk: int) -> Result:
    rows = Delivery.objects.select_related(
        "access__learner",
        "access__training__product",
        "deleted_training__product",
        "user",
        "endpoint",
    )
    delivery = rows.filter(pk=pk).first()
    if delivery is None or not _take(delivery):
        return Result.LEFT
    try:
        _senders[delivery.channel].send(delivery)
    except DeliveryDropped as dropped:
        _drop(delivery, dropped)
        return Result.DROPPED
    except Exception as error:
        # Whatever it is, what it tells of stands, and it is tried again.
        logger.warning("Delivery %s failed", delivery.key, exc_info=True)
        _fail(delivery, error)
        return Result.FAILED
    Delivery.objects.filter(pk=pk, delivered_at=None).update(
        delivered_at=timezone.now(),
        taken_until=None,
        error="",
        address="",
        deleted=None,
        deleted_training=None,
    )
    return Result.ARRIVED


def _take(delivery: Delivery) -> bool:
    """Take a delivery that is due and in its turn, unless somebody else just did."""
    if not _senders[delivery.channel].is_on():
        return False
    if Delivery.objects.before(delivery).pending().exists():
        return False
    now = timezone.now()
    seen = Delivery.objects.due(now).filter(pk=delivery.pk, attempts=delivery.attempts)
    delivery.attempts += 1
    return bool(seen.update(taken_until=now + LEASE, attempts=delivery.attempts))


def _fail(delivery: Delivery, error: Exception) -> None:
    delay = min(FIRST_DELAY * 2 ** min(delivery.attempts - 1, 20), LONGEST_DELAY)
    _mine(delivery).update(
        next_attempt_at=timezone.now() + delay,
        taken_until=None,
        error=_error_text(error),
    )


def _drop(delivery: Delivery, dropped: DeliveryDropped) -> None:
    _mine(delivery).update(
        dropped_at=timezone.now(),
        taken_until=None,
        error=_error_text(dropped),
        address="",
    )


def _mine(delivery: Delivery) -> QuerySet[Delivery]:
    # Not if it took so long that somebody else has tried meanwhile.
    return Delivery.objects.pending().filter(pk=delivery.pk, attempts=delivery.attempts)


def _error_text(error: Exception) -> str:
    # Only what is said to staff: other errors quote addresses and tokens.
    said = str(error) if isinstance(error, (DeliveryFailed, DeliveryDropped)) else ""
    return (said or type(error).__name__)[:LONGEST_ERROR]
