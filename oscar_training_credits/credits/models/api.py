"""Who may call the API, and what it answered to calls that must not happen twice."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class Scope(models.TextChoices):
    """What a token may be used for, as far as its user may do it."""

    CODES_READ = "codes:read", _("Read codes and the entries of the ledger")
    CODES_WRITE = "codes:write", _("Issue and change codes, and move credits")
    CODES_CHECK = "codes:check", _("Check the text of a code")
    ORDERS_READ = "orders:read", _("Read the credits of orders")
    ORDERS_REFUND = "orders:refund", _("Give the credits of orders back")
    ACCESS_READ = "access:read", _("Read access to training")
    ACCESS_WRITE = "access:write", _("Give, extend and end access to training")
    REQUESTS_READ = "requests:read", _("Read requests for credits")
    REQUESTS_WRITE = "requests:write", _("Ask for credits, and answer requests")


class ApiToken(models.Model):
    """A secret by which a program calls the API as one user, within some scopes.

    At rest there is a digest of its text and its last four characters.
    """

    name = models.CharField(
        _("name"),
        max_length=100,
        help_text=_("The program that uses it, for example “CRM”."),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("acts as"),
        on_delete=models.CASCADE,
        related_name="+",
    )
    """As whom it acts: it may do nothing that this user may not."""
    scopes = models.JSONField(_("scopes"), default=list)
    digest = models.CharField(max_length=64, editable=False)
    last_four = models.CharField(
        _("last four characters"), max_length=4, editable=False
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    """To the hour: not every call writes to it."""
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        constraints = [
            # Not `unique`: PostgreSQL would keep a second index, for LIKE.
            models.UniqueConstraint(
                fields=["digest"], name="training_credits_one_token_per_digest"
            )
        ]

    def __str__(self) -> str:
        names = {"name": self.name, "ending": self.last_four}
        return _("%(name)s (token ending %(ending)s)") % names

    def is_valid(self, at: datetime) -> bool:
        """Tell whether it can be used: it is neither revoked nor expired."""
        return not self.revoked_at and not (self.expires_at and self.expires_at <= at)

    def scope_texts(self) -> list[StrOrPromise]:
        """Return what it may be used for, in words."""
        return [Scope(each).label for each in self.scopes if each in Scope.values]


class ApiCall(models.Model):
    """What was answered to a call with an idempotency key.

    It is written with what the call does, so neither is there without the other. No
    text of a code is in the answer: it is derived from the salt, the site's secret
    and the key itself, of which only a digest is kept.
    """

    # The constraint has an index that begins with it.
    token = models.ForeignKey(
        ApiToken, on_delete=models.CASCADE, related_name="calls", db_index=False
    )
    key_digest = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=64)
    """A digest of what was asked for: method, path and body."""
    salt = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("API call")
        verbose_name_plural = _("API calls")
        default_permissions = ()
        indexes = [
            models.Index(fields=["created_at"], name="training_credits_call_age")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["token", "key_digest"], name="training_credits_called_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.token_id}: {self.key_digest[:8]}"
