"""Many learners at once, with real threads and real row locks.

Each race has a negative control: the same race without the protection must fail, or
it would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits.credits import redemption
from oscar_training_credits.credits.models import (
    CreditGrant,
    LedgerEntry,
    Redemption,
)
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from .gateways import Redirecting, install
from .pages import make_course
from .racing import at_once, take_basket_lock_away, take_locks_away
from .shop import Learner, shown_in, text_of

Order = get_model("order", "Order")
Basket = get_model("basket", "Basket")

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.gateways"),
]

LEARNERS = 16
TEXT = "ACME-TEAM-2026"


@pytest.fixture
def training():
    return make_training(credits=20, price=None, credit_only=True)


@pytest.fixture
def hot_code():
    """A code that can pay five of them."""
    return make_code(100, text=TEXT)


def ready_to_confirm(training: Any) -> Callable[[], Any]:
    """Return the last click of a new learner who has gone through the checkout."""
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.apply(TEXT)
    page = learner.preview()
    return lambda: learner.place(page)


def race_for(training: Any) -> list[Any]:
    return at_once([ready_to_confirm(training) for _ in range(LEARNERS)])


def test_a_code_for_five_pays_exactly_five_of_sixteen(training, hot_code):
    responses = race_for(training)

    assert Order.objects.count() == Redemption.objects.count() == 5
    assert hot_code.balance() == 0
    assert [response.status_code for response in responses].count(302) == 5
    assert Basket.objects.filter(status=Basket.SUBMITTED).count() == 5
    assert not Basket.objects.filter(status=Basket.FROZEN).exists()


def test_control_without_the_lock_the_code_is_overspent(
    training, hot_code, monkeypatch
):
    take_locks_away(monkeypatch, parties=LEARNERS)

    race_for(training)

    assert Order.objects.count() > 5


def test_the_database_alone_would_not_let_a_grant_be_overdrawn(hot_code):
    grant = hot_code.grants.get()
    redeemed = CreditGrant.objects.filter(pk=grant.pk, remaining__gte=60)

    taken = at_once([lambda: redeemed.update(remaining=40)] * 2)

    assert sorted(taken) == [0, 1]


def test_two_tabs_confirm_one_basket_once(training, hot_code):
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.apply(TEXT)
    page = learner.preview()

    responses = at_once([lambda: learner.place(page)] * 8)

    assert Order.objects.count() == 1
    assert hot_code.balance() == 80
    assert {learner.shown_at(response) for response in responses} == {
        reverse("checkout:thank-you")
    }
    assert Order.objects.get().basket.status == Basket.SUBMITTED


def test_control_without_the_basket_lock_a_tab_fails(training, hot_code, monkeypatch):
    take_basket_lock_away(monkeypatch, parties=8)
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.apply(TEXT)
    page = learner.preview()

    responses = at_once([lambda: learner.place(page)] * 8)

    statuses = {response.status_code for response in responses}
    basket = Order.objects.get().basket
    assert 200 in statuses or basket.status != Basket.SUBMITTED


def test_two_tabs_buy_one_course_on_its_page_once(hot_code, training):
    course = make_course(training.product, credits=20, credit_only=True)
    learner = Learner(make_learner())
    step = "training_credits:express-{}".format
    apply = reverse(step("apply"), args=[training.pk])
    confirm = reverse(step("confirm"), args=[training.pk])
    learner.client.post(apply, {"code": TEXT})
    form = shown_in(text_of(learner.client.get(course.url)))

    at_once([lambda: learner.client.post(confirm, form)] * 8)

    assert form
    assert Order.objects.count() == 1
    assert hot_code.balance() == 80


def test_codes_applied_in_opposite_order_do_not_deadlock(training):
    make_code(1000, text="ONE")
    make_code(1000, text="TWO")

    def learner_with(*texts: str) -> Callable[[], Any]:
        learner = Learner(make_learner())
        learner.add(training.product, quantity=60)
        for text in texts:
            learner.apply(text)
        page = learner.preview()
        return lambda: learner.place(page)

    steps = [learner_with("ONE", "TWO"), learner_with("TWO", "ONE")]

    responses = at_once(steps)

    assert [response.status_code for response in responses].count(302) == 1
    assert Order.objects.count() == 1


def test_a_hold_that_lapses_is_released_or_captured_but_not_both(
    training, hot_code, monkeypatch
):
    install(monkeypatch, Redirecting())
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.add(make_product(price="25.00"))
    learner.apply(TEXT)
    learner.place()
    Redemption.objects.update(expires_at=timezone.now())
    back = reverse("gateway-return")

    at_once([redemption.release_expired] * 4 + [lambda: learner.client.get(back)] * 4)

    taken = Redemption.objects.filter(state=Redemption.State.CAPTURED).count()
    assert taken == Order.objects.count()
    assert hot_code.balance() == 100 - 20 * taken
    entries = LedgerEntry.objects.filter(grant__code=hot_code)
    assert sum(entries.values_list("credits", flat=True)) == hot_code.balance()
