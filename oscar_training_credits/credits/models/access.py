"""Who may use what a training product opens, and until when."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .columns import ServiceColumns, ServiceColumnsQuerySet
from .training import TrainingProduct

if TYPE_CHECKING:
    from typing_extensions import Self


class AccessQuerySet(ServiceColumnsQuerySet["Access"]):
    def current(self, at: datetime) -> AccessQuerySet:
        return self.unended(at).filter(starts_at__lte=at)

    def unended(self, at: datetime) -> AccessQuerySet:
        """What runs, and what is to come."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=at))

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> list[Access]:
        rows = super().bulk_create(objs, *args, **kwargs)
        for row in rows:
            row.remember_stored()
        return rows


class Access(ServiceColumns):
    """A learner may use what a training product opens, from one moment until another.

    It was bought with an order line, or with a place on one that somebody else
    bought, or staff gave it.
    """

    SERVICE_COLUMNS: ClassVar[frozenset[str]] = frozenset({"starts_at", "ends_at"})
    _as_stored: dict[str, Any] | None = None

    learner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("learner"),
        on_delete=models.CASCADE,
        related_name="training_access",
        db_index=False,
    )
    training = models.ForeignKey(
        TrainingProduct,
        verbose_name=_("training product"),
        on_delete=models.PROTECT,
        related_name="access",
    )
    order_line = models.OneToOneField(
        "order.Line",
        verbose_name=_("order line"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="training_access",
    )
    place = models.OneToOneField(
        "Place",
        verbose_name=_("place"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="access",
    )
    starts_at = models.DateTimeField(_("starts"), default=timezone.now)
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)

    objects = AccessQuerySet.as_manager()

    class Meta:
        verbose_name = _("access")
        verbose_name_plural = _("access")
        indexes = [
            models.Index(
                fields=["learner", "training"], name="training_access_by_learner"
            )
        ]
        constraints = [
            models.CheckConstraint(
                # At its start ends what was given back before it began.
                name="training_credits_access_ends_after_start",
                condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")),
            ),
            models.CheckConstraint(
                name="training_credits_access_has_one_ground",
                condition=Q(order_line=None) | Q(place=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.learner_id}: {self.training_id}"

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Self:
        read = super().from_db(*args, **kwargs)
        read.remember_stored()
        return read

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        self.remember_stored()

    def remember_stored(self) -> None:
        """Note that the row is now as the object has it."""
        self._as_stored = self._period()

    def left_out(self) -> Collection[str]:
        """Return what the caller has not changed: of that others may know better."""
        if self._as_stored is None:
            return self.SERVICE_COLUMNS
        now = self._period()
        return {name for name in now if now[name] == self._as_stored.get(name)}

    def _period(self) -> dict[str, Any]:
        """Return the columns of a service, without reading any from the database."""
        return {name: self.__dict__.get(name) for name in self.SERVICE_COLUMNS}

    def has_ended(self, at: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= at


class AccessChange(models.Model):
    """What was done to somebody's access other than by its purchase, for the record."""

    class Kind(models.TextChoices):
        GIVEN = "given", _("Given")
        CHANGED = "changed", _("Changed")
        ENDED = "ended", _("Ended")

    access = models.ForeignKey(
        Access,
        verbose_name=_("access"),
        on_delete=models.CASCADE,
        related_name="changes",
    )
    kind = models.CharField(_("what"), max_length=10, choices=Kind.choices)
    former_end = models.DateTimeField(_("ended before"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends now"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=200)
    idempotency_key = models.CharField(  # noqa: DJ001
        max_length=64, null=True, editable=False
    )
    """What must not be done twice, where the caller names it."""
    changed_at = models.DateTimeField(_("when"), default=timezone.now)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("change of access")
        verbose_name_plural = _("changes of access")
        constraints = [
            models.UniqueConstraint(
                fields=["idempotency_key"], name="training_credits_access_changed_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.access_id}: {self.kind}"


class PlaceQuerySet(ServiceColumnsQuerySet["Place"]):
    def kept(self) -> PlaceQuerySet:
        """Leave out what was taken back with a refund."""
        return self.filter(revoked_at=None)


class Place(ServiceColumns):
    """One of several places that an order line bought, for a learner to claim.

    Its link carries the salt with a signature, so the row alone opens nothing; a new
    salt makes the old link worthless. The period of access is that of the day of
    purchase.
    """

    SERVICE_COLUMNS: ClassVar[frozenset[str]] = frozenset(
        {"salt", "claimed_at", "revoked_at"}
    )
    ROW_COLUMN: ClassVar[str] = "order_line"

    order_line = models.ForeignKey(
        "order.Line",
        verbose_name=_("order line"),
        on_delete=models.PROTECT,
        related_name="training_places",
        db_index=False,
    )
    training = models.ForeignKey(
        TrainingProduct, on_delete=models.PROTECT, related_name="+"
    )
    number = models.PositiveIntegerField(_("number"))
    meant_for = models.CharField(_("meant for"), max_length=200, blank=True)
    """For whom it is, in the buyer's words."""
    salt = models.CharField(max_length=32, editable=False)
    access_days = models.PositiveIntegerField(null=True, blank=True)
    starts_at = models.DateTimeField(_("starts"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    claimed_at = models.DateTimeField(_("claimed"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    objects = PlaceQuerySet.as_manager()

    class Meta:
        verbose_name = _("place")
        verbose_name_plural = _("places")
        constraints = [
            models.UniqueConstraint(
                fields=["order_line", "number"], name="training_credits_place_number"
            ),
            models.UniqueConstraint(
                fields=["salt"], name="training_credits_place_salt_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_line_id}: {self.number}"

    @property
    def is_free(self) -> bool:
        """Somebody can still claim it."""
        return self.claimed_at is None and self.revoked_at is None


class DueAccess(models.Model):
    """What an order line gives once its order is paid: the terms of its purchase.

    It is deleted when it is opened, or when the line is refunded or cancelled. Until
    then it opens nothing.
    """

    order_line = models.OneToOneField(
        "order.Line",
        verbose_name=_("order line"),
        on_delete=models.CASCADE,
        related_name="training_due",
    )
    learner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("learner"),
        on_delete=models.CASCADE,
        related_name="training_due",
    )
    training = models.ForeignKey(
        TrainingProduct,
        verbose_name=_("training product"),
        on_delete=models.PROTECT,
        related_name="due",
    )
    access_days = models.PositiveIntegerField(null=True, blank=True)
    starts_at = models.DateTimeField(_("starts"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)

    class Meta:
        verbose_name = _("access that is due")
        verbose_name_plural = _("access that is due")

    def __str__(self) -> str:
        return f"{self.learner_id}: {self.training_id}"
