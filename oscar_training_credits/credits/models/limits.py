"""How far a code's managers have narrowed it, within what staff have set."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .codes import CreditCode


class ManagerLimits(models.Model):
    """What managers have set on a code, beside what stood there before.

    The code's own columns are what counts, so that no rule asks here. This is how far
    a manager may widen them again.
    """

    code = models.OneToOneField(
        CreditCode,
        verbose_name=_("code"),
        on_delete=models.CASCADE,
        related_name="manager_limits",
    )
    narrowed = models.JSONField(_("narrowed"), default=dict)
    """Pairs by the name of the code's field: what staff set, and what managers did."""

    class Meta:
        verbose_name = _("limits by managers")
        verbose_name_plural = _("limits by managers")

    def __str__(self) -> str:
        return f"{self.code_id}"
