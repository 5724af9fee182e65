#!/usr/bin/env bash
# django-oscar 4.2.1: an offer that staff suspend in the dashboard ends at once, if it is
# an offer of the site. If it belongs to a voucher, nothing changes but what the dashboard
# says: the offers of a voucher are never asked whether they are suspended. A code that
# leaked goes on taking its half off each order until somebody edits the voucher itself.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" factory-boy==3.3.3 setuptools==80.9.0
oscar_site
seen "The dashboard says: Suspended, Suspended
Half off for everybody: 0.00
Half off by voucher, accepted: True
Half off by voucher: 45.00" <<'PYTHON'
from oscar.apps.offer.applicator import Applicator
from oscar.core.loading import get_model
from oscar.test.factories import UserFactory, create_basket, create_product
from oscar.test.factories import create_voucher

Range, Offer = get_model("offer", "Range"), get_model("offer", "ConditionalOffer")
Condition, Benefit = get_model("offer", "Condition"), get_model("offer", "Benefit")
everything = Range.objects.create(name="Everything", includes_all_products=True)


def half_off(offer_type):
    return Offer.objects.create(
        name=offer_type,
        offer_type=offer_type,
        condition=Condition.objects.create(range=everything, type="Count", value=1),
        benefit=Benefit.objects.create(
            range=everything, type="Percentage", value=50
        ),
    )


for_all, for_voucher = half_off(Offer.SITE), half_off(Offer.VOUCHER)
voucher = create_voucher(usage="Multi-use")
voucher.offers.set([for_voucher])
for offer in (for_all, for_voucher):
    offer.suspend()
print(f"The dashboard says: {for_all.status}, {for_voucher.status}")

user = UserFactory()
basket = create_basket(empty=True)
basket.owner = user
basket.add_product(create_product(price="90.00", num_in_stock=5))
Applicator().apply(basket, user)
print(f"Half off for everybody: {basket.total_discount:.2f}")
print("Half off by voucher, accepted:", voucher.is_available_for_basket(basket)[0])
basket.vouchers.add(voucher)
Applicator().apply(basket, user)
print(f"Half off by voucher: {basket.total_discount:.2f}")
PYTHON
