#!/usr/bin/env bash
# django-oscar 4.2.1: two offers of 60.00 off that may be combined take 60.00 each off a
# course of 90.00, as the second doesn't look at what the first has left. The total stops
# at zero; but the basket and the discounts of the order say 120.00, both offers use up their
# budgets by 60.00, and the price that is kept with the order line, for whoever writes an
# invoice from it, is -30.00.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" factory-boy==3.3.3 setuptools==80.9.0
oscar_site
seen "Order: 0.00, its line: 0.00
Taken off by the offers: 60.00 + 60.00, of 90.00
Price kept with the line: -30.00" <<'PYTHON'
from oscar.apps.checkout.calculators import OrderTotalCalculator
from oscar.apps.offer.applicator import Applicator
from oscar.apps.order.utils import OrderCreator
from oscar.apps.shipping.methods import NoShippingRequired
from oscar.core.loading import get_model
from oscar.test.factories import create_basket, create_product

Range, Offer = get_model("offer", "Range"), get_model("offer", "ConditionalOffer")
Condition, Benefit = get_model("offer", "Condition"), get_model("offer", "Benefit")
courses = Range.objects.create(name="Courses", includes_all_products=True)
for name in ("Spring", "Come back"):
    Offer.objects.create(
        name=name,
        exclusive=False,
        condition=Condition.objects.create(range=courses, type="Count", value=1),
        benefit=Benefit.objects.create(range=courses, type="Absolute", value=60),
    )
basket = create_basket(empty=True)
basket.add_product(create_product(price="90.00", num_in_stock=5))
Applicator().apply(basket)
method = NoShippingRequired()
charge = method.calculate(basket)
order = OrderCreator().place_order(
    basket=basket,
    total=OrderTotalCalculator().calculate(basket, charge),
    shipping_method=method,
    shipping_charge=charge,
    order_number="1",
)
line = order.lines.get()
print(f"Order: {order.total_incl_tax:.2f}, its line: {line.line_price_incl_tax:.2f}")
first, second = (f"{offer.total_discount:.2f}" for offer in Offer.objects.all())
before = line.line_price_before_discounts_incl_tax
print(f"Taken off by the offers: {first} + {second}, of {before:.2f}")
print(f"Price kept with the line: {line.prices.get().price_incl_tax:.2f}")
PYTHON
