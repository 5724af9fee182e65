#!/usr/bin/env bash
# django-oscar 4.2.1: a parent product that is excluded from a range takes its variants
# out with it, if the range is of product types. If the range includes all products, only
# the parent goes out: and it is the variants that are sold. "Everything but the
# masterclass" takes its discount off each date of the masterclass.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" factory-boy==3.3.3 setuptools==80.9.0
oscar_site
seen "All of the type without the masterclass: False
All products without the masterclass: True
20 % off all those, for the masterclass: 180.00" <<'PYTHON'
from oscar.apps.offer.applicator import Applicator
from oscar.core.loading import get_model
from oscar.test.factories import create_basket, create_product

Range, Offer = get_model("offer", "Range"), get_model("offer", "ConditionalOffer")
Condition, Benefit = get_model("offer", "Condition"), get_model("offer", "Benefit")
masterclass = create_product(title="Masterclass", structure="parent")
in_june = create_product(
    title="June", structure="child", parent=masterclass, price="900.00", num_in_stock=5
)
typed = Range.objects.create(name="All of the type")
typed.classes.add(masterclass.product_class)
everything = Range.objects.create(name="All products", includes_all_products=True)
for range in (typed, everything):
    range.excluded_products.add(masterclass)
    print(f"{range} without the masterclass: {range.contains_product(in_june)}")

Offer.objects.create(
    name="20 % off",
    condition=Condition.objects.create(range=everything, type="Count", value=1),
    benefit=Benefit.objects.create(range=everything, type="Percentage", value=20),
)
basket = create_basket(empty=True)
basket.add_product(in_june)
Applicator().apply(basket)
print(f"20 % off all those, for the masterclass: {basket.total_discount:.2f}")
PYTHON
