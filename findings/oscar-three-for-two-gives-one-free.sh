#!/usr/bin/env bash
# django-oscar 4.2.1: "three for two", built as Oscar's docs build it, gives one place free
# an order and never two. Other offers apply as often as the basket meets them, up to
# their "max basket applications", which is empty here. A company that books six places
# at once pays for five; in two orders of three it pays for four.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" factory-boy==3.3.3 setuptools==80.9.0
oscar_site
seen "3 places: 200.00
6 places: 500.00
9 places: 800.00" <<'PYTHON'
from oscar.apps.offer.applicator import Applicator
from oscar.core.loading import get_model
from oscar.test.factories import create_basket, create_product

Range, Offer = get_model("offer", "Range"), get_model("offer", "ConditionalOffer")
Condition, Benefit = get_model("offer", "Condition"), get_model("offer", "Benefit")
courses = Range.objects.create(name="Courses", includes_all_products=True)
Offer.objects.create(
    name="Three for two",
    condition=Condition.objects.create(range=courses, type="Count", value=3),
    benefit=Benefit.objects.create(range=courses, type="Multibuy"),
)
course = create_product(price="100.00", num_in_stock=20)
for places in (3, 6, 9):
    basket = create_basket(empty=True)
    basket.add_product(course, places)
    Applicator().apply(basket)
    print(f"{places} places: {basket.total_incl_tax:.2f}")
PYTHON
