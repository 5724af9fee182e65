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
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=at), starts_at__lte=at)


class Access(models.Model):
    """A learner may use a training product's content from one moment until another."""

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
        on_delete=models.PROTECT,
        related_name="training_access",
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
            )
        ]

    def __str__(self) -> str:
        return f"{self.learner_id}: {self.training_id}"

    def has_ended(self, at: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= at
