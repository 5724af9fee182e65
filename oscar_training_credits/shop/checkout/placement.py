"""Placing an order from a view that is no step of Oscar's checkout."""

from __future__ import annotations

from typing import Any

from oscar.apps.checkout.utils import CheckoutSessionData
from oscar.core.loading import get_class

from ...aliases import Request

OrderPlacementMixin: Any = get_class("checkout.mixins", "OrderPlacementMixin")


class Placement(OrderPlacementMixin):
    """What Oscar's checkout knows of orders, for a view that is no step of it."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.checkout_session = CheckoutSessionData(request)
