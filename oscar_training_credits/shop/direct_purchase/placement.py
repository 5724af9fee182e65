"""Placing the order of a purchase in place."""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpResponseRedirect
from oscar.core.loading import get_class

from ...aliases import Basket, Order
from ...credits.patience import nothing_taken
from ...exceptions import PurchaseRefused
from ..checkout.placement import Placement
from ..exceptions import OrderRefused
from ..order.creator import placed_order

logger = logging.getLogger("training_credits")


class DirectPlacement(Placement):
    """Places an order as Oscar's checkout does, for a basket that credits cover."""

    order: Order = None
    """What has been written by this request."""

    def place(self, basket: Basket) -> Any:
        """Write the order, send its mail and signals, and return it."""
        shipping = get_class("shipping.methods", "NoShippingRequired")()
        calculator = get_class("checkout.calculators", "OrderTotalCalculator")
        charge = shipping.calculate(basket)
        try:
            self.handle_order_placement(
                self.generate_order_number(basket),
                self.request.user,
                basket,
                shipping_address=None,
                shipping_method=shipping,
                shipping_charge=charge,
                billing_address=None,
                order_total=calculator(self.request).calculate(basket, charge),
            )
        except OrderRefused as refused:
            raise PurchaseRefused(str(refused)) from refused
        except Exception as error:
            # As Oscar's checkout does: whatever failed, nothing was written.
            logger.exception("Basket %s: could not place the order", basket.pk)
            raise PurchaseRefused(nothing_taken()) from error
        return self.order or placed_order(basket)

    def handle_successful_order(self, order: Order) -> HttpResponseRedirect:
        """Send mail and signal, without ending the checkout of the shopping basket."""
        self.order = order
        self.send_order_placed_email(order)
        response = HttpResponseRedirect(self.get_success_url())
        self.send_signal(self.request, response, order)
        return response

    def show_order_despite_failure(self, order: Order) -> HttpResponseRedirect:
        return self.show_order(order)
