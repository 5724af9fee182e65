"""Credits on sale: the packs that a shop sells, and those that were bought."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from ..terms import LONGEST_ACCESS, MOST_CREDITS, MOST_GRANTED
from .codes import CreditCode, CreditGrant
from .columns import ServiceColumns, ServiceColumnsQuerySet
from .training import CountField


class PackFields(models.Model):
    """What a pack gives, of the pack on sale and of one that was bought."""

    credits = CountField(
        _("credits"),
        validators=[MinValueValidator(1), MaxValueValidator(MOST_CREDITS)],
        help_text=_("How many credits one pack puts on a code."),
    )
    days = CountField(
        _("days to spend them"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_ACCESS)],
        help_text=_(
            "The credits expire at the end of so many days after the day on which they"
            " are put on the code. Leave it empty for no end."
        ),
    )
    content = models.ForeignKey(
        "offer.Range",
        verbose_name=_("only for"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_(
            "The range of products that a new code with these credits pays for. Leave"
            " it empty for all that takes credits."
        ),
    )

    class Meta:
        abstract = True


class CreditPack(PackFields):
    """An Oscar product that puts credits on a code for whoever buys it.

    Its price in money is Oscar's. It is never training, so credits can't buy credits.
    """

    product = models.OneToOneField(
        "catalogue.Product",
        verbose_name=_("product"),
        on_delete=models.CASCADE,
        related_name="credit_pack",
    )

    class Meta:
        verbose_name = _("credit pack")
        verbose_name_plural = _("credit packs")
        constraints = [
            models.CheckConstraint(
                name="training_credits_pack_has_credits",
                condition=Q(credits__gte=1),
            ),
        ]

    def __str__(self) -> str:
        return str(self.product)

    def may_be(self, quantity: int) -> bool:
        """Tell whether so many of them can be put on one code."""
        return bool(self.credits * quantity <= MOST_GRANTED)


class TopUpChoice(models.Model):
    """The code that packs on a basket line are to top up, instead of a new code."""

    line = models.OneToOneField(
        "basket.Line", on_delete=models.CASCADE, related_name="top_up_choice"
    )
    code = models.ForeignKey(CreditCode, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"{self.line_id}: {self.code_id}"


class PackSale(PackFields, ServiceColumns):
    """Packs that were bought on one order line, on the terms of that moment.

    `grant` is empty until the order is paid: exactly one is made then. What was still
    unspent of it when the order was cancelled is `taken_back`, and nothing is granted
    once that is set.
    """

    SERVICE_COLUMNS: ClassVar[frozenset[str]] = frozenset(
        {"grant", "taken_back", "text_shown_at"}
    )
    ROW_COLUMN: ClassVar[str] = "order_line"

    order_line = models.OneToOneField(
        "order.Line", on_delete=models.PROTECT, related_name="pack_sale"
    )
    buyer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("buyer"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    quantity = models.PositiveIntegerField(_("quantity"))
    paid_amount = models.DecimalField(
        _("sold for"),
        max_digits=12,
        decimal_places=2,
        help_text=_("What the line cost after discounts, without tax."),
    )
    paid_currency = models.CharField(_("currency"), max_length=12)
    top_up = models.ForeignKey(
        CreditCode,
        verbose_name=_("tops up"),
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    grant = models.OneToOneField(
        CreditGrant,
        verbose_name=_("grant"),
        null=True,
        on_delete=models.PROTECT,
        related_name="pack_sale",
    )
    text_shown_at = models.DateTimeField(_("text shown"), null=True)
    taken_back = models.PositiveIntegerField(_("taken back"), null=True)

    objects = ServiceColumnsQuerySet["PackSale"].as_manager()

    class Meta:
        verbose_name = _("sale of credits")
        verbose_name_plural = _("sales of credits")
        constraints = [
            models.CheckConstraint(
                name="training_credits_sale_of_some",
                condition=Q(credits__gte=1, quantity__gte=1),
            ),
            models.CheckConstraint(
                name="training_credits_sale_taken_back_once",
                condition=Q(taken_back=None)
                | Q(taken_back__lte=F("credits") * F("quantity")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_line_id}: {self.total}"

    @property
    def total(self) -> int:
        """The credits that it puts on one code."""
        return int(self.credits * self.quantity)
