"""Access given, changed and ended, by purchases, places, refunds and staff.

All of it is on record and announced when it is committed. Whoever changes access
locks the learner first, so that two purchases never start at the same moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from .. import signals
from .models import Access, AccessChange, Place, TrainingProduct
from .terms import end_of, start_of

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser
    from django.dispatch import Signal

LONGEST_REASON = 200

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
    first = start_of(training.access_from) if training.access_from else at
    last = end_of(training.access_until) if training.access_until else None
    starts_at = max(at, first, after or at)
    return period_from(starts_at, days=training.access_days, ends=(last, until))


def period_from(
    starts_at: datetime, *, days: int | None, ends: Iterable[datetime | None]
) -> Period:
    """Return the period of `days` of 24 hours, cut at the first of `ends`."""
    last = starts_at + timedelta(days=days) if days else None
    known = [end for end in (last, *ends) if end is not None]
    return Period(starts_at, max(starts_at, min(known)) if known else None)


def running_until(
    learner: AbstractBaseUser, trainings: Iterable[TrainingProduct]
) -> dict[int, datetime]:
    """Return when the learner's access ends, by the training product's primary key.

    What never ends, or was never bought, is left out. Locks the learner's row: one
    order of a learner after the other, or two would start at the same moment.
    """
    _lock_learners([learner.pk])
    return _last_ends(learner, trainings)


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
    The caller holds the lock of `running_until`.
    """
    period = period_of(training, at=timezone.now(), after=after, until=until)
    return _begin(learner, training, period, order_line=order_line)


@transaction.atomic
def claim_access(learner: AbstractBaseUser, place: Place) -> Access:
    """Give access for a place on somebody's order, which is locked and unclaimed."""
    _lock_learners([learner.pk])
    period = period_of_place(place, learner)
    return _begin(learner, place.training, period, place=place)


def period_of_place(place: Place, learner: AbstractBaseUser | None = None) -> Period:
    """Return the access that a place gives if it is claimed now, by whom, if known."""
    ends = _last_ends(learner, [place.training]) if learner else {}
    after = ends.get(place.training_id)
    starts_at = max(filter(None, (timezone.now(), after, place.starts_at)))
    return period_from(starts_at, days=place.access_days, ends=[place.ends_at])


@transaction.atomic
def give_access(
    learner: AbstractBaseUser,
    training: TrainingProduct,
    *,
    reason: str,
    by: AbstractBaseUser | None = None,
    until: datetime | None = None,
) -> Access:
    """Give access without an order, on the terms of a purchase made now.

    With `until` it ends then at the latest. Not idempotent: what is given twice runs
    one after the other.

    Raises:
        ValueError: nothing would be gained, or the reason is empty or too long.
    """
    after = running_until(learner, [training]).get(training.pk)
    period = period_of(training, at=timezone.now(), after=after, until=until)
    if period.is_empty:
        raise ValueError("Access would end before it begins.")
    given = _begin(learner, training, period)
    _record(given, AccessChange.Kind.GIVEN, former_end=None, reason=reason, by=by)
    return given


@transaction.atomic
def extend_access(
    access: Access,
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
        ValueError: it would end sooner, or the reason is empty or too long.
    """
    access = _locked(access)
    former_end = access.ends_at
    if former_end == until:
        return access
    if former_end is None or (until is not None and until < former_end):
        raise ValueError("Access can't be extended to an earlier end.")
    if until is not None:
        _move_later(access, by_time=until - former_end, reason=reason, by=by)
    access.ends_at = until
    access.save(update_fields=["ends_at"])
    _change(access, former_end=former_end, reason=reason, by=by)
    return access


@transaction.atomic
def end_access(
    access: Access, *, reason: str, by: AbstractBaseUser | None = None
) -> Access:
    """End access now, before its time. What has ended is left as it is.

    Raises:
        ValueError: the reason is empty or too long.
    """
    access = _locked(access)
    now = timezone.now()
    if not access.has_ended(now):
        _end(access, now, reason=reason, by=by)
    return access


@transaction.atomic
def end_access_of(
    order_lines: Iterable[Any],
    *,
    places: Iterable[Place] = (),
    at: datetime | None = None,
) -> tuple[int, ...]:
    """End the access bought with `order_lines`; return those that had any, by key.

    The access of those who claimed `places` ends as well.

    The rows stay. Access to the same training that was bought later, and was to
    begin when this ends, begins that much sooner: no day of it is lost.
    """
    at = at or timezone.now()
    bought = Q(order_line__in=list(order_lines)) | Q(place__in=list(places))
    running = Access.objects.filter(bought, Q(ends_at=None) | Q(ends_at__gt=at))
    _lock_learners(running.values_list("learner_id", flat=True))
    ended: list[Any] = []
    for pk in running.order_by("pk").values_list("pk", flat=True):
        # Read one after the other: the end of one may have moved the next.
        access = Access.objects.get(pk=pk)
        _end(access, at, reason=_("Its purchase was refunded or cancelled."))
        ended.append(access.order_line_id)
    return tuple(filter(None, ended))


def _begin(
    learner: AbstractBaseUser,
    training: TrainingProduct,
    period: Period,
    **ground: Any,
) -> Access:
    given = Access.objects.create(
        learner_id=learner.pk,
        training=training,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        **ground,
    )
    _announce(given, AccessChange.Kind.GIVEN)
    return given


def _end(
    access: Access,
    at: datetime,
    *,
    reason: str,
    by: AbstractBaseUser | None = None,
) -> None:
    former_end, unused_from = access.ends_at, max(at, access.starts_at)
    access.starts_at, access.ends_at = min(at, access.starts_at), at
    access.save(update_fields=["starts_at", "ends_at"])
    kind = AccessChange.Kind.ENDED
    _record(access, kind, former_end=former_end, reason=reason, by=by)
    _announce(access, kind)
    if former_end:
        unused = unused_from - former_end
        _move_later(access, after=former_end, by_time=unused, reason=reason, by=by)


def _move_later(
    access: Access,
    *,
    by_time: timedelta,
    after: datetime | None = None,
    reason: str,
    by: AbstractBaseUser | None,
) -> None:
    """Move what the learner was to have after `access`; sooner by a negative time."""
    later = Access.objects.filter(
        learner_id=access.learner_id,
        training_id=access.training_id,
        starts_at__gte=after or access.ends_at,
    ).exclude(pk=access.pk)
    for row in later.order_by("pk"):
        former_end = row.ends_at
        row.starts_at += by_time
        row.ends_at = former_end + by_time if former_end else None
        row.save(update_fields=["starts_at", "ends_at"])
        _change(row, former_end=former_end, reason=reason, by=by)


def _change(
    access: Access,
    *,
    former_end: datetime | None,
    reason: str,
    by: AbstractBaseUser | None,
) -> None:
    kind = AccessChange.Kind.CHANGED
    _record(access, kind, former_end=former_end, reason=reason, by=by)
    _announce(access, kind)


def _record(
    access: Access,
    kind: AccessChange.Kind,
    *,
    former_end: datetime | None,
    reason: str,
    by: AbstractBaseUser | None,
) -> None:
    if not 0 < len(reason) <= LONGEST_REASON:
        raise ValueError(f"A reason has 1 to {LONGEST_REASON} letters.")
    AccessChange.objects.create(
        access=access,
        kind=kind,
        former_end=former_end,
        ends_at=access.ends_at,
        reason=reason,
        changed_by_id=by.pk if by else None,
    )


def _announce(access: Access, kind: AccessChange.Kind) -> None:
    transaction.on_commit(partial(SIGNALS[kind].send_robust, Access, access=access))


def _last_ends(
    learner: AbstractBaseUser, trainings: Iterable[TrainingProduct]
) -> dict[int, datetime]:
    ends = (
        Access.objects.filter(learner_id=learner.pk, training__in=list(trainings))
        .values_list("training")
        .annotate(ends_at=Max("ends_at"))
    )
    return {pk: ends_at for pk, ends_at in ends if ends_at}


def _locked(access: Access) -> Access:
    _lock_learners([access.learner_id])
    return Access.objects.select_related("training").get(pk=access.pk)


def _lock_learners(learner_ids: Iterable[int]) -> None:
    learners = get_user_model()._default_manager.filter(pk__in=set(learner_ids))
    list(learners.order_by("pk").select_for_update().values_list("pk"))
