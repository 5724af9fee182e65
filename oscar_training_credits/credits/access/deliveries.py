"""News of access for the learning system that a site has: written, and sent.

The outbox sends it after the commit, and again until it has arrived.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Max, OuterRef, QuerySet, Subquery
from django.utils import timezone

from ...conf import settings
from .. import outbox
from ..locking import for_update
from ..models import Access, AccessChange, Delivery, TrainingProduct

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

Kind = AccessChange.Kind


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


def write_news(rows: Iterable[Access], kind: str) -> None:
    """Write news of access, and try it when the transaction is committed.

    Without a backend nothing is written. The caller changes the rows in the same
    transaction.
    """
    if settings.ENROLMENT_BACKEND:
        outbox.write(_news(access, kind) for access in rows)


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
    news = Delivery(
        key=uuid4().hex,
        kind=Kind.ENDED,
        deleted=_remains(access),
        deleted_training_id=access.training_id,
        starts_at=min(access.starts_at, now),
        ends_at=now if access.ends_at is None else min(access.ends_at, now),
        next_attempt_at=_end_of_attempts(access) or now,
    )
    outbox.write([news])


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


def send(delivery: Delivery) -> None:
    """Tell the enrolment backend what a delivery says."""
    enrolment_backend = settings.load("ENROLMENT_BACKEND")
    enrolment_backend(
        AccessEvent(
            key=delivery.key,
            kind=delivery.kind,
            access=_access_of(delivery),
            starts_at=cast("datetime", delivery.starts_at),
            ends_at=delivery.ends_at,
            is_account_deleted=delivery.access is None,
        )
    )


def is_on() -> bool:
    """Tell whether the site has an enrolment backend."""
    return bool(settings.ENROLMENT_BACKEND)


SENDER = outbox.Sender(send, is_on, prepare=write_run_out)


def _news(access: Access, kind: str) -> Delivery:
    return Delivery(
        key=uuid4().hex,
        queue=f"access-{access.pk}",
        access=access,
        kind=kind,
        starts_at=access.starts_at,
        ends_at=access.ends_at,
    )


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
        starts_at=cast("datetime", delivery.starts_at),
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
