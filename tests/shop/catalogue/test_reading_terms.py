"""The terms of a basket's lines are read at once, with their stock records."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from oscar.apps.partner.strategy import Default
from oscar.core.loading import get_class, get_model

from oscar_training_credits.shop.catalogue.training import takes_part, trainings_of
from oscar_training_credits.test.factories import (
    make_learner,
    make_product,
    make_training,
)

Basket = get_model("basket", "Basket")
Selector = get_class("partner.strategy", "Selector")

pytestmark = pytest.mark.django_db


def basket_with(*products, strategy=None):
    """Return a basket with these products, as a request reads it."""
    basket = Basket.objects.create(owner=make_learner())
    basket.strategy = Selector().strategy()
    for product in products:
        basket.add_product(product)
    basket = Basket.objects.get(pk=basket.pk)
    basket.strategy = strategy or Selector().strategy()
    return basket


def queries_of(price, *args):
    with CaptureQueriesContext(connection) as captured:
        price(*args)
    return len(captured)


def price_all(basket):
    return [line.purchase_info.price.excl_tax for line in basket.all_lines()]


@pytest.fixture
def products():
    return [make_product() for _product in range(3)]


def test_lines_are_priced_with_a_query_less_for_each_but_one(products):
    ours = queries_of(price_all, basket_with(*products))

    assert ours == queries_of(price_all, basket_with(*products, strategy=Default())) - 2


def test_a_line_that_was_read_alone_is_priced_alone(products):
    basket, plain = basket_with(*products), basket_with(*products, strategy=Default())

    def price_one(basket):
        line = basket.lines.first()
        line.basket = basket
        return line.purchase_info

    assert queries_of(price_one, basket) == queries_of(price_one, plain)


def test_whether_training_takes_part_is_told_without_prices():
    training = make_training(credits=20)
    basket = basket_with(make_product(), training.product)
    del basket._strategy

    assert takes_part(basket)
    assert trainings_of(basket) == [training]


def test_stock_of_a_priced_line_can_be_locked(products):
    basket = basket_with(*products)
    price_all(basket)
    product = basket.all_lines()[0].product

    with transaction.atomic():
        records = list(product.stockrecords.select_for_update().order_by("pk"))

    assert records == list(product.stockrecords.all())


def test_lines_that_are_read_anew_have_the_price_of_the_moment(products):
    basket = basket_with(products[0])
    before = price_all(basket)
    products[0].stockrecords.update(price=Decimal("99.00"))

    assert price_all(basket) == before
    basket.reset_offer_applications()

    assert price_all(basket) == [Decimal("99.00")]
