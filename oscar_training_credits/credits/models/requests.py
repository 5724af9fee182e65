"""Credits that learners ask for, and what became of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .codes import CreditCode
from .training import TrainingProduct

LONGEST_NOTE = 500


class CreditRequest(models.Model):
    """A learner's question for the credits that a purchase of theirs lacks.

    `code` is the code that they tried, if it is one of theirs: its managers answer.
    `child` is the code that was cut for them. `open_key` names learner and content
    while it is open, so that there is one at a time.
    """

    decided_now = False
    """Whether the call that returned it has decided it; else that was before."""

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        APPROVED = "approved", _("Approved")
        DECLINED = "declined", _("Declined")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        EXPIRED = "expired", _("Expired")

    learner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("learner"),
        on_delete=models.CASCADE,
        related_name="+",
    )
    code = models.ForeignKey(
        CreditCode,
        verbose_name=_("code"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="requests",
    )
    credits = models.PositiveIntegerField(_("credits"))
    in_basket = models.BooleanField(_("from the basket"), default=False)
    """It is bought in the shop's basket, and not in place on its page."""
    note = models.CharField(_("note"), max_length=LONGEST_NOTE, blank=True)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.OPEN
    )
    open_key = models.CharField(  # noqa: DJ001
        max_length=255, null=True, editable=False
    )
    child = models.OneToOneField(
        CreditCode,
        verbose_name=_("code that was cut for it"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="answered_request",
    )
    reason = models.CharField(_("reason"), max_length=LONGEST_NOTE, blank=True)
    created_at = models.DateTimeField(_("asked"), default=timezone.now)
    decided_at = models.DateTimeField(_("decided"), null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("decided by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("request for credits")
        verbose_name_plural = _("requests for credits")
        indexes = [
            models.Index(
                fields=["state", "created_at"], name="training_credits_request_state"
            ),
        ]
        constraints = [
            # With `unique=True` PostgreSQL would keep an index for LIKE as well.
            models.UniqueConstraint(
                fields=["open_key"], name="training_credits_one_open_request"
            ),
            models.CheckConstraint(
                name="training_credits_request_open_or_not",
                condition=Q(state="open", open_key__isnull=False)
                | ~Q(state="open") & Q(open_key=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.learner_id}: {self.credits}"

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN

    @property
    def is_usable(self) -> bool:
        """Its credits have not been spent, as far as the request knows."""
        child, now = self.child, timezone.now()
        if child is None or child.state != child.State.ACTIVE:
            return False
        if child.expires_at and child.expires_at <= now:
            return False
        return any(grant.remaining for grant in child.grants.all())

    @property
    def content(self) -> str:
        """What it is for, in words."""
        return ", ".join(str(line) for line in self.lines.all())


class CreditRequestLine(models.Model):
    """Training that a learner asks credits for."""

    # The constraint has an index that begins with it.
    request = models.ForeignKey(
        CreditRequest, on_delete=models.CASCADE, related_name="lines", db_index=False
    )
    training = models.ForeignKey(
        TrainingProduct, on_delete=models.CASCADE, related_name="+"
    )
    quantity = models.PositiveIntegerField(_("quantity"), default=1)

    class Meta:
        verbose_name = _("line of a request for credits")
        verbose_name_plural = _("lines of requests for credits")
        constraints = [
            models.UniqueConstraint(
                fields=["request", "training"], name="training_credits_asked_once"
            )
        ]

    def __str__(self) -> str:
        title = str(self.training.product.get_title())
        return (
            title
            if self.quantity == 1
            else f"{title} \N{MULTIPLICATION SIGN} {self.quantity}"
        )
