"""What can't be bought is not offered, and a refusal says why."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from oscar.core.loading import get_class, get_model
from oscar.test.factories import ProductClassFactory, create_product

from oscar_training_credits.credits.models import AppliedCode, TrainingProduct
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.shop.exceptions import OrderRefused
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import basket_with_codes, place
from ...support.pages import make_course
from ...support.shop import Learner, shown_in, text_of, words

AttributeOption = get_model("catalogue", "Option")
Order = get_model("order", "Order")
Product = get_model("catalogue", "Product")
ProductClass = get_model("catalogue", "ProductClass")

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

TEXT = "ACME-TEAM-2026"
BUTTON = "Purchase with 20 Credits"
ADD = "Add to basket"
SOLD_OUT = "This is sold out."
NOT_NOW = "This can't be bought here at the moment."


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def learner():
    return Learner(make_learner())


@pytest.fixture(params=["credits or money", "credits alone"])
def terms(request):
    return {"credits": 20, "credit_only": request.param == "credits alone"}


@pytest.fixture
def course(terms):
    return make_course(make_training(**terms).product, **terms)


def page_of(learner, course):
    return words(text_of(learner.client.get(course.url)))


def step(learner, course, name, **data):
    address = reverse(f"training_credits:purchase-{name}", args=[course.training.pk])
    answer = learner.client.post(address, {"next": course.url, **data})
    return words(text_of(learner.client.get(answer.url)))


def sell_out(course):
    ProductClass.objects.update(track_stock=True)
    course.product.stockrecords.update(num_in_stock=2, num_allocated=2)


# Sold out


@pytest.mark.parametrize("who", ["learner", "visitor"])
def test_a_sold_out_course_says_so_instead_of_the_button(course, who):
    visitor = Learner(make_learner() if who == "learner" else None)
    sell_out(course)

    page = page_of(visitor, course)

    assert SOLD_OUT in page
    assert BUTTON not in page
    assert ADD not in page
    assert NOT_NOW not in page


def test_a_page_for_everybody_says_so_too(course, monkeypatch):
    monkeypatch.setattr(type(course), "is_shared", True)
    sell_out(course)

    page = page_of(Learner(), course)

    assert SOLD_OUT in page
    assert BUTTON not in page


def test_one_that_sells_out_before_the_click_is_refused_as_sold_out(
    learner, course, code
):
    step(learner, course, "apply", code=TEXT)
    before = shown_in(text_of(learner.client.get(course.url)))
    sell_out(course)

    answer = step(learner, course, "confirm", **before)

    assert SOLD_OUT in answer
    assert BUTTON not in answer
    assert not Order.objects.exists()
    assert code.balance() == 100


def test_who_has_a_seat_is_not_told_that_it_is_sold_out_alone(learner, course, code):
    step(learner, course, "apply", code=TEXT)
    step(
        learner, course, "confirm", **shown_in(text_of(learner.client.get(course.url)))
    )
    sell_out(course)

    page = page_of(learner, course)

    assert "You have access" in page
    assert SOLD_OUT not in page


def test_a_course_that_is_not_public_is_not_said_to_be_sold_out(learner, course):
    Product.objects.update(is_public=False)

    page = page_of(learner, course)

    assert NOT_NOW in page
    assert BUTTON not in page


# Required options


@pytest.fixture(params=["of the product", "of its type"])
def option(request, course):
    """A required option, such as the language of the exam."""
    made = AttributeOption.objects.create(
        name="Language", code="language", type="text", required=True
    )
    if request.param == "of its type":
        course.product.product_class.options.add(made)
    else:
        course.product.product_options.add(made)
    return made


def test_the_page_leads_to_where_options_are_asked(learner, course, option):
    page = text_of(learner.client.get(course.url))

    assert "Choose options and buy" in page
    assert f'href="{course.product.get_absolute_url()}#add_to_basket_form"' in page
    assert BUTTON not in words(page)
    assert ADD not in words(page)


def test_an_option_that_is_not_required_keeps_the_button(learner, course, option):
    AttributeOption.objects.update(required=False)

    assert BUTTON in page_of(learner, course)


@pytest.mark.parametrize("begun", [True, False], ids=["begun before", "not begun"])
def test_a_post_that_skips_the_options_is_refused(learner, terms, code, begun):
    course = make_course(make_training(**terms).product, **terms)
    form = {}
    if begun:
        step(learner, course, "apply", code=TEXT)
        form = shown_in(text_of(learner.client.get(course.url)))
        assert form
    option = AttributeOption.objects.create(
        name="Language", code="language", type="text", required=True
    )
    course.product.product_options.add(option)

    step(learner, course, "apply", code=TEXT)
    step(learner, course, "confirm", **form)

    assert AppliedCode.objects.count() == int(begun)
    assert not Order.objects.exists()
    assert code.balance() == 100


def test_with_its_options_it_is_bought_in_the_shop(learner, course, option, code):
    add = reverse("basket:add", args=[course.product.pk])
    learner.client.post(add, {"quantity": 1, "language": "English"})
    learner.apply(TEXT)
    learner.place()

    line = learner.order().lines.get()
    assert [each.value for each in line.attributes.all()] == ["English"]
    assert code.balance() == 80


def test_a_variant_asks_for_the_options_of_its_parent(learner, code):
    parent, child = make_variant()
    sell_as_training(child, credits=20)
    course = make_course(child, credits=20)
    option = AttributeOption.objects.create(
        name="Language", code="language", type="text", required=True
    )
    parent.product_options.add(option)

    page = text_of(learner.client.get(course.url))

    assert f'href="{parent.get_absolute_url()}#add_to_basket_form"' in page
    assert BUTTON not in words(page)


# Products with variants


def make_variant():
    """Return a parent and its one child."""
    ProductClassFactory(name="Course", requires_shipping=False, track_stock=False)
    parent = create_product(structure="parent", title="Whole", product_class="Course")
    child = create_product(
        structure="child",
        title="Morning",
        parent=parent,
        price=240,
        partner_name="Academy",
    )
    return parent, Product.objects.get(pk=child.pk)


def test_a_product_with_variants_is_no_training(terms):
    parent, _child = make_variant()

    with pytest.raises(ValidationError, match="It has variants"):
        sell_as_training(parent, **terms)

    assert not TrainingProduct.objects.exists()


def test_a_product_that_got_variants_later_is_not_offered(learner, course):
    Product.objects.filter(pk=course.product.pk).update(structure="parent")
    course.product.stockrecords.all().delete()

    page = page_of(learner, course)

    assert NOT_NOW in page
    assert BUTTON not in page
    assert ADD not in page


def test_a_variant_of_what_is_not_public_is_not_sold(learner, code):
    parent, child = make_variant()
    sell_as_training(child, credits=20)
    basket = basket_with_codes(learner.user, (child, 1), texts=[TEXT])
    Product.objects.filter(pk=parent.pk).update(is_public=False)
    fresh = Product.objects.get(pk=child.pk)

    learner.add(fresh)
    info = get_class("partner.strategy", "Selector")().strategy()

    assert not info.fetch_for_product(fresh).availability.is_available_to_buy
    assert make_basket(learner.user).num_lines == 0
    assert basket.num_lines == 1
    learner.client.get(reverse("checkout:index"))
    learner.apply(TEXT)
    learner.place()
    assert not Order.objects.exists()


def test_nor_by_whoever_writes_the_order(learner, code):
    parent, child = make_variant()
    ProductClass.objects.update(track_stock=True)
    child.stockrecords.update(num_in_stock=5)
    sell_as_training(child, credits=20)
    basket = basket_with_codes(learner.user, (child, 1), texts=[TEXT])
    Product.objects.filter(pk=parent.pk).update(is_public=False)
    for line in basket.all_lines():
        line.product.parent.refresh_from_db()

    with pytest.raises(OrderRefused, match="can't be bought here"):
        place(basket, learner.user)
