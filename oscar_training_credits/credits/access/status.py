"""Who may see what, now: asked of everything that a learner has access to.

A learner may have several grounds: a course bought by itself, a path that lists it,
a plan whose range contains it. Access lasts while any of them does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import F, FilteredRelation, Q, QuerySet
from django.utils import timezone

from ...aliases import Order
from ...conf import settings
from ..models import Access, AccessChange, DueAccess, PathCourse, TrainingProduct
from ..ranges import products_in
from ..terms import ProductKind

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    Learner = AbstractBaseUser | AnonymousUser


@dataclass(frozen=True, slots=True)
class AccessStatus:
    """How a learner stands with a training product at one moment."""

    has_access: bool = False
    starts_at: datetime | None = None
    """Since when there is access or, if there is none now, from when there will be."""
    ends_at: datetime | None = None
    """When that access ends; None for never, or for no access at all."""
    ended_at: datetime | None = None
    """When the last access ended, if there is none now."""

    @property
    def is_to_come(self) -> bool:
        """Access is bought already, and has not begun."""
        return not self.has_access and self.starts_at is not None

    @property
    def is_endless(self) -> bool:
        """Access that is running, or bought already, has no end."""
        return self.starts_at is not None and self.ends_at is None


NO_ACCESS = AccessStatus()


def has_access(learner: Learner, training: TrainingProduct) -> bool:
    """Tell whether `learner` may use what `training` opens, now.

    One query, and what Oscar asks for the range of each plan that the learner has.
    """
    return access_status(learner, training).has_access


def access_status(learner: Learner, training: TrainingProduct) -> AccessStatus:
    """Return how `learner` stands with `training`, now, at the cost of `has_access`."""
    return access_statuses(learner, [training]).get(training.pk, NO_ACCESS)


def has_begun(order: Order) -> bool:
    """Tell whether all that `order` opened is open by now; False if that is nothing."""
    given = Access.objects.filter(order_line__order=order.pk)
    starts = list(given.values_list("starts_at", flat=True))
    return bool(starts) and max(starts) <= timezone.now()


def access_statuses(
    learner: Learner, trainings: Iterable[TrainingProduct]
) -> dict[int, AccessStatus]:
    """Return the access status of `learner` by the primary key of the training product.

    Those with which there is nothing to say are left out. One query, and what Oscar
    asks for the range of each plan that the learner has.
    """
    now = timezone.now()
    found = grounds(learner, trainings)
    return {pk: access_status_from(rows, at=now) for pk, rows in found.items()}


def grounds(
    learner: Learner, trainings: Iterable[TrainingProduct]
) -> dict[int, list[Access]]:
    """Return what `learner` has or had that opens each training, by primary key."""
    wanted = {training.pk: training for training in trainings}
    if not learner.is_authenticated or not wanted:
        return {}
    found: dict[int, list[Access]] = defaultdict(list)
    for row, opened in _opened_by(_rows_of(learner.pk, wanted), wanted):
        found[opened].append(row)
    return dict(found)


def holdings(learner: Learner) -> dict[TrainingProduct, AccessStatus]:
    """Return all that `learner` was ever given or bought, and how that stands.

    A path and a plan stand for themselves here, and not for what they open.
    """
    if not learner.is_authenticated:
        return {}
    held = Access.objects.filter(learner_id=learner.pk)
    by_training: dict[TrainingProduct, list[Access]] = defaultdict(list)
    for row in held.select_related("training__product").order_by("pk"):
        by_training[row.training].append(row)
    now = timezone.now()
    return {
        each: access_status_from(rows, at=now) for each, rows in by_training.items()
    }


def bought(
    learner: Learner, trainings: Iterable[TrainingProduct]
) -> dict[int, AccessStatus]:
    """Return how what `learner` has bought of these stands, by primary key.

    Neither what else opens them counts, nor what was refunded or ended by staff.
    """
    rows = Access.objects.filter(
        learner_id=learner.pk, training__in=list(trainings), order_line__isnull=False
    ).exclude(changes__kind=AccessChange.Kind.ENDED)
    by_training: dict[int, list[Access]] = defaultdict(list)
    for row in rows:
        by_training[row.training_id].append(row)
    now = timezone.now()
    return {pk: access_status_from(rows, at=now) for pk, rows in by_training.items()}


def due(
    learner: Learner, trainings: Iterable[TrainingProduct]
) -> dict[int, list[DueAccess]]:
    """Return what will open each of these to `learner` once it is paid, by primary key.

    What was ordered for several is not for them. No query where access opens with the
    order; one, and what Oscar asks for each plan, where it waits for a payment.
    """
    wanted = {training.pk: training for training in trainings}
    if not settings.PAID_STATUSES or not learner.is_authenticated or not wanted:
        return {}
    rows = DueAccess.objects.filter(learner_id=learner.pk, order_line__quantity=1)
    found: dict[int, list[DueAccess]] = defaultdict(list)
    in_order = rows.select_related("order_line__order").order_by("pk")
    for row, opened in _opened_by(_that_open(in_order, wanted), wanted):
        found[opened].append(row)
    return dict(found)


def ordered(learner: Learner) -> list[DueAccess]:
    """Return all that `learner` has ordered, for several too, and has not paid yet.

    No query where access opens with the order.
    """
    if not settings.PAID_STATUSES or not learner.is_authenticated:
        return []
    rows = DueAccess.objects.filter(learner_id=learner.pk).order_by("pk")
    return list(rows.select_related("order_line__order"))


def opens(row: Access, training: TrainingProduct) -> bool:
    """Tell whether one access row is for `training`, by whatever ground."""
    rows = _rows_of(row.learner_id, [training.pk]).filter(pk=row.pk)
    return any(_opened_by(rows, {training.pk: training}))


def opened_by_others(
    trainings: Iterable[TrainingProduct],
) -> dict[TrainingProduct, TrainingProduct]:
    """Return which of these a path or a plan among them opens as well, and which does.

    No query if there is neither, one for the paths, and what Oscar asks for each plan.
    """
    by_pk = {training.pk: training for training in trainings}
    found: dict[TrainingProduct, TrainingProduct] = {}
    if any(training.kind == ProductKind.PATH for training in by_pk.values()):
        listed = PathCourse.objects.filter(path__in=by_pk, course__in=by_pk)
        for path, course in listed.order_by("pk").values_list("path", "course"):
            found[by_pk[course]] = by_pk[path]
    for plan in by_pk.values():
        if plan.plan_content:
            for pk in _contained(plan.plan_content, by_pk.values()) - {plan.pk}:
                found.setdefault(by_pk[pk], plan)
    return found


def access_status_from(rows: Iterable[Access], *, at: datetime) -> AccessStatus:
    """Return what all these grounds together are worth at one moment.

    One that begins when another ends, or before, carries access on.
    """
    rows = sorted(rows, key=lambda row: (row.starts_at, row.pk))
    running = [row for row in rows if not row.has_ended(at)]
    ends = [row.ends_at for row in rows if row.ends_at and row.ends_at <= at]
    if not running:
        return AccessStatus(ended_at=max(ends, default=None))
    starts_at = running[0].starts_at
    has_access = starts_at <= at
    return AccessStatus(
        has_access=has_access,
        starts_at=starts_at,
        ends_at=end_of_run(running, at=max(at, starts_at)),
        ended_at=None if has_access else max(ends, default=None),
    )


def end_of_run(rows: Iterable[Access], *, at: datetime) -> datetime | None:
    """Return when access that is running at a moment ends: then if none is.

    None if it never does.
    """
    end = at
    for row in sorted(rows, key=lambda row: row.starts_at):
        if row.starts_at > end:
            break
        if row.ends_at is None:
            return None
        end = max(end, row.ends_at)
    return end


def _rows_of(learner_id: int, wanted: Iterable[int]) -> QuerySet[Any]:
    """Return the learner's plans, and what is for a wanted training or lists it.

    Each path once for every wanted course on its list.
    """
    return _that_open(Access.objects.filter(learner_id=learner_id), wanted)


def _that_open(rows: QuerySet[Any], wanted: Iterable[int]) -> QuerySet[Any]:
    keys = list(wanted)
    listed = FilteredRelation(
        "training__path_courses",
        condition=Q(training__path_courses__course__in=keys),
    )
    rows = rows.annotate(on_list=listed).annotate(listed=F("on_list__course_id"))
    rows = rows.filter(
        Q(training__in=keys)
        | Q(listed__isnull=False)
        | Q(training__plan_content__isnull=False)
    )
    return rows.select_related("training__plan_content")


def _opened_by(
    rows: Iterable[Any], wanted: Mapping[int, TrainingProduct]
) -> Iterator[tuple[Any, int]]:
    """Yield each row with the primary key of each wanted training that it opens."""
    in_plans: dict[int, frozenset[int]] = {}
    for row in rows:
        opened = {row.training_id, row.listed} & wanted.keys()
        if plan_content := row.training.plan_content:
            if plan_content.pk not in in_plans:
                in_plans[plan_content.pk] = _contained(plan_content, wanted.values())
            opened |= in_plans[plan_content.pk]
        for key in opened:
            yield row, key


def _contained(plan_content: Any, wanted: Iterable[TrainingProduct]) -> frozenset[int]:
    by_product = {training.product_id: training.pk for training in wanted}
    return frozenset(by_product[pk] for pk in products_in(plan_content, by_product))
