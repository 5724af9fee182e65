"""What a line costs: credits or money, never both.

A line that is settled in credits costs no money, so every total, tax, shipping rule,
offer and gateway of the site sees the right amount.
"""

from __future__ import annotations

from typing import Any

from oscar.core.loading import get_class

from ...aliases import Product
from ...credits.models import TrainingProduct
from ...mixins import Extension
from ..basket import quotes
from ..catalogue.content_links import closed_to_visitor
from ..catalogue.training import (
    forget_stock,
    has_read_stock,
    is_known,
    read_with_line,
    read_with_stock,
    reading_children,
    training_of,
)
from ..loading import with_mixin
from ..prices import CreditPrice
from .availability import ContentClosed, availability_of

Unavailable: Any = get_class("partner.availability", "Unavailable")


class SelectorMixin(Extension):
    """For Oscar's `partner.strategy.Selector`: its strategies know credits."""

    def strategy(self, *args: Any, **kwargs: Any) -> Any:
        strategy = super().strategy(*args, **kwargs)
        # The site's selector has made it already, of whatever class it chose.
        base: type = type(strategy)
        strategy.__class__ = with_mixin(base, StrategyMixin)
        return strategy


class StrategyMixin(Extension):
    """For any strategy: prices credit-only products, and lines settled in credits.

    Training is available only as long and as often as it may be sold.
    """

    def select_stockrecord(self, product: Product) -> Any:
        if is_known(product) or has_read_stock(product):
            return super().select_stockrecord(product)
        read_with_stock([product])
        try:
            return super().select_stockrecord(product)
        finally:
            forget_stock(product)

    def select_children_stockrecords(self, product: Product) -> Any:
        with reading_children(product):
            return super().select_children_stockrecords(product)

    def fetch_for_product(self, product: Product, stockrecord: Any = None) -> Any:
        info = super().fetch_for_product(product, stockrecord)
        training = training_of(product)
        if training is None:
            return info
        if not is_on_sale(product):
            # Oscar only hides it: who knows its address could still buy it.
            info = info._replace(availability=Unavailable())
        info = _within_limits(info, training)
        if reason := closed_to_visitor(self).get(product.pk):
            info = info._replace(availability=ContentClosed(reason))
        if training.credit_only and info.stockrecord:
            return info._replace(price=credit_only_price(training, info.stockrecord))
        return info

    def fetch_for_line(self, line: Any, stockrecord: Any = None) -> Any:
        if not is_known(line.product):
            read_with_line(line)
        info = super().fetch_for_line(line, stockrecord)
        training = training_of(line.product)
        if not training:
            return info
        info = _within_limits(info, training)
        if not (training.takes_credits or quotes.is_frozen(line.basket)):
            return info
        item = quotes.settled_item(line)
        if item is None:
            return info
        in_money = None if isinstance(info.price, CreditPrice) else info.price
        price = CreditPrice(
            info.price.currency, credits=item.unit_credits, instead_of=in_money
        )
        return info._replace(price=price)

    def availability_policy(self, product: Product, stockrecord: Any) -> Any:
        """Also what Oscar asks of each child when it looks at their parent."""
        availability = super().availability_policy(product, stockrecord)
        training = training_of(product)
        return availability_of(training, availability) if training else availability

    def parent_pricing_policy(self, product: Product, children_stock: Any) -> Any:
        """Price a parent by its children that have a price in money, if any has."""
        in_money = [pair for pair in children_stock if _has_money_price(pair[1])]
        if not in_money:
            for child, stockrecord in children_stock:
                training = training_of(child)
                if stockrecord and training and training.credit_only:
                    return credit_only_price(training, stockrecord)
        return super().parent_pricing_policy(product, in_money)


def is_on_sale(product: Product) -> bool:
    """Tell whether `product` is public, and its parent too if it is a variant."""
    if product.is_child and not product.parent.is_public:
        return False
    return bool(product.is_public)


def credit_only_price(training: TrainingProduct, stockrecord: Any) -> CreditPrice:
    return CreditPrice(stockrecord.price_currency, credits=training.credits or 0)


def _within_limits(info: Any, training: TrainingProduct) -> Any:
    limited = availability_of(training, info.availability)
    return info._replace(availability=limited)


def _has_money_price(stockrecord: Any) -> bool:
    return stockrecord is not None and stockrecord.price is not None
