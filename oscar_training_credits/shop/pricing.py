"""What a line costs: credits or money, never both.

A line that is settled in credits costs no money, so every total, tax, shipping rule,
offer and gateway of the site sees the right amount.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from oscar.core.loading import get_class

from ..credits.models import TrainingProduct
from ..mixins import Extension
from . import quotes
from .loading import with_mixin
from .training import (
    forget_stock,
    has_read_stock,
    is_known,
    read_with_stock,
    training_of,
)

FixedPrice: Any = get_class("partner.prices", "FixedPrice")
Unavailable: Any = get_class("partner.availability", "Unavailable")


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


class SelectorMixin(Extension):
    """For Oscar's `partner.strategy.Selector`: its strategies know credits."""

    def strategy(self, *args: Any, **kwargs: Any) -> Any:
        strategy = super().strategy(*args, **kwargs)
        base: type = type(strategy)
        strategy.__class__ = with_mixin(base, StrategyMixin)
        return strategy


class StrategyMixin(Extension):
    """For any strategy: prices credit-only products, and lines settled in credits."""

    def select_stockrecord(self, product: Any) -> Any:
        if is_known(product) or has_read_stock(product):
            return super().select_stockrecord(product)
        read_with_stock(product)
        try:
            return super().select_stockrecord(product)
        finally:
            forget_stock(product)

    def fetch_for_product(self, product: Any, stockrecord: Any = None) -> Any:
        info = super().fetch_for_product(product, stockrecord)
        training = training_of(product)
        if training and not product.is_public:
            # Oscar only hides it: who knows its address could still buy it.
            info = info._replace(availability=Unavailable())
        if training and training.credit_only and info.stockrecord:
            return info._replace(price=credit_only_price(training, info.stockrecord))
        return info

    def fetch_for_line(self, line: Any, stockrecord: Any = None) -> Any:
        info = super().fetch_for_line(line, stockrecord)
        training = training_of(line.product)
        if not training or not (
            training.takes_credits or quotes.is_frozen(line.basket)
        ):
            return info
        item = quotes.settled_item(line)
        if item is None:
            return info
        in_money = None if isinstance(info.price, CreditPrice) else info.price
        price = CreditPrice(
            info.price.currency, credits=item.unit_credits, instead_of=in_money
        )
        return info._replace(price=price)

    def parent_pricing_policy(self, product: Any, children_stock: Any) -> Any:
        """Price a parent by its children that have a price in money, if any has."""
        in_money = [pair for pair in children_stock if _has_money_price(pair[1])]
        if not in_money:
            for child, stockrecord in children_stock:
                training = training_of(child)
                if stockrecord and training and training.credit_only:
                    return credit_only_price(training, stockrecord)
        return super().parent_pricing_policy(product, in_money)


def credit_only_price(training: TrainingProduct, stockrecord: Any) -> CreditPrice:
    return CreditPrice(stockrecord.price_currency, credits=training.credits or 0)


def _has_money_price(stockrecord: Any) -> bool:
    return stockrecord is not None and stockrecord.price is not None
