#!/usr/bin/env bash
# django-oscar 4.2.1: a single-use voucher that takes nothing off an order, as all that
# is in the basket is free by then, is recorded as used by it, and can't be used again.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" factory-boy==3.3.3 setuptools==80.9.0
oscar_site
seen "Taken off: 0.00
Recorded as used: 1
Can be used again: False" <<'PYTHON'
from oscar.apps.checkout.calculators import OrderTotalCalculator
from oscar.apps.offer.applicator import Applicator
from oscar.apps.order.utils import OrderCreator
from oscar.apps.shipping.methods import NoShippingRequired
from oscar.core.loading import get_model
from oscar.test.factories import UserFactory, create_basket, create_product
from oscar.test.factories import create_offer, create_voucher

voucher = create_voucher(usage="Single use")
voucher.offers.set([create_offer(name="Spring", offer_type="Voucher")])
user = UserFactory()
basket = create_basket(empty=True)
basket.owner = user
basket.save()
basket.add_product(create_product(price="0.00", num_in_stock=1))
basket.vouchers.add(voucher)
Applicator().apply(basket, user)
method = NoShippingRequired()
charge = method.calculate(basket)
order = OrderCreator().place_order(
    basket=basket,
    total=OrderTotalCalculator().calculate(basket, charge),
    shipping_method=method,
    shipping_charge=charge,
    user=user,
    order_number="1",
)
print(f"Taken off: {order.total_discount_incl_tax:.2f}")
print("Recorded as used:", voucher.applications.count())
print("Can be used again:", voucher.is_available_to_user(UserFactory())[0])
PYTHON
