"""What credits were used for: right in sum, whatever it is grouped by."""

from __future__ import annotations

from datetime import datetime, timedelta
from datetime import timezone as zones
from typing import Any

import pytest
import time_machine

from oscar_training_credits import api
from oscar_training_credits.api import UseGrouping
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import hold, place, place_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_march")]

DAY = timedelta(days=1)
MARCH = datetime(2027, 3, 1, tzinfo=zones.utc)
APRIL = datetime(2027, 4, 1, tzinfo=zones.utc)
MAY = datetime(2027, 5, 1, tzinfo=zones.utc)


@pytest.fixture
def in_march():
    """Let the site's clock stand at the tenth of March."""
    with time_machine.travel(MARCH + 9 * DAY, tick=False):
        yield


def on(day: datetime):
    return time_machine.travel(day, tick=False)


def used(by: UseGrouping, start: datetime = MARCH, end: datetime = MAY) -> list[Any]:
    """Return key, credits, given back, orders and learners of each row."""
    with on(MAY + DAY):
        rows = list(api.use_of_credits(by, start=start, end=end))
    return [
        (row.key, row.credits, row.refunded, row.orders, row.learners) for row in rows
    ]


def test_nothing_was_used():
    make_code(100)

    assert all(used(by) == [] for by in UseGrouping)


def test_each_grouping_has_all_that_was_used_most_first():
    acme = make_code(100, text="ACME-TEAM-2027", label="ACME")
    beta = make_code(100, text="BETA-TEAM-2027", label="Beta")
    CreditCode.objects.filter(pk=acme.pk).update(holder="ACME Ltd")
    django, rust = make_training("Django", credits=20), make_training("Rust", credits=5)
    lee, kim = make_learner(), make_learner()
    place_order(lee, (django.product, 1), (rust.product, 1), text="ACME-TEAM-2027")
    place_order(kim, (django.product, 1), text="ACME-TEAM-2027")
    place_order(kim, (rust.product, 1), text="BETA-TEAM-2027")

    assert used(UseGrouping.PRODUCT) == [
        (django.product_id, 40, 0, 2, 2),
        (rust.product_id, 10, 0, 2, 2),
    ]
    assert used(UseGrouping.LEARNER) == [
        (lee.pk, 25, 0, 1, 1),
        (kim.pk, 25, 0, 2, 1),
    ]
    assert used(UseGrouping.CODE) == [(acme.pk, 45, 0, 2, 2), (beta.pk, 5, 0, 1, 1)]
    assert used(UseGrouping.HOLDER) == [("ACME Ltd", 45, 0, 2, 2), ("", 5, 0, 1, 1)]


def test_an_order_of_two_codes_and_grants_counts_once():
    code = make_code(10, text="ACME-TEAM-2027")
    api.add_grant(code, 15)
    make_code(10, text="BETA-TEAM-2027")
    course = make_training("Django", credits=30, credit_only=True)
    place_order(
        make_learner(), (course.product, 1), texts=["ACME-TEAM-2027", "BETA-TEAM-2027"]
    )

    assert used(UseGrouping.PRODUCT) == [(course.product_id, 30, 0, 1, 1)]


def test_what_is_given_back_counts_when_it_comes_back():
    make_code(100, text="ACME-TEAM-2027")
    course = make_training("Django", credits=20)
    order = place_order(make_learner(), (course.product, 1), text="ACME-TEAM-2027")
    with on(APRIL + DAY):
        api.refund_order(order, idempotency_key="call 1")

    product = course.product_id
    assert used(UseGrouping.PRODUCT, end=APRIL) == [(product, 20, 0, 1, 1)]
    assert used(UseGrouping.PRODUCT, start=APRIL) == [(product, 0, 20, 0, 0)]
    assert used(UseGrouping.PRODUCT) == [(product, 20, 20, 1, 1)]


def test_what_is_held_counts_once_its_order_is_placed():
    code = make_code(100, text="ACME-TEAM-2027")
    held = hold(learner := make_learner(), code, 30, minutes=10**6)
    assert used(UseGrouping.CODE) == []

    with on(APRIL + DAY):
        basket = make_basket(learner)
        basket = type(basket)._default_manager.get(pk=held.basket_id)
        basket.strategy = make_basket(learner).strategy
        place(basket, learner, number=held.order_number)

    assert used(UseGrouping.CODE, end=APRIL) == []
    assert used(UseGrouping.CODE, start=APRIL) == [(code.pk, 30, 0, 1, 1)]


def test_what_was_bought_by_whom_is_told_after_both_are_deleted():
    make_code(100, text="ACME-TEAM-2027")
    course = make_training("Django", credits=20)
    lee = make_learner()
    place_order(lee, (course.product, 1), text="ACME-TEAM-2027")
    lee.delete()
    course.product.stockrecords.all().delete()
    course.delete()
    course.product.delete()

    assert used(UseGrouping.PRODUCT) == [("Django", 20, 0, 1, 0)]
    assert used(UseGrouping.LEARNER) == [(None, 20, 0, 1, 0)]


def test_the_sum_is_that_of_the_roll_forward():
    make_code(100, text="ACME-TEAM-2027")
    course = make_training("Django", credits=20)
    orders = [
        place_order(make_learner(), (course.product, 1), text="ACME-TEAM-2027")
        for _n in range(3)
    ]
    api.refund_order(orders[0], idempotency_key="call 1")

    with on(MAY):
        whole = api.roll_forward(start=MARCH, end=APRIL)
        for by in UseGrouping:
            rows = list(api.use_of_credits(by, start=MARCH, end=APRIL))
            assert sum(row.credits for row in rows) == whole.redeemed == 60
            assert sum(row.refunded for row in rows) == whole.refunded == 20


def test_a_period_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="begins before it ends"):
        api.use_of_credits(UseGrouping.CODE, start=APRIL, end=MARCH)


def test_what_was_held_when_a_period_ended_is_counted_once(
    django_assert_num_queries,
):
    code = make_code(100, text="ACME-TEAM-2027")
    course = make_training("Django", credits=20, credit_only=True)
    place_order(make_learner(), (course.product, 1), text="ACME-TEAM-2027")
    held = hold(learner := make_learner(), code, 30, minutes=10**6)
    with on(APRIL + DAY):
        basket = make_basket(learner)
        basket = type(basket)._default_manager.get(pk=held.basket_id)
        basket.strategy = make_basket(learner).strategy
        place(basket, learner, number=held.order_number)

    assert used(UseGrouping.CODE, end=APRIL) == [(code.pk, 20, 0, 1, 1)]
    assert used(UseGrouping.CODE, start=APRIL) == [(code.pk, 30, 0, 1, 1)]
    with django_assert_num_queries(3):
        assert used(UseGrouping.CODE) == [(code.pk, 50, 0, 2, 2)]
