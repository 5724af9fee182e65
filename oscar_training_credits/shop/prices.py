"""A price in credits, which is zero in money."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from oscar.core.loading import get_class

FixedPrice: Any = get_class("partner.prices", "FixedPrice")


class CreditPrice(FixedPrice):
    """A price in credits: it exists, and is zero in money."""

    def __init__(self, currency: str, *, credits: int, instead_of: Any = None) -> None:
        super().__init__(currency, excl_tax=Decimal("0.00"), tax=Decimal("0.00"))
        self.credits = credits
        """Whole credits for one unit."""
        self.instead_of = instead_of
        """The price in money that it stands for; None if it is credit-only."""
        if instead_of is not None:
            self.tax_code = instead_of.tax_code
