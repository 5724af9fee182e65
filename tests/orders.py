"""Orders written as Oscar's checkout writes them, without its pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oscar.apps.checkout.calculators import OrderTotalCalculator
from oscar.apps.order.utils import OrderNumberGenerator
from oscar.apps.shipping.methods import NoShippingRequired
from oscar.core.loading import get_class

from oscar_training_credits.credits.applying import apply_code
from oscar_training_credits.shop.quotes import items_of
from oscar_training_credits.test.factories import make_basket


def place_order(
    learner: Any,
    *lines: tuple[Any, int],
    text: str | None = None,
    texts: Sequence[str] = (),
) -> Any:
    """Order (product, quantity) for a learner, with the codes of these texts."""
    basket = basket_with_codes(learner, *lines, texts=[text, *texts] if text else texts)
    return place(basket, learner)


def basket_with_codes(
    learner: Any, *lines: tuple[Any, int], texts: Sequence[str]
) -> Any:
    """Return a priced basket of (product, quantity) with the codes of these texts."""
    basket = make_basket(learner, *lines)
    for text in texts:
        apply_code(
            text, basket=basket, items=items_of(basket), asker=None, learner=learner
        )
        basket.reset_offer_applications()
    return basket


def place(basket: Any, learner: Any, *, number: str | None = None) -> Any:
    """Order a basket that has been priced before."""
    shipping = NoShippingRequired()
    charge = shipping.calculate(basket)
    return get_class("order.utils", "OrderCreator")().place_order(
        basket=basket,
        total=OrderTotalCalculator().calculate(basket, charge),
        shipping_method=shipping,
        shipping_charge=charge,
        user=learner,
        order_number=number or OrderNumberGenerator().order_number(basket),
    )
