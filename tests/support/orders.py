"""Orders written as Oscar's checkout writes them, without its pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bs4 import BeautifulSoup
from django.utils import timezone
from oscar.apps.checkout.calculators import OrderTotalCalculator
from oscar.apps.order.utils import OrderNumberGenerator
from oscar.apps.shipping.methods import NoShippingRequired
from oscar.core.loading import get_class

from oscar_training_credits.credits.codes.applying import apply_code
from oscar_training_credits.credits.ledger import redemption
from oscar_training_credits.credits.models import AppliedCode, CreditCode, Redemption
from oscar_training_credits.shop.basket.quotes import items_of
from oscar_training_credits.test.factories import make_basket, make_training


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
            text, basket=basket, items=items_of(basket), requester=None, learner=learner
        )
        basket.reset_offer_applications()
    return basket


def place(
    basket: Any, learner: Any, *, number: str | None = None, shipping: Any = None
) -> Any:
    """Order a basket that has been priced before."""
    shipping = shipping or NoShippingRequired()
    charge = shipping.calculate(basket)
    return get_class("order.utils", "OrderCreator")().place_order(
        basket=basket,
        total=OrderTotalCalculator().calculate(basket, charge),
        shipping_method=shipping,
        shipping_charge=charge,
        user=learner,
        order_number=number or OrderNumberGenerator().order_number(basket),
    )


def hold(learner: Any, code: CreditCode, credits: int, minutes: int = 10) -> Redemption:
    """Hold so many credits of a code for a basket that is the redemption's."""
    course = make_training("Held", credits=credits, price="90.00")
    basket = make_basket(learner, (course.product, 1))
    AppliedCode.objects.create(basket=basket, code=code)
    quote = redemption.lock_and_quote(items_of(basket), basket=basket, learner=learner)
    (held,) = redemption.hold(
        quote,
        basket=basket,
        order_number=f"{basket.pk}",
        learner=learner,
        until=timezone.now() + timedelta(minutes=minutes),
    )
    return held


def confirm(client: Any, address: str, form: dict[str, Any]) -> Any:
    """Post a change of status that is asked for first, and say yes on its page."""
    asked = client.post(address, form)
    assert "training_credits/dashboard_cancel.html" in [t.name for t in asked.templates]
    fields: dict[str, list[str]] = {}
    for field in BeautifulSoup(asked.content, "html.parser").select("[type=hidden]"):
        fields.setdefault(str(field["name"]), []).append(str(field["value"]))
    return client.post(address, fields, follow=True)
