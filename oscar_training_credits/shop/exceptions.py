"""Errors in Oscar's own families, so that its checkout knows what to do with them."""

from __future__ import annotations

from typing import Any

from oscar.apps.order.exceptions import UnableToPlaceOrder

from ..exceptions import TrainingCreditsError


class OrderRefused(TrainingCreditsError, UnableToPlaceOrder):
    """An order must not be written as it stands; the message is for the learner."""


class BasketUnderWay(OrderRefused):
    """This basket is being ordered at this moment, by another click or tab."""

    def __init__(self, basket: Any) -> None:
        super().__init__("This order is being placed already.")
        self.basket = basket


class BasketAlreadyOrdered(OrderRefused):
    """This basket has become an order before; `order` is that order."""

    def __init__(self, order: Any) -> None:
        super().__init__(f"Order {order.number} has been placed already.")
        self.order = order
