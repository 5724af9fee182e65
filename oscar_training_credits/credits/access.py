"""Access to what training products open: given, looked up, and how it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from .. import signals
from .models import Access, TrainingProduct

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    Learner = AbstractBaseUser | AnonymousUser


@dataclass(frozen=True, slots=True)
class Standing:
    """How a learner stands with a training product at one moment."""

    has_access: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    """When access ends; None for never, or for no access at all."""
    ended_at: datetime | None = None
    """When the last access ended, if there is none now."""


STRANGER = Standing()


def may_see(learner: Learner, training: TrainingProduct) -> bool:
    """Tell whether `learner` may use what `training` opens, now."""
    if not learner.is_authenticated:
        return False
    now = timezone.now()
    return (
        Access.objects.current(now)
        .filter(learner_id=learner.pk, training=training)
        .exists()
    )


def standing(learner: Learner, training: TrainingProduct) -> Standing:
    """Return how `learner` stands with `training`, now."""
    return standings(learner, [training]).get(training.pk, STRANGER)


def standings(
    learner: Learner, trainings: Iterable[TrainingProduct] | None = None
) -> dict[int, Standing]:
    """Return the standing of `learner` by the primary key of the training product.

    With `trainings` only for those. Products never bought are left out.
    """
    if not learner.is_authenticated:
        return {}
    rows = Access.objects.filter(learner_id=learner.pk).order_by("starts_at", "pk")
    if trainings is not None:
        rows = rows.filter(training__in=list(trainings))
    grounds: dict[int, list[Access]] = {}
    for row in rows:
        grounds.setdefault(row.training_id, []).append(row)
    now = timezone.now()
    return {pk: _standing(rows, now) for pk, rows in grounds.items()}


@transaction.atomic
def give_access(
    learner: AbstractBaseUser, training: TrainingProduct, *, order_line: Any
) -> Access:
    """Give `learner` the access that was bought with `order_line`, once.

    It begins now or, where access is still running, when that ends: buying again
    extends. Each unit of the line's quantity is for one learner, so it does not
    lengthen access.
    """
    running = running_until(learner, [training])
    if earlier := Access.objects.filter(order_line=order_line).first():
        return earlier
    return begin_access(
        learner, training, order_line=order_line, after=running.get(training.pk)
    )


@transaction.atomic
def end_access(
    order_lines: Iterable[Any], *, at: datetime | None = None
) -> tuple[int, ...]:
    """End the access bought with `order_lines`; return those that had any, by key.

    The rows stay. Access to the same training that was bought later, and was to
    begin when this ends, begins that much sooner: no day of it is lost.
    """
    at = at or timezone.now()
    rows = Access.objects.filter(order_line__in=list(order_lines))
    running = rows.filter(Q(ends_at=None) | Q(ends_at__gt=at))
    _lock_learners(running.values_list("learner_id", flat=True))
    ended = tuple(running.order_by("pk").values_list("order_line", flat=True))
    for pk in ended:
        # One after the other: the end of one may have moved the next.
        _end(Access.objects.get(order_line=pk), at)
    return ended


def _end(row: Access, at: datetime) -> None:
    former_end, unused_from = row.ends_at, max(at, row.starts_at)
    row.starts_at, row.ends_at = min(at, row.starts_at), at
    row.save(update_fields=["starts_at", "ends_at"])
    if former_end:
        unused = former_end - unused_from
        Access.objects.filter(
            learner_id=row.learner_id,
            training_id=row.training_id,
            starts_at__gte=former_end,
        ).update(starts_at=F("starts_at") - unused, ends_at=F("ends_at") - unused)


def _lock_learners(learner_ids: Iterable[int]) -> None:
    learners = get_user_model()._default_manager.filter(pk__in=set(learner_ids))
    list(learners.order_by("pk").select_for_update().values_list("pk"))


def running_until(
    learner: AbstractBaseUser, trainings: Iterable[TrainingProduct]
) -> dict[int, datetime]:
    """Return when the learner's access ends, by the training product's primary key.

    What never ends, or was never bought, is left out. Locks the learner's row: one
    order of a learner after the other, or two would start at the same moment.
    """
    get_user_model()._default_manager.select_for_update().get(pk=learner.pk)
    ends = (
        Access.objects.filter(learner_id=learner.pk, training__in=list(trainings))
        .values_list("training")
        .annotate(ends_at=Max("ends_at"))
    )
    return {pk: ends_at for pk, ends_at in ends if ends_at}


def begin_access(
    learner: AbstractBaseUser,
    training: TrainingProduct,
    *,
    order_line: Any,
    after: datetime | None,
) -> Access:
    """Give access for a new order line, from `after` on if that is still to come.

    The caller holds the lock of `running_until`.
    """
    now = timezone.now()
    starts_at = max(now, after or now)
    days = training.access_days
    access = Access.objects.create(
        learner_id=learner.pk,
        training=training,
        order_line=order_line,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(days=days) if days else None,
    )
    announce = partial(signals.access_given.send_robust, Access, access=access)
    transaction.on_commit(announce)
    return access


def _standing(rows: list[Access], now: datetime) -> Standing:
    running = [row for row in rows if row.ends_at is None or row.ends_at > now]
    current = [row for row in running if row.starts_at <= now]
    if not current:
        ends = [row.ends_at for row in rows if row.ends_at and row.ends_at <= now]
        return Standing(ended_at=max(ends, default=None))
    forever = any(row.ends_at is None for row in running)
    return Standing(
        has_access=True,
        starts_at=min(row.starts_at for row in current),
        ends_at=None if forever else max(row.ends_at for row in running if row.ends_at),
    )
