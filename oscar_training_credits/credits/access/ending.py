"""Access whose time runs out soon, or just has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from ...conf import settings
from ..models import Access, AccessChange
from .status import access_status

TOLD_FOR = timedelta(days=7)
"""How long after its end access that has ended is told of: what ended before is not."""


def ending_soon() -> Iterator[tuple[Access, int]]:
    """Yield access that ends soon, with the number of days before that are due.

    Not if it goes on by another ground, nor if it began within these days.
    """
    now, days = timezone.now(), sorted(settings.ACCESS_ENDS_DAYS)
    if not days:
        return
    soon = now + timedelta(days=days[-1])
    for access in _rows().filter(ends_at__gt=now, ends_at__lte=soon):
        left = access.ends_at - now
        before = next(each for each in days if left <= timedelta(days=each))
        if access.starts_at < access.ends_at - timedelta(days=before) and ends(access):
            yield access, before


def just_ended() -> Iterator[Access]:
    """Yield access whose time ran out within a week, if there is none instead.

    What staff or a refund ended is not among it.
    """
    now = timezone.now()
    rows = _rows().filter(ends_at__lte=now, ends_at__gt=now - TOLD_FOR)
    for access in rows.exclude(changes__kind=AccessChange.Kind.ENDED):
        if has_ended(access):
            yield access


def ends(access: Access, at: datetime | None = None) -> bool:
    """Tell whether the learner has no access after this; by the moment `at`, if any."""
    status = access_status(access.learner, access.training)
    is_last: bool = status.has_access and status.ends_at == access.ends_at
    return is_last and (at is None or access.ends_at == at)


def has_ended(access: Access) -> bool:
    """Tell whether this was the last access of the learner to it."""
    status = access_status(access.learner, access.training)
    return (
        not status.has_access
        and not status.is_to_come
        and status.ended_at == access.ends_at
    )


def _rows() -> QuerySet[Any]:
    related = ("learner", "training__product")
    return Access.objects.select_related(*related).order_by("pk")
