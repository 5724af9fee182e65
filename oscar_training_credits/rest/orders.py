"""Prices and orders by API, with their credits."""

from __future__ import annotations

from typing import Any

from ..mixins import Extension
from ..shop.order.settlements import line_credits, settlement_of
from ..shop.prices import CreditPrice


class PriceSerializerMixin(Extension):
    """For `serializers.checkout.PriceSerializer`: a price in credits says how many."""

    def to_representation(self, price: Any) -> Any:
        data = super().to_representation(price)
        if isinstance(price, CreditPrice):
            return {**data, "credits": price.credits}
        return data


class OrderSerializerMixin(Extension):
    """For `serializers.checkout.OrderSerializer`: adds `credits`."""

    def to_representation(self, order: Any) -> Any:
        settlement = settlement_of(order)
        credits = settlement.credits if settlement else 0
        return {**super().to_representation(order), "credits": credits}


class OrderLineSerializerMixin(Extension):
    """For `serializers.checkout.OrderLineSerializer`: adds `credits`."""

    def to_representation(self, line: Any) -> Any:
        return {**super().to_representation(line), "credits": line_credits(line)}
