"""What a client of django-oscar-api is told while somebody else holds the rows."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from oscar.core.loading import get_model
from oscarapi.signals import oscarapi_post_checkout

from oscar_training_credits.credits.ledger import redemption
from oscar_training_credits.credits.models import AppliedCode
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ..shop.checkout.test_waiting import PROBLEM, held_elsewhere, impatient
from .test_oscarapi import Caller

Basket = get_model("basket", "Basket")
Order = get_model("order", "Order")

TEXT = "ACME-TEAM-2026"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urlconf("tests.api_urls"),
]


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def learner(code):
    """A learner with a credit-only course in the basket."""
    learner = Caller(make_learner())
    learner.put_in(make_training(credits=20, price=None, credit_only=True).product)
    learner.client.raise_request_exception = False
    return learner


def assert_nothing_done(response: Any) -> None:
    assert response.status_code == 503
    assert response.json() == {"detail": PROBLEM}


@pytest.mark.races
def test_a_checkout_that_waits_too_long_says_that_nothing_was_taken(
    learner, code, atomic_requests
):
    learner.type(TEXT)

    with held_elsewhere(lambda: redemption.lock_codes([code.pk])), impatient():
        waited = learner.check_out()

    assert_nothing_done(waited)
    assert code.balance() == 100
    assert not Order.objects.exists()
    assert learner.check_out().status_code == 200
    assert code.balance() == 80


@pytest.mark.races
def test_a_code_that_waits_too_long_is_not_applied(learner, code):
    # A lock for deletion, which lets nobody refer to the basket either.
    basket = Basket.objects.filter(owner=learner.user).select_for_update()

    with held_elsewhere(lambda: list(basket)), impatient():
        typed = learner.type(TEXT)

    assert_nothing_done(typed)
    assert not AppliedCode.objects.exists()


@pytest.mark.races
def test_a_code_that_waits_too_long_is_not_taken_off(learner, code):
    learner.type(TEXT)
    applied = AppliedCode.objects.select_for_update()

    with held_elsewhere(lambda: list(applied)), impatient():
        removed = learner.send("training_credits_api:code", code.pk, method="delete")

    assert_nothing_done(removed)
    assert AppliedCode.objects.exists()


def test_an_order_that_was_placed_is_never_called_nothing(learner, code):
    learner.type(TEXT)

    def give_up(**kwargs: Any) -> None:
        raise OperationalError("lock timeout")

    oscarapi_post_checkout.connect(give_up)
    try:
        answer = learner.check_out()
    finally:
        oscarapi_post_checkout.disconnect(give_up)

    assert answer.status_code == 200
    assert answer.json()["number"] == Order.objects.get().number
    assert Basket.objects.get(owner=learner.user).status == Basket.SUBMITTED
