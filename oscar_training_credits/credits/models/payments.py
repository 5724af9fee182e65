"""Other money that was taken for an order, until that order is written."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .columns import ServiceColumns, ServiceColumnsQuerySet


class TakenPayment(ServiceColumns):
    """What a gateway took for an order that is paid in part with credits.

    Noted at once, as Oscar keeps its payment sources in memory until the order is
    there, and deleted with that. What stays was taken for nothing, and is to be paid
    back: it is settled once the site has been told, or staff have said so.
    """

    SERVICE_COLUMNS: ClassVar[frozenset[str]] = frozenset({"settled_at"})
    ROW_COLUMN: ClassVar[str] = "order_number"

    order_number = models.CharField(_("order number"), max_length=128)
    basket = models.ForeignKey(
        "basket.Basket",
        verbose_name=_("basket"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    source_type = models.ForeignKey(
        "payment.SourceType",
        verbose_name=_("source type"),
        on_delete=models.PROTECT,
        related_name="+",
    )
    currency = models.CharField(_("currency"), max_length=12)
    amount_allocated = models.DecimalField(
        _("allocated"), max_digits=12, decimal_places=2
    )
    amount_debited = models.DecimalField(_("debited"), max_digits=12, decimal_places=2)
    reference = models.CharField(_("reference"), max_length=255, blank=True)
    label = models.CharField(_("label"), max_length=128, blank=True)
    created_at = models.DateTimeField(_("taken"), default=timezone.now)
    settled_at = models.DateTimeField(_("settled"), null=True, db_index=True)

    objects = ServiceColumnsQuerySet["TakenPayment"].as_manager()

    class Meta:
        verbose_name = _("payment without an order")
        verbose_name_plural = _("payments without an order")

    def __str__(self) -> str:
        return f"{self.order_number}: {self.reference}"

    @property
    def amount(self) -> Decimal:
        """What is to be paid back, in `currency`."""
        return max(self.amount_allocated, self.amount_debited)
