#!/usr/bin/env bash
# django-oscar 4.2.1: a basket takes its amounts from today's price and its currency from
# the day when its first line was added. When a shop goes over to the euro, what lies in
# an open basket is ordered for the euro's number in the old currency: a course of
# 1955.83 BGN, now 1000.00 EUR, for 1000.00 BGN, half its price.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" factory-boy==3.3.3 setuptools==80.9.0
oscar_site
echo 'OSCAR_DEFAULT_CURRENCY = "BGN"' >>"$FOLDER/settings.py"
seen "Put in the basket: 1955.83 BGN
In the price list: 1000.00 EUR
Ordered: 1000.00 BGN" <<'PYTHON'
from oscar.apps.checkout.calculators import OrderTotalCalculator
from oscar.apps.order.utils import OrderCreator
from oscar.apps.partner.strategy import Selector
from oscar.apps.shipping.methods import NoShippingRequired
from oscar.core.loading import get_model
from oscar.test.factories import create_basket, create_product

course = create_product(price="1955.83", num_in_stock=5)
basket = create_basket(empty=True)
basket.add_product(course)
print("Put in the basket:", basket.total_incl_tax, basket.currency)

record = course.stockrecords.get()
record.price, record.price_currency = "1000.00", "EUR"
record.save()
print("In the price list:", record.price, record.price_currency)

basket = get_model("basket", "Basket").objects.get()
basket.strategy = Selector().strategy()
method = NoShippingRequired()
charge = method.calculate(basket)
order = OrderCreator().place_order(
    basket=basket,
    total=OrderTotalCalculator().calculate(basket, charge),
    shipping_method=method,
    shipping_charge=charge,
    order_number="1",
)
print("Ordered:", order.total_incl_tax, order.currency)
PYTHON
