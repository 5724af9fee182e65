"""To whom the links of places were mailed. The links themselves are kept nowhere."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .access import Place


class PlaceMail(models.Model):
    """The link of a place that its buyer has had mailed to somebody."""

    place = models.ForeignKey(
        Place,
        verbose_name=_("place"),
        on_delete=models.CASCADE,
        related_name="mails",
    )
    address = models.EmailField(_("e-mail address"), max_length=254)
    idempotency_key = models.CharField(max_length=64, editable=False)
    sent_at = models.DateTimeField(_("sent"), default=timezone.now)

    class Meta:
        verbose_name = _("mail of a place")
        verbose_name_plural = _("mails of places")
        constraints = [
            models.UniqueConstraint(
                fields=["idempotency_key"], name="training_credits_place_mailed_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.place_id}: {self.address}"
