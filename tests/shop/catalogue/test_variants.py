"""Pricing the variants of a product costs no query more than with Oscar alone."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.apps.partner.strategy import Default
from oscar.core.loading import get_class, get_model
from oscar.test.factories import create_product, create_stockrecord

Product = get_model("catalogue", "Product")
Selector = get_class("partner.strategy", "Selector")

pytestmark = pytest.mark.django_db


@pytest.fixture
def parent():
    parent = create_product(structure="parent")
    for number in range(3):
        child = create_product(
            structure="child", parent=parent, title=f"Variant {number}"
        )
        create_stockrecord(child, price="10.00", num_in_stock=5)
    return parent


def queries_of(strategy, products, parent):
    with CaptureQueriesContext(connection) as queries:
        info = strategy.fetch_for_parent(products.get(pk=parent.pk))
        assert info.price.exists
        assert info.availability.is_available_to_buy
    return len(queries)


@pytest.mark.parametrize("is_read_ahead", [False, True], ids=["", "read ahead"])
def test_variants_that_are_no_training_cost_no_query_more(parent, is_read_ahead):
    products = Product.objects.all()
    if is_read_ahead:
        products = products.prefetch_public_children()

    ours = queries_of(Selector().strategy(), products, parent)

    assert ours == queries_of(Default(), products, parent)
