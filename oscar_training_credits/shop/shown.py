"""What a learner was shown before confirming: sent with the form, checked after."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core import signing

from .quotes import quote_of

FIELD = "training_credits_shown"
SALT = "oscar_training_credits.shown"
NO_MONEY = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Shown:
    """The basket, the credits and the money that were on the screen."""

    basket_id: int
    credits: int
    total: Decimal

    def is_dearer(self, now: Shown) -> bool:
        """Tell whether what is asked `now` is more than what was shown."""
        return now.credits > self.credits or now.total > self.total


def terms_of(basket: Any, total: Any) -> Shown:
    """Return what `basket` costs, with the order's `total` in money."""
    return Shown(basket.pk, quote_of(basket).credits, money_of(total))


def money_of(total: Any) -> Decimal:
    """Return the money of an order's total, tax included where it is known."""
    money: Decimal = total.incl_tax if total.is_tax_known else total.excl_tax
    return money


def write(shown: Shown) -> str:
    """Return `shown` as a signed text for a hidden field."""
    values = [shown.basket_id, shown.credits, str(shown.total)]
    return signing.dumps(values, salt=SALT, compress=True)


def read(data: Any) -> Shown | None:
    """Return what a form says was shown; None if it doesn't, or was tampered with."""
    try:
        basket_id, credits, total = signing.loads(data.get(FIELD, ""), salt=SALT)
    except signing.BadSignature:
        return None
    return Shown(basket_id, credits, Decimal(total))
