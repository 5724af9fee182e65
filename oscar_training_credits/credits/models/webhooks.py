"""Who is told by HTTP what happens to credits, and of what."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .columns import ServiceColumns, ServiceColumnsQuerySet


class EventType(models.TextChoices):
    """What there is to be told, by its name in a webhook."""

    CREDITS_GRANTED = "credits.granted", _("Credits were put on a code")
    CREDITS_REDEEMED = "credits.redeemed", _("Credits were spent")
    CREDITS_HELD = "credits.held", _("Credits are held for a payment")
    CREDITS_RELEASED = "credits.released", _("Held credits were released")
    CREDITS_REFUNDED = "credits.refunded", _("Credits were given back")
    CREDITS_ADJUSTED = "credits.adjusted", _("Credits were taken off by staff")
    CREDITS_LAPSED = "credits.lapsed", _("Credits lapsed")
    CREDITS_MOVED = "credits.moved", _("Credits moved between a code and its child")
    CODE_ISSUED = "code.issued", _("A code was issued")
    CODES_ISSUED = "codes.issued", _("Many codes were issued")
    CODE_EDITED = "code.edited", _("A code was edited")
    CODE_EXTENDED = "code.extended", _("A code was extended")
    CODE_ROTATED = "code.rotated", _("A code got a new text")
    CODE_DISABLED = "code.disabled", _("A code was disabled")
    CODE_ENABLED = "code.enabled", _("A code was made active again")
    CODE_CLOSED = "code.closed", _("A code was closed")
    ACCESS_GIVEN = "access.given", _("Access was given")
    ACCESS_CHANGED = "access.changed", _("Access was changed")
    ACCESS_ENDED = "access.ended", _("Access was ended before its time")
    REQUEST_OPEN = "request.open", _("Credits were asked for")
    REQUEST_APPROVED = "request.approved", _("A request for credits was approved")
    REQUEST_DECLINED = "request.declined", _("A request for credits was declined")
    REQUEST_WITHDRAWN = "request.withdrawn", _("A request for credits was withdrawn")
    REQUEST_EXPIRED = "request.expired", _("Nobody answered a request in time")
    TEST = "webhook.test", _("Somebody tries the webhook")


class WebhookEndpoint(ServiceColumns):
    """An address of another system that is told of events.

    The secret that its messages are signed with is derived from the salt and the
    site's own secret, so that who reads the database alone can't sign.
    """

    FORMER_SECRET_WORKS = timedelta(hours=24)

    SERVICE_COLUMNS: ClassVar[frozenset[str]] = frozenset(
        {"salt", "former_salts", "rotated_at", "is_enabled", "disabled_because"}
    )
    ROW_COLUMN: ClassVar[str] = "created_at"

    url = models.URLField(_("address"), max_length=500)
    description = models.CharField(
        _("description"),
        max_length=100,
        help_text=_("Which system it is, for example “Accounting”."),
    )
    events = models.JSONField(_("events"), default=list, blank=True)
    """The names of those it is told of; empty for all."""
    is_enabled = models.BooleanField(_("on"), default=True)
    disabled_because = models.CharField(max_length=200, blank=True, editable=False)
    salt = models.CharField(max_length=64, editable=False)
    former_salts = models.JSONField(default=list, editable=False)
    """Of secrets that still sign along: each salt with the second when that ends."""
    rotated_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    objects = ServiceColumnsQuerySet["WebhookEndpoint"].as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        constraints = [
            # Not `unique`: PostgreSQL would keep a second index, for LIKE.
            models.UniqueConstraint(
                fields=["salt"], name="training_credits_one_webhook_per_salt"
            )
        ]

    def __str__(self) -> str:
        return self.description

    def hears(self, event: str) -> bool:
        """Tell whether it is told of events with this name."""
        return not self.events or event in self.events or event == EventType.TEST

    def salts(self, at: datetime) -> list[str]:
        """Return what its secrets are derived from, for a day the former one too."""
        return [self.salt, *(salt for salt, _until in self.valid_former_salts(at))]

    def valid_former_salts(self, at: datetime) -> list[tuple[str, float]]:
        """Return those of secrets that still sign along, the newest first."""
        known = self.former_salts
        return [(salt, until) for salt, until in known if at.timestamp() < until]
