#!/usr/bin/env bash
# django-oscar 4.2.1: "book three courses, get 10.00 off a handbook" takes 10.00 off five
# handbooks. Who limits it to one handbook, by the benefit's "max affected items", makes it
# 50.00: a fixed amount off doesn't use up the courses that it was given for, so it is given
# again and again until every handbook has had it. A percentage off isn't given again.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" factory-boy==3.3.3 setuptools==80.9.0
oscar_site
seen "Absolute, any number of handbooks: 10.00
Absolute, one handbook at most: 50.00
Percentage, any number of handbooks: 10.00
Percentage, one handbook at most: 2.00" <<'PYTHON'
from oscar.apps.offer.applicator import Applicator
from oscar.core.loading import get_model
from oscar.test.factories import create_basket, create_product

Range, Offer = get_model("offer", "Range"), get_model("offer", "ConditionalOffer")
Condition, Benefit = get_model("offer", "Condition"), get_model("offer", "Benefit")
course = create_product(price="100.00", num_in_stock=5)
handbook = create_product(price="20.00", num_in_stock=5)
courses = Range.objects.create(name="Courses")
courses.add_product(course)
handbooks = Range.objects.create(name="Handbooks")
handbooks.add_product(handbook)
offer = Offer.objects.create(
    name="Three courses",
    condition=Condition.objects.create(range=courses, type="Count", value=3),
    benefit=Benefit.objects.create(range=handbooks, value=10),
)
for kind in ("Absolute", "Percentage"):
    for limit, words in ((None, "any number of handbooks"), (1, "one handbook at most")):
        Benefit.objects.update(type=kind, max_affected_items=limit)
        basket = create_basket(empty=True)
        basket.add_product(course, 3)
        basket.add_product(handbook, 5)
        Applicator().apply(basket)
        print(f"{kind}, {words}: {basket.total_discount:.2f}")
PYTHON
