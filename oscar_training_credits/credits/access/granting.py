"""Access given, changed and ended, by purchases, places, refunds and staff.

All of it is on record and announced when it is committed. Whoever changes access
locks the learner first, so that two purchases never start at the same moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from ... import signals
from ...exceptions import IdempotencyKeyReused, NothingGained
from ..isolation import own_transaction
from ..locking import for_update
from ..models import Access, AccessChange, DueAccess, Place, TrainingProduct
from ..terms import ProductKind, refuse_far_away
from ..webhooks import events
from . import deliveries, status
from .status import AccessStatus, end_of_run

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser
    from django.dispatch import Signal

    from .status import Learner

LONGEST_REASON = 200

Grounds = Mapping[int, Iterable[Access]]
"""What opens each training to a learner, by the primary key of the training product."""

SIGNALS: dict[str, Signal] = {
    AccessChange.Kind.GIVEN: signals.access_given,
    AccessChange.Kind.CHANGED: signals.access_changed,
    AccessChange.Kind.ENDED: signals.access_ended,
}


@dataclass(frozen=True, slots=True)
class Period:
    """From when until when somebody has access; an end of None is never."""

    starts_at: datetime
    ends_at: datetime | None

    @property
    def is_empty(self) -> bool:
        return self.ends_at is not None and self.ends_at <= self.starts_at

    def covers(self, other: Period) -> bool:
        """Tell whether all of `other` lies in this period."""
        if other.starts_at < self.starts_at:
            return False
        if self.ends_at is None:
            return True
        return other.ends_at is not None and other.ends_at <= self.ends_at


def period_of(
    training: TrainingProduct,
    *,
    at: datetime,
    after: datetime | None = None,
    until: datetime | None = None,
) -> Period:
    """Return the access that `training` gives when it is bought at one moment.

    It begins `after` the access that is running, on its own first day at the
    earliest, and ends `until` a moment at the latest, whatever its terms say. An
    empty period means that nothing would be gained.
    """
    starts_at = max(at, training.opens_at or at, after or at)
    ends = (training.closes_at, until)
    return period_from(starts_at, days=training.access_days, ends=ends)


def expected_period(
    training: TrainingProduct,
    access_status: AccessStatus,
    *,
    at: datetime,
    until: datetime | None = None,
) -> Period | None:
    """Return what buying `training` would add to what a learner has; None if nothing.

    As `begin_access` would give it, without a lock: for those who consider it.
    """
    start = max(at, training.opens_at or at)
    covers = access_status.starts_at is not None and access_status.starts_at <= start
    if covers and access_status.is_endless:
        return None
    after = access_status.ends_at if covers else None
    period = period_of(training, at=at, after=after, until=until)
    return None if period.is_empty else period


def period_from(
    starts_at: datetime, *, days: int | None, ends: Iterable[datetime | None]
) -> Period:
    """Return the period of `days` of 24 hours, cut at the first of `ends`."""
    last = starts_at + timedelta(days=days) if days else None
    known = [end for end in (last, *ends) if end is not None]
    return Period(starts_at, max(starts_at, min(known)) if known else None)


def lock_and_find_ends(
    learner: AbstractBaseUser, trainings: Iterable[TrainingProduct]
) -> dict[int, datetime]:
    """Return when the learner's access ends, by the training product's primary key.

    By whatever ground: what is opened by a plan already, and bought besides, begins
    when the plan ends. What never ends, or does not run yet, is left out. Locks the
    learner's row.
    """
    trainings = list(trainings)
    return ends_of(lock_grounds(learner, trainings), trainings)


def lock_grounds(
    learner: AbstractBaseUser, trainings: Iterable[TrainingProduct]
) -> Grounds:
    """Return what opens these to the learner, until the transaction ends.

    Locks the learner's row: one order of a learner after the other, or two would
    start at the same moment, and both be paid for access without an end.
    """
    lock_learners([learner.pk])
    return status.grounds(learner, trainings)


def ends_of(
    grounds: Grounds, trainings: Iterable[TrainingProduct]
) -> dict[int, datetime]:
    """Return until when access goes on that runs on the first day of each, or now."""
    now = timezone.now()
    firsts = {training.pk: training.opens_at or now for training in trainings}
    ends = {
        pk: end_of_run(rows, at=max(now, firsts[pk])) for pk, rows in grounds.items()
    }
    return {pk: end for pk, end in ends.items() if end and end > now}


def gaining_nothing(
    wanted: Iterable[tuple[TrainingProduct, datetime | None]], grounds: Grounds
) -> frozenset[int]:
    """Return which of these would add nothing if they were bought together now.

    By the primary key of the training product. Access to each ends at the latest at
    the moment beside it. What another one opens as well adds nothing either, unless
    it lasts longer.
    """
    now = timezone.now()
    gains: dict[TrainingProduct, Period] = {}
    idle: set[int] = set()
    for training, until in wanted:
        access_status = status.access_status_from(grounds.get(training.pk, ()), at=now)
        if first := gains.get(training):
            access_status = AccessStatus(
                starts_at=first.starts_at, ends_at=first.ends_at
            )
        if gain := expected_period(training, access_status, at=now, until=until):
            gains[training] = gain
        else:
            idle.add(training.pk)
    for training, other in status.opened_by_others(gains).items():
        if gains[other].covers(gains[training]):
            idle.add(training.pk)
    return frozenset(idle)


def has_without_end(learner: AbstractBaseUser, training: TrainingProduct) -> bool:
    """Tell whether the learner has `training` itself for ever, now or later on."""
    rows = Access.objects.filter(learner_id=learner.pk, training=training)
    return rows.filter(ends_at=None).exists()


def begin_access(
    learner: AbstractBaseUser,
    training: TrainingProduct,
    *,
    order_line: Any,
    after: datetime | None = None,
    until: datetime | None = None,
) -> Access:
    """Give access for a new order line.

    It begins when the running access ends, `after`, and ends `until` at the latest.
    The caller holds the lock of `lock_and_find_ends`.
    """
    period = period_of(training, at=timezone.now(), after=after, until=until)
    return _begin(learner, training, period, order_line=order_line)


def open_access(
    bought: Iterable[DueAccess], *, ends: Mapping[int, datetime]
) -> list[Access]:
    """Give the access that order lines bought, on the terms of their purchase.

    It begins when the running access `ends`, by the training product's primary key;
    of several lines with one product, one after the other. The caller has locked the
    learner. A statement or two at any number of lines.
    """
    ends = dict(ends)
    rows = []
    for due in bought:
        after = ends.get(due.training_id)
        starts_at = max(filter(None, (timezone.now(), due.starts_at, after)))
        period = period_from(starts_at, days=due.access_days, ends=[due.ends_at])
        ground = {"order_line": due.order_line}
        rows.append(_access(due.learner, due.training, period, **ground))
        if period.ends_at:
            ends[due.training_id] = period.ends_at
    return _give(rows)


def claim_access(learner: AbstractBaseUser, place: Place, period: Period) -> Access:
    """Give access for a place on somebody's order, which is locked and unclaimed.

    The caller has locked the learner, and read the period of the place since.
    """
    return _begin(learner, place.training, period, place=place)


def period_of_place(place: Place, learner: AbstractBaseUser | None = None) -> Period:
    """Return the access that a place gives if it is claimed now, by whom, if known."""
    known = status.grounds(learner, [place.training]) if learner else {}
    return period_after(known.get(place.training_id, ()), place)


def period_after(rows: Iterable[Access], bought: Place | DueAccess) -> Period:
    """Return the access that a place, or what is due, gives now to who has `rows`."""
    starts_at = first_free(rows, bought)
    return period_from(starts_at, days=bought.access_days, ends=[bought.ends_at])


def first_free(rows: Iterable[Access], bought: Place | DueAccess) -> datetime:
    """Return when what was bought begins if it opens now, after what is running."""
    first = max(filter(None, (timezone.now(), bought.starts_at)))
    return end_of_run(rows, at=first) or first


def with_due(
    grounds: Grounds, learner: Learner, trainings: Iterable[TrainingProduct]
) -> Grounds:
    """Return these grounds as if all that waits for a payment were open already.

    What has been ordered counts as had, for those who consider buying it again. It
    opens nothing: no lesson may be shown by it.
    """
    supposed = {pk: list(rows) for pk, rows in grounds.items()}
    for pk, waiting in status.due(learner, trainings).items():
        rows = supposed.setdefault(pk, [])
        for each in waiting:
            period = period_after(rows, each)
            row = Access(learner_id=each.learner_id, training=each.training, pk=0)
            row.starts_at, row.ends_at = period.starts_at, period.ends_at
            rows.append(row)
    return supposed


def access_status_with_due(learner: Learner, training: TrainingProduct) -> AccessStatus:
    """Return how `learner` would stand if all that waits for a payment were open."""
    supposed = with_due(status.grounds(learner, [training]), learner, [training])
    return status.access_status_from(supposed.get(training.pk, ()), at=timezone.now())


@own_transaction()
def give_access(
    learner: AbstractBaseUser,
    training: TrainingProduct,
    *,
    reason: str,
    by: AbstractBaseUser | None = None,
    until: datetime | None = None,
    idempotency_key: str | None = None,
) -> Access:
    """Give access without an order, on the terms of a purchase made now.

    With `until` it ends then at the latest. Given once per `idempotency_key`: again,
    it returns what was given. Without one, what is given twice runs one after
    the other.

    Raises:
        NothingGained: it would end before it begins, or they have it without an end.
        ValueError: the reason is empty or too long, or `until` is more than a hundred
            years away.
        IdempotencyKeyReused: the key stands for another learner's access, or another
            training product.
    """
    refuse_far_away(until)
    after = lock_and_find_ends(learner, [training]).get(training.pk)
    if earlier := _given_for(idempotency_key):
        if (earlier.learner_id, earlier.training_id) != (learner.pk, training.pk):
            raise IdempotencyKeyReused(idempotency_key)
        return earlier
    period = period_of(training, at=timezone.now(), after=after, until=until)
    if period.is_empty:
        raise NothingGained("Access would end before it begins.")
    if has_without_end(learner, training):
        raise NothingGained("They have access without an end.")
    given = _begin(learner, training, period)
    _record(
        given,
        AccessChange.Kind.GIVEN,
        former_end=None,
        reason=reason,
        by=by,
        idempotency_key=idempotency_key,
    )
    return given


@own_transaction()
def extend_access(
    given: Access,
    *,
    until: datetime | None,
    reason: str,
    by: AbstractBaseUser | None = None,
) -> Access:
    """Let access end later, at `until`, or never with None.

    What the learner bought to begin at its end begins that much later: no day of it
    is lost. Access that has ended can be extended as well. The same again changes
    nothing.

    Raises:
        ValueError: it would end sooner, or more than a hundred years from now, or the
            reason is empty or too long.
    """
    refuse_far_away(until)
    given = _locked(given)
    former_end = given.ends_at
    if former_end == until:
        return given
    if former_end is None or (until is not None and until < former_end):
        raise ValueError("Access can't be extended to an earlier end.")
    if until is not None:
        later = until - former_end
        _move_followers(given, after=former_end, by_time=later, reason=reason, by=by)
    given.ends_at = until
    given.save(update_fields=["ends_at"])
    _change(given, former_end=former_end, reason=reason, by=by)
    return given


@own_transaction()
def end_access(
    given: Access, *, reason: str, by: AbstractBaseUser | None = None
) -> Access:
    """End access now, before its time. What has ended is left as it is.

    Raises:
        ValueError: the reason is empty or too long.
    """
    given = _locked(given)
    now = timezone.now()
    if not given.has_ended(now):
        _end(given, now, reason=reason, by=by)
    return given


@own_transaction()
def end_access_of(
    order_lines: Iterable[Any],
    *,
    places: Iterable[Place],
    at: datetime,
) -> tuple[int, ...]:
    """End the access bought with `order_lines`; return those that had any, by key.

    The access of those who claimed `places` ends as well.

    The rows stay. Access to the same training that was bought later, and was to
    begin when this ends, begins that much sooner: no day of it is lost.
    """
    bought = Q(order_line__in=list(order_lines)) | Q(place__in=list(places))
    running = Access.objects.filter(bought, Q(ends_at=None) | Q(ends_at__gt=at))
    lock_learners(running.values_list("learner_id", flat=True))
    ended: list[Any] = []
    for pk in running.order_by("pk").values_list("pk", flat=True):
        # Read one after the other: the end of one may have moved the next.
        given = Access.objects.get(pk=pk)
        _end(given, at, reason=_("Its purchase was refunded or cancelled."))
        ended.append(given.order_line_id)
    return tuple(filter(None, ended))


def bring_forward() -> int:
    """Let access begin that was to follow what opens it no longer; return how many.

    A course bought besides a plan begins when the plan ends. If the plan's range, or
    a path's list, loses the course, the learner would wait for nothing. Safe to repeat.
    """
    now = timezone.now()
    before = Access.objects.filter(
        learner=OuterRef("learner"),
        ends_at=OuterRef("starts_at"),
        training__kind__in=(ProductKind.PATH, ProductKind.PLAN),
    )
    waiting = Access.objects.filter(Exists(before), starts_at__gt=now).order_by("pk")
    return sum(_bring_forward(row, at=now) for row in waiting)


@own_transaction()
def _bring_forward(row: Access, *, at: datetime) -> bool:
    row = _locked(row)
    opening = status.grounds(row.learner, [row.training])[row.training_id]
    earlier = [each for each in opening if each.starts_at < row.starts_at]
    end = end_of_run(earlier, at=max(at, row.training.opens_at or at))
    if end is None or end >= row.starts_at:
        return False
    reason = _("What it was to follow does not open it any more.")
    _move(row, end - row.starts_at, reason=reason, by=None)
    return True


def _begin(
    learner: AbstractBaseUser,
    training: TrainingProduct,
    period: Period,
    **ground: Any,
) -> Access:
    (given,) = _give([_access(learner, training, period, **ground)])
    return given


def _access(
    learner: AbstractBaseUser,
    training: TrainingProduct,
    period: Period,
    **ground: Any,
) -> Access:
    return Access(
        learner_id=learner.pk,
        training=training,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        **ground,
    )


def _give(rows: list[Access]) -> list[Access]:
    """Write new access, and tell of it."""
    given = Access.objects.bulk_create(rows)
    _announce(given, AccessChange.Kind.GIVEN)
    return given


def _end(
    given: Access,
    at: datetime,
    *,
    reason: str,
    by: AbstractBaseUser | None = None,
) -> None:
    former_end, unused_from = given.ends_at, max(at, given.starts_at)
    given.starts_at, given.ends_at = min(at, given.starts_at), at
    given.save(update_fields=["starts_at", "ends_at"])
    kind = AccessChange.Kind.ENDED
    _record(given, kind, former_end=former_end, reason=reason, by=by)
    _announce([given], kind)
    if former_end:
        unused = unused_from - former_end
        _move_followers(given, after=former_end, by_time=unused, reason=reason, by=by)


def _move_followers(
    given: Access,
    *,
    after: datetime,
    by_time: timedelta,
    reason: str,
    by: AbstractBaseUser | None,
) -> None:
    """Move what was to begin when `given` ends, `after`; sooner by a negative time."""
    for row in _followers(given, after):
        _move(row, by_time, reason=reason, by=by)


def _move(
    row: Access, by_time: timedelta, *, reason: str, by: AbstractBaseUser | None
) -> None:
    """Move access that has not begun, and what was to begin when it ends."""
    former_start, former_end = row.starts_at, row.ends_at
    period = _moved(row, by_time)
    row.starts_at, row.ends_at = period.starts_at, period.ends_at
    row.save(update_fields=["starts_at", "ends_at"])
    _change(row, former_end=former_end, reason=reason, by=by)
    if former_end and period.ends_at and former_end > former_start:
        moved = period.ends_at - former_end
        _move_followers(row, after=former_end, by_time=moved, reason=reason, by=by)


def _followers(given: Access, after: datetime) -> list[Access]:
    """Return what the learner has from the moment on at which `given` was to end."""
    later = Access.objects.filter(learner_id=given.learner_id, starts_at=after)
    return [
        row
        for row in later.exclude(pk=given.pk).select_related("training__product")
        if row.training_id == given.training_id or status.opens(given, row.training)
    ]


def is_followed(given: Access) -> bool:
    """Tell whether the learner has something that begins when this access ends."""
    return bool(given.ends_at and _followers(given, given.ends_at))


def _moved(row: Access, by_time: timedelta) -> Period:
    """Return a period moved as a whole, within the first and last day of the terms."""
    starts_at = row.starts_at + by_time
    starts_at = max(starts_at, row.training.opens_at or starts_at)
    if row.ends_at is None:
        return Period(starts_at, None)
    if row.training.closes_at:
        return Period(min(starts_at, row.ends_at), row.ends_at)
    return Period(starts_at, row.ends_at + (starts_at - row.starts_at))


def _change(
    access: Access,
    *,
    former_end: datetime | None,
    reason: str,
    by: AbstractBaseUser | None,
) -> None:
    kind = AccessChange.Kind.CHANGED
    _record(access, kind, former_end=former_end, reason=reason, by=by)
    _announce([access], kind)


def _record(
    access: Access,
    kind: AccessChange.Kind,
    *,
    former_end: datetime | None,
    reason: str,
    by: AbstractBaseUser | None,
    idempotency_key: str | None = None,
) -> None:
    if not 0 < len(reason) <= LONGEST_REASON:
        raise ValueError(f"A reason has 1 to {LONGEST_REASON} letters.")
    AccessChange.objects.create(
        access=access,
        kind=kind,
        former_end=former_end,
        ends_at=access.ends_at,
        reason=reason,
        idempotency_key=idempotency_key,
        changed_by_id=by.pk if by else None,
    )


def _given_for(idempotency_key: str | None) -> Access | None:
    changes = AccessChange.objects.select_related("access__training")
    change = (
        changes.filter(idempotency_key=idempotency_key).first()
        if idempotency_key
        else None
    )
    return change.access if change else None


def _announce(rows: list[Access], kind: AccessChange.Kind) -> None:
    deliveries.write_news(rows, kind)
    events.access_changed(rows, kind)
    for access in rows:
        transaction.on_commit(partial(SIGNALS[kind].send_robust, Access, access=access))


def _locked(access: Access) -> Access:
    lock_learners([access.learner_id])
    return Access.objects.select_related("training").get(pk=access.pk)


def lock_learners(learner_ids: Iterable[int]) -> None:
    """Let nobody else change the access of these learners in this transaction."""
    learners = get_user_model()._default_manager.filter(pk__in=set(learner_ids))
    list(for_update(learners.order_by("pk")).values_list("pk"))
