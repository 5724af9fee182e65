"""What is on its way to somebody outside: an outbox."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .access import Access, AccessChange
from .columns import ServiceColumns, ServiceColumnsQuerySet
from .training import TrainingProduct
from .webhooks import WebhookEndpoint


class DeliveryQuerySet(ServiceColumnsQuerySet["Delivery"]):
    def pending(self) -> DeliveryQuerySet:
        """What has not arrived yet, and still can."""
        return self.filter(delivered_at=None, dropped_at=None)

    def due(self, at: datetime) -> DeliveryQuerySet:
        """What is to be tried now, and is being tried by nobody."""
        free = Q(taken_until=None) | Q(taken_until__lte=at)
        return self.pending().filter(free, next_attempt_at__lte=at)

    def before(self, delivery: Delivery) -> DeliveryQuerySet:
        """What was written earlier to the same queue."""
        if not delivery.queue:
            return self.none()
        return self.filter(queue=delivery.queue, pk__lt=delivery.pk)


class Delivery(ServiceColumns):
    """One message on its way, by one channel.

    News of access goes with its access. That this is gone itself, with its learner's
    account, is the one piece of news that has none.
    """

    class Channel(models.TextChoices):
        ENROLMENT = "enrolment", _("Learning system")
        MAIL = "mail", _("Mail")
        WEBHOOK = "webhook", _("Webhook")

    SERVICE_COLUMNS: ClassVar[frozenset[str]] = frozenset(
        {
            "attempts",
            "next_attempt_at",
            "taken_until",
            "delivered_at",
            "dropped_at",
            "error",
            "address",
            "deleted",
            "deleted_training",
            "replayed_at",
        }
    )

    channel = models.CharField(
        _("channel"), max_length=10, choices=Channel.choices, default=Channel.ENROLMENT
    )
    key = models.CharField(max_length=64, editable=False)
    """The idempotency key: the same for every attempt, another for all else."""
    is_kept = models.BooleanField(default=True, editable=False)
    """Its key is that of a cause: as long as it is there it is not written again."""
    queue = models.CharField(max_length=64, blank=True, editable=False)
    """What is in one queue arrives in order; empty if the order does not matter."""
    kind = models.CharField(_("what"), max_length=64)
    """What happened to access, or the communication event of a mail."""
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    """Who gets a mail; None for one to an address, and once the account is gone."""
    address = models.EmailField(max_length=254, blank=True, editable=False)
    """Where a mail goes to that is not for a user. Wiped once it has arrived."""
    content = models.JSONField(null=True, editable=False)
    """What the context of a mail is read from when it is sent: ids, no texts."""
    endpoint = models.ForeignKey(
        WebhookEndpoint,
        verbose_name=_("webhook"),
        null=True,
        editable=False,
        on_delete=models.CASCADE,
        related_name="deliveries",
    )
    access = models.ForeignKey(
        Access, null=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    deleted = models.JSONField(null=True, editable=False)
    """Of access that is gone: its primary key, and its learner's with the address.

    Wiped once the news has arrived, as is the training product.
    """
    deleted_training = models.ForeignKey(
        TrainingProduct,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    starts_at = models.DateTimeField(_("starts"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    created_at = models.DateTimeField(_("since"), default=timezone.now)
    replayed_at = models.DateTimeField(null=True, editable=False)
    """When somebody asked for it to be sent once more."""
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), default=timezone.now)
    taken_until = models.DateTimeField(null=True, editable=False)
    """While it is being tried: when others may try, should nothing be heard of that."""
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    dropped_at = models.DateTimeField(_("given up"), null=True, blank=True)
    """When it turned out that it can never arrive; `error` says why."""
    error = models.TextField(_("last error"), blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes = [
            models.Index(
                fields=["delivered_at", "next_attempt_at"],
                name="training_delivery_due",
            ),
            models.Index(
                fields=["queue", "delivered_at"], name="training_delivery_queue"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["key"], name="training_credits_delivered_once"
            )
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def training(self) -> TrainingProduct | None:
        """What news of access is about; None once that of deleted access arrived."""
        return self.access.training if self.access else self.deleted_training

    @property
    def access_kind(self) -> str:
        """What happened to access, in words."""
        return str(AccessChange.Kind(self.kind).label)
