"""Who may use what a training product opens, and until when."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .training import TrainingProduct


class AccessQuerySet(models.QuerySet["Access"]):
    def current(self, at: datetime) -> AccessQuerySet:
        return self.unended(at).filter(starts_at__lte=at)

    def unended(self, at: datetime) -> AccessQuerySet:
        """What runs, and what is to come."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=at))


class Access(models.Model):
    """A learner may use what a training product opens, from one moment until another.

    It was bought with an order line, or with a place on one that somebody else
    bought, or staff gave it.
    """

    learner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("learner"),
        on_delete=models.CASCADE,
        related_name="training_access",
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
    cause = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001
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

    def __str__(self) -> str:
        return f"{self.access_id}: {self.kind}"


class Place(models.Model):
    """One of several places that an order line bought, for a learner to claim.

    At rest there is a keyed digest of the text in its claim link. The period of
    access is that of the day of purchase.
    """

    order_line = models.ForeignKey(
        "order.Line",
        verbose_name=_("order line"),
        on_delete=models.PROTECT,
        related_name="training_places",
    )
    training = models.ForeignKey(
        TrainingProduct, on_delete=models.PROTECT, related_name="+"
    )
    number = models.PositiveIntegerField(_("number"))
    digest = models.CharField(max_length=64, unique=True, editable=False)
    access_days = models.PositiveIntegerField(null=True, blank=True)
    starts_at = models.DateTimeField(_("starts"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("place")
        verbose_name_plural = _("places")
        constraints = [
            models.UniqueConstraint(
                fields=["order_line", "number"], name="training_credits_place_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.order_line_id}: {self.number}"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def pending(self) -> DeliveryQuerySet:
        """What has not arrived yet."""
        return self.filter(delivered_at=None)

    def due(self, at: datetime) -> DeliveryQuerySet:
        """What is to be tried now, and is being tried by nobody."""
        free = Q(taken_until=None) | Q(taken_until__lte=at)
        return self.pending().filter(free, next_attempt_at__lte=at)

    def before(self, delivery: Delivery) -> DeliveryQuerySet:
        """Earlier news of the same access."""
        return self.filter(access_id=delivery.access_id, pk__lt=delivery.pk)


class Delivery(models.Model):
    """News of somebody's access on its way to the site's granter: an outbox."""

    key = models.CharField(max_length=64, unique=True, editable=False)
    """The idempotency key: the same for every attempt, another for all other news."""
    access = models.ForeignKey(
        Access, on_delete=models.CASCADE, related_name="deliveries"
    )
    kind = models.CharField(_("what"), max_length=10, choices=AccessChange.Kind.choices)
    starts_at = models.DateTimeField(_("starts"))
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    created_at = models.DateTimeField(_("since"), default=timezone.now)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), default=timezone.now)
    taken_until = models.DateTimeField(null=True, editable=False)
    """While it is being tried: when others may try, should nothing be heard of that."""
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    error = models.TextField(_("last error"), blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes = [
            models.Index(
                fields=["delivered_at", "next_attempt_at"],
                name="training_delivery_due",
            )
        ]

    def __str__(self) -> str:
        return self.key
