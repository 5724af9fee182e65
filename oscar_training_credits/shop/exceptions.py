"""Errors in Oscar's own families, so that its checkout knows what to do with them."""

from __future__ import annotations

from django.utils.translation import gettext as _
from oscar.apps.order.exceptions import UnableToPlaceOrder

from ..aliases import Basket, Order
from ..exceptions import TrainingCreditsError


class OrderRefused(TrainingCreditsError, UnableToPlaceOrder, ValueError):
    """An order must not be written as it stands; the message is for the learner.

    A `ValueError` too, as are Oscar's own refusals to write an order: what places
    orders without Oscar's checkout, such as django-oscar-api, knows how to answer it.
    """


class BasketUnderWay(OrderRefused):
    """This basket is being ordered at this moment, by another click or tab."""

    def __init__(self, basket: Basket) -> None:
        super().__init__(_("This order is being placed already."))
        self.basket = basket


class BasketAlreadyOrdered(OrderRefused):
    """This basket has become an order before; `order` is that order."""

    def __init__(self, order: Order) -> None:
        text = _("Order %(number)s has been placed already.")
        super().__init__(text % {"number": order.number})
        self.order = order
