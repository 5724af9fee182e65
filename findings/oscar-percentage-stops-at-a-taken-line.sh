#!/usr/bin/env bash
# django-oscar 4.2.1: a percentage off everything goes through the lines, cheapest first,
# and stops at the first one that another exclusive offer has taken, where one would think
# that it goes on to the next. A customer who adds a handbook of 20.00 that has an offer of
# its own loses the 10 % off the course of 100.00; with dearer goods, no one does.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" factory-boy==3.3.3 setuptools==80.9.0
oscar_site
seen "The course alone: 10.00
with a handbook that has its own offer: 5.00
with a tool that has its own offer: 15.00" <<'PYTHON'
from oscar.apps.offer.applicator import Applicator
from oscar.core.loading import get_model
from oscar.test.factories import create_basket, create_product

Range, Offer = get_model("offer", "Range"), get_model("offer", "ConditionalOffer")
Condition, Benefit = get_model("offer", "Condition"), get_model("offer", "Benefit")
course, handbook, tool = (
    create_product(title=title, price=price, num_in_stock=5)
    for title, price in (("Course", "100"), ("Handbook", "20"), ("Tool", "200"))
)
goods = Range.objects.create(name="Goods")
goods.add_product(handbook)
goods.add_product(tool)
everything = Range.objects.create(name="Everything", includes_all_products=True)


def offer(name, range, benefit, value, priority):
    Offer.objects.create(
        name=name,
        priority=priority,
        condition=Condition.objects.create(range=range, type="Count", value=1),
        benefit=Benefit.objects.create(range=range, type=benefit, value=value),
    )


offer("5.00 off goods", goods, "Absolute", 5, priority=2)
offer("10 % off everything", everything, "Percentage", 10, priority=1)


def taken_off(*products):
    basket = create_basket(empty=True)
    for product in products:
        basket.add_product(product)
    Applicator().apply(basket)
    return f"{basket.total_discount:.2f}"


print("The course alone:", taken_off(course))
print("with a handbook that has its own offer:", taken_off(course, handbook))
print("with a tool that has its own offer:", taken_off(course, tool))
PYTHON
