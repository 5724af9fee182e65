#!/usr/bin/env bash
# django-oscar 4.2.1: "three for the price of two" counts lines that cost nothing
# towards its three. Two free lines and one of 90.00 make the offer apply.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" factory-boy==3.3.3 setuptools==80.9.0
oscar_site
seen "The offer applies: True" <<'PYTHON'
from oscar.apps.offer.applicator import Applicator
from oscar.core.loading import get_model
from oscar.test.factories import create_basket, create_product

Range = get_model("offer", "Range")
Condition, Benefit = get_model("offer", "Condition"), get_model("offer", "Benefit")
Offer = get_model("offer", "ConditionalOffer")
everything = Range.objects.create(name="Everything", includes_all_products=True)
Offer.objects.create(
    name="Three for two",
    condition=Condition.objects.create(range=everything, type="Count", value=3),
    benefit=Benefit.objects.create(range=everything, type="Percentage", value=50),
)
basket = create_basket(empty=True)
for price in ("0.00", "0.00", "90.00"):
    basket.add_product(create_product(price=price, num_in_stock=1))
Applicator().apply(basket)
print("The offer applies:", bool(basket.offer_discounts))
PYTHON
