"""Oscar's offers and vouchers beside lines that credits pay."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from oscar.apps.shipping.methods import FixedPrice
from oscar.core.loading import get_class, get_model

from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.offers import make_offer
from ...support.orders import basket_with_codes, place
from ...support.shop import Learner, text_of, words
from ...support.vouchers import make_voucher

TEXT = "ACME-TEAM-2026"
IDLE = "takes nothing off"

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def learner():
    return Learner(make_learner())


@pytest.fixture
def foundations():
    return make_training("Django Foundations", price="240.00", credits=20).product


@pytest.fixture
def queries():
    return make_training("Queries", price="90.00", credits=15).product


@pytest.fixture
def book():
    return make_product("A book", "90.00")


@pytest.fixture
def code(db):
    return make_code(100, text=TEXT)


def discounts(basket: Any, user: Any) -> dict[str, Decimal]:
    """Return what offers take off each line, by its title."""
    get_class("offer.applicator", "Applicator")().apply(basket, user)
    return {
        line.product.get_title(): line.discount_value
        for line in basket.all_lines()
        if line.discount_value
    }


# Offers


CONDITIONS = {
    "3 for 2": (("Count", 3), ("Multibuy", None)),
    "three different ones": (("Coverage", 3), ("Multibuy", None)),
    "two things, one at half the price": (("Count", 2), ("Percentage", 50)),
    "one off": (("Count", 3), ("Absolute", 10)),
    "a fixed price": (("Count", 3), ("Fixed price", 10)),
}


@pytest.mark.parametrize(
    ("condition", "benefit"), CONDITIONS.values(), ids=CONDITIONS.keys()
)
def test_what_credits_pay_counts_towards_no_condition(
    condition, benefit, learner, foundations, queries, book, code
):
    make_offer(condition, benefit)
    lines = (foundations, 1), (queries, 1), (book, 1)

    paid = basket_with_codes(learner.user, *lines, texts=[TEXT])
    in_money = make_basket(learner.user, *lines)

    assert discounts(paid, learner.user) == {}
    assert paid.total_incl_tax == Decimal("90.00")
    assert discounts(in_money, learner.user)


def test_what_money_pays_still_counts(learner, foundations, code):
    make_offer(("Count", 3), ("Multibuy", None))
    books = [make_product(f"Book {number}", "30.00") for number in range(3)]
    lines = [(product, 1) for product in (foundations, *books)]

    basket = basket_with_codes(learner.user, *lines, texts=[TEXT])

    assert sum(discounts(basket, learner.user).values()) == Decimal("30.00")


def test_a_benefit_takes_nothing_off_what_credits_pay(learner, foundations, book, code):
    make_offer(("Count", 1), ("Percentage", 10))

    basket = basket_with_codes(learner.user, (foundations, 1), (book, 1), texts=[TEXT])

    assert discounts(basket, learner.user) == {"A book": Decimal("9.00")}


def test_what_is_credit_only_counts_for_no_offer(learner, book):
    make_offer(("Count", 2), ("Percentage", 50))
    plan = make_training("Plan", price=None, credits=20, credit_only=True).product

    basket = make_basket(learner.user, (plan, 1), (book, 1))

    assert discounts(basket, learner.user) == {}


def test_an_order_gets_no_gift_for_what_credits_paid(
    learner, foundations, queries, book, code
):
    make_offer(("Count", 3), ("Multibuy", None))
    for product in (foundations, queries, book):
        learner.add(product)
    learner.apply(TEXT)

    learner.place()

    assert learner.order().total_incl_tax == Decimal("90.00")
    assert not learner.order().discounts.exists()


# Vouchers


def test_a_voucher_that_gives_nothing_is_not_used_up(learner, foundations, code):
    voucher = make_voucher("SPRING10")
    voucher.usage = "Single use"
    voucher.save()
    learner.add(foundations)
    learner.apply("SPRING10")

    learner.apply(TEXT)
    basket, preview = learner.basket_page(), learner.preview()

    said = "Spring sale (SPRING10): takes nothing off"
    assert said in words(basket)
    assert said in words(text_of(preview))
    learner.place(preview)
    voucher.refresh_from_db()
    assert learner.order().total_incl_tax == 0
    assert (voucher.num_orders, voucher.applications.count()) == (0, 0)
    other = Learner(make_learner())
    other.add(make_product())
    assert "SPRING10" not in words(other.basket_page())
    assert "added" in other.apply("SPRING10")


def test_a_voucher_that_gives_something_is_used(learner, foundations, book, code):
    voucher = make_voucher("SPRING10")
    for product in (foundations, book):
        learner.add(product)
    for text in ("SPRING10", TEXT):
        learner.apply(text)

    assert IDLE not in learner.basket_page()
    learner.place()

    voucher.refresh_from_db()
    assert learner.order().total_incl_tax == Decimal("81.00")
    assert (voucher.num_orders, voucher.applications.count()) == (1, 1)


def test_it_gives_again_what_money_pays(learner, foundations, code):
    make_voucher("SPRING10")
    learner.add(foundations)
    for text in ("SPRING10", TEXT):
        learner.apply(text)
    assert IDLE in learner.basket_page()

    learner.client.post(reverse("training_credits:remove", args=[code.pk]))

    page = learner.basket_page()
    assert IDLE not in page
    assert "216.00" in page


def test_it_can_be_removed_from_the_box(learner, foundations, code):
    voucher = make_voucher("SPRING10")
    learner.add(foundations)
    for text in ("SPRING10", TEXT):
        learner.apply(text)
    address = reverse("basket:vouchers-remove", args=[voucher.pk])
    assert address in learner.basket_page()

    learner.client.post(address)

    assert IDLE not in learner.basket_page()


def voucher_of(offer: Any) -> Any:
    voucher = make_voucher("GIFT")
    voucher.offers.set([offer])
    return voucher


def test_a_voucher_for_the_shipping_is_used(learner, foundations, code):
    book = make_product("A book", "90.00")
    book.product_class = get_model("catalogue", "ProductClass").objects.create(
        name="Book", requires_shipping=True, track_stock=False
    )
    book.save()
    shipping = ("Shipping percentage", 100)
    offer = make_offer(("Count", 1), shipping, offer_type="Voucher")
    voucher = voucher_of(offer)
    basket = basket_with_codes(learner.user, (foundations, 1), (book, 1), texts=[TEXT])
    basket.vouchers.add(voucher)
    get_class("offer.applicator", "Applicator")().apply(basket, learner.user)
    repository = get_class("shipping.repository", "Repository")()
    method = FixedPrice(Decimal(5), Decimal(5))
    discounted = repository.apply_shipping_offer(basket, method, offer)

    order = place(basket, learner.user, shipping=discounted)

    voucher.refresh_from_db()
    assert order.discounts.get().amount == Decimal("5.00")
    assert voucher.num_orders == 1


def test_a_voucher_for_something_after_the_order_is_used(
    learner, foundations, book, code
):
    offer = make_offer(
        ("Count", 1),
        ("Points", 100),
        offer_type="Voucher",
        proxy_class="tests.support.offers.Points",
    )
    voucher = voucher_of(offer)
    basket = basket_with_codes(learner.user, (foundations, 1), (book, 1), texts=[TEXT])
    basket.vouchers.add(voucher)
    get_class("offer.applicator", "Applicator")().apply(basket, learner.user)

    place(basket, learner.user)

    voucher.refresh_from_db()
    assert voucher.num_orders == 1


@pytest.mark.parametrize("kind", ["book", "foundations"])
def test_without_credits_vouchers_are_used_as_oscar_does(request, kind, learner):
    product = request.getfixturevalue(kind)
    offer = make_offer(("Count", 5), ("Percentage", 10), offer_type="Voucher")
    voucher = voucher_of(offer)
    basket = make_basket(learner.user, (product, 1))
    basket.vouchers.add(voucher)

    place(basket, learner.user)

    voucher.refresh_from_db()
    assert voucher.num_orders == 1


def test_a_use_by_somebody_else_since_the_basket_was_priced_counts(learner, book):
    voucher = voucher_of(
        make_offer(("Count", 5), ("Percentage", 10), offer_type="Voucher")
    )
    basket = make_basket(learner.user, (book, 1))
    basket.vouchers.add(voucher)
    get_class("offer.applicator", "Applicator")().apply(basket, learner.user)
    type(voucher).objects.filter(pk=voucher.pk).update(num_orders=7)

    place(basket, learner.user)

    voucher.refresh_from_db()
    assert voucher.num_orders == 8
