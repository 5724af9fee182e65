"""How an Oscar product is sold as training."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

MOST_CREDITS = 1_000_000
LONGEST_ACCESS = 36_500


class TrainingProduct(models.Model):
    """The terms on which an Oscar product is sold as training.

    Without `credits` it takes no credits and only opens content for money.
    Without `access_days` access lasts for ever.
    """

    product = models.OneToOneField(
        "catalogue.Product",
        verbose_name=_("product"),
        on_delete=models.CASCADE,
        related_name="training",
    )
    credits = models.PositiveIntegerField(
        _("credits"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_CREDITS)],
        help_text=_("Leave it empty if it can't be paid in credits."),
    )
    credit_only = models.BooleanField(
        _("credit-only"),
        default=False,
        help_text=_("It has no money price and can only be had for credits."),
    )
    access_days = models.PositiveIntegerField(
        _("days of access"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_ACCESS)],
        help_text=_("How long access lasts. Leave it empty for no end."),
    )

    class Meta:
        verbose_name = _("training product")
        verbose_name_plural = _("training products")
        constraints = [
            models.CheckConstraint(
                name="training_credits_credit_only_has_credits",
                condition=Q(credit_only=False) | Q(credits__isnull=False),
                violation_error_message=_(
                    "A credit-only product needs a price in credits."
                ),
            ),
            models.CheckConstraint(
                name="training_credits_price_is_positive",
                condition=Q(credits=None) | Q(credits__gte=1),
            ),
        ]

    def __str__(self) -> str:
        return str(self.product)

    @property
    def takes_credits(self) -> bool:
        return self.credits is not None

    def clean(self) -> None:
        check_terms(credits=self.credits, credit_only=self.credit_only)


def check_terms(*, credits: int | None, credit_only: bool, **_other: Any) -> None:
    """Refuse terms that make no sense, with the message at the field to mend.

    Raises:
        ValidationError: credit-only without a price in credits.
    """
    if credit_only and credits is None:
        raise ValidationError(
            {"credits": _("Say how many credits it costs: it is credit-only.")}
        )


class ParkedPrice(models.Model):
    """The money price that a stock record had before its product went credit-only."""

    stockrecord = models.OneToOneField(
        "partner.StockRecord", on_delete=models.CASCADE, related_name="+"
    )
    price = models.DecimalField(max_digits=12, decimal_places=2)

    def __str__(self) -> str:
        return str(self.price)


class MoneyChoice(models.Model):
    """A learner's wish to pay a basket line with money although credits could."""

    line = models.OneToOneField(
        "basket.Line", on_delete=models.CASCADE, related_name="money_choice"
    )

    def __str__(self) -> str:
        return str(self.line_id)


class ExpressPurchase(models.Model):
    """A basket for one training product alone, bought from its page.

    It is frozen from the start, so that it is never the learner's shopping basket.
    """

    basket = models.OneToOneField(
        "basket.Basket", on_delete=models.CASCADE, related_name="express_purchase"
    )
    learner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    training = models.ForeignKey(
        TrainingProduct, on_delete=models.CASCADE, related_name="+"
    )

    def __str__(self) -> str:
        return str(self.basket_id)
