"""What the managers of a code want to hear of it."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .codes import CreditCode


class CodeNotices(models.Model):
    """Which mails go to a code's managers; without a row all that the site sends."""

    class Often(models.TextChoices):
        AT_ONCE = "at once", _("At once")
        DAILY = "daily", _("Once a day")
        WEEKLY = "weekly", _("Once a week")
        NEVER = "never", _("Never")

    code = models.OneToOneField(
        CreditCode,
        verbose_name=_("code"),
        on_delete=models.CASCADE,
        related_name="notices",
    )
    low_credits = models.PositiveIntegerField(
        _("few are so many credits"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
    )
    low_percent = models.PositiveSmallIntegerField(
        _("few are so many percent"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    used = models.CharField(
        _("credits used"), max_length=10, choices=Often.choices, blank=True
    )
    """How often they hear what was used; empty for what the site has set."""
    off = models.JSONField(_("not sent"), default=list)
    """The communication events whose mails they do without."""
    used_until = models.DateTimeField(_("told until"), null=True, editable=False)
    """They have heard of what was used before this moment."""

    class Meta:
        verbose_name = _("notices about a code")
        verbose_name_plural = _("notices about codes")
        constraints = [
            models.CheckConstraint(
                name="training_credits_one_threshold",
                condition=Q(low_credits=None) | Q(low_percent=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.code_id}"
