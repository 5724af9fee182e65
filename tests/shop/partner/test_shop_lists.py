"""What lists of the shop, and products with variants, say of credits."""

from __future__ import annotations

import re

import pytest
from django.core.management import call_command
from django.test import Client
from oscar.core.loading import get_model

from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.test.factories import (
    make_learner,
    make_product,
    make_training,
)

from ...support.shop import Learner, text_of, words

pytestmark = pytest.mark.django_db

Product = get_model("catalogue", "Product")


@pytest.fixture
def listed():
    make_product("Expensive book", "300.00")
    make_product("Cheap book", "10.00")
    make_training("Plan", credits=35, credit_only=True)
    make_training("Course", credits=20, price="240.00")
    call_command("rebuild_index", interactive=False, verbosity=0)


def titles(sort_by):
    page = text_of(Client().get("/shop/catalogue/", {"sort_by": sort_by}))
    return re.findall(r'<h3><a href="/shop/catalogue/[^"]*">([^<]+)', page)


def test_what_has_no_price_in_money_is_not_sorted_as_free(listed):
    in_money = ["Cheap book", "Course", "Expensive book"]

    assert titles("price-asc") == [*in_money, "Plan"]
    assert [each for each in titles("price-desc") if each != "Plan"] == in_money[::-1]


def with_variants(title, **variants):
    """Return a product with variants: (price, credits or None) by title."""
    parent = make_product(title, None)
    parent.stockrecords.all().delete()
    for name, (price, credits) in variants.items():
        child = make_product(name, price)
        child.structure, child.parent = Product.CHILD, parent
        child.product_class = None
        child.save()
        if credits:
            sell_as_training(child, credits=credits, credit_only=not price)
    parent.structure = Product.PARENT
    parent.save()
    return Product.objects.get(pk=parent.pk)


VARIANTS = {
    "money or credits": (
        {"Online": ("90.00", 20), "Onsite": ("120.00", None)},
        "or 20 credits",
    ),
    "each other credits": (
        {"Online": ("90.00", 20), "Onsite": ("120.00", 30), "Book": ("5.00", None)},
        "or from 20 credits",
    ),
    "credits alone": ({"Online": (None, 20), "Onsite": (None, 20)}, "20 credits"),
    "credits alone, each other": (
        {"Online": (None, 35), "Onsite": (None, 20)},
        "from 20 credits",
    ),
}


@pytest.mark.parametrize(("variants", "said"), VARIANTS.values(), ids=VARIANTS)
def test_a_list_names_the_credits_of_variants(variants, said):
    parent = with_variants("Course", **variants)
    call_command("rebuild_index", interactive=False, verbosity=0)

    for address in ("/shop/catalogue/", parent.get_absolute_url()):
        page = words(text_of(Client().get(address)))
        assert said in page, address
        assert "Free" not in page


def test_a_product_names_the_credits_of_each_variant():
    parent = with_variants(
        "Course", Online=("90.00", 20), Plan=(None, 35), Book=("5.00", None)
    )

    page = text_of(Client().get(parent.get_absolute_url()))

    said = words(page)
    assert "Online : £90.00 or 20 credits" in said
    assert "Plan : 35 credits" in said
    assert "Book :" not in said


def test_a_variant_can_still_be_put_into_the_basket():
    learner = Learner(make_learner())
    parent = with_variants("Course", Online=("90.00", 20), Plan=(None, 35))
    plan = parent.children.get(title="Plan")

    learner.client.post(
        f"/shop/basket/add/{parent.pk}/", {"child_id": plan.pk, "quantity": 1}
    )

    assert "Plan" in learner.basket_page()
