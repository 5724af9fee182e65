"""The checkout where Django's ATOMIC_REQUESTS is on, and where it is off.

Oscar catches whatever fails in its checkout and answers 200, so the transaction that
ATOMIC_REQUESTS puts around a view is committed all the same, but only after the
gateway, the mail and the receivers.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.core.checks import run_checks
from django.urls import resolve, reverse
from oscar.apps.order.signals import order_placed
from oscar.core.loading import get_model

from oscar_training_credits.credits.models import Redemption
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.gateways import Declining, Gateway, Redirecting, install
from ...support.pages import make_course
from ...support.racing import at_once
from ...support.shop import Learner, errors
from ..direct_purchase.test_direct_purchase import Buyer

Order = get_model("order", "Order")
Basket = get_model("basket", "Basket")

committed = pytest.mark.django_db(transaction=True)
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.all_databases,
    pytest.mark.urlconf("tests.support.gateways"),
    pytest.mark.usefixtures("atomic_requests"),
]

TEXT = "ACME-TEAM-2026"
HELD, CAPTURED, RELEASED = Redemption.State
THANKS = "/shop/checkout/thank-you/"


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def learner(code):
    """A learner whose basket costs 20 credits and £25."""
    learner = Learner(make_learner())
    learner.add(make_training(credits=20, credit_only=True).product)
    learner.add(make_product(price="25.00"))
    learner.apply(TEXT)
    return learner


def states():
    return list(Redemption.objects.order_by("pk").values_list("state", flat=True))


def seen_by_others(code):
    """Return the balance and the holds that another connection sees."""
    (seen,) = at_once([lambda: (code.balance(), states())])
    return seen


class Watching(Gateway):
    """Notes what others see while it charges."""

    def __init__(self, code):
        super().__init__()
        self.code = code

    def handle_payment(self, view, order_number, total):
        self.seen.append(seen_by_others(self.code))
        self.charge(view, order_number, total)


def make_the_same_user_twice(order, **kwargs):
    get_user_model().objects.create(username=order.user.username)


@pytest.fixture
def failing_receiver():
    """A receiver with a mistake that makes the transaction it runs in unusable."""
    order_placed.connect(make_the_same_user_twice)
    yield
    order_placed.disconnect(make_the_same_user_twice)


@committed
def test_a_hold_is_committed_before_the_gateway_and_an_order_before_receivers(
    learner, code, monkeypatch, failing_receiver
):
    gateway = install(monkeypatch, Watching(code))

    response = learner.place()

    assert response.url == THANKS
    assert gateway.seen == [(80, [HELD])]
    assert gateway.charged == [Decimal("25.00")]
    assert seen_by_others(code) == (80, [CAPTURED])
    assert Order.objects.get().basket.status == Basket.SUBMITTED


@committed
@pytest.mark.parametrize("atomic_requests", [True], indirect=True)
def test_control_in_one_transaction_nobody_sees_the_hold_and_the_order_is_undone(
    learner, code, monkeypatch, failing_receiver
):
    preview = resolve(reverse("checkout:preview")).func
    monkeypatch.setattr(preview, "_non_atomic_requests", set())
    learner.client.raise_request_exception = False
    gateway = install(monkeypatch, Watching(code))

    learner.place()

    assert gateway.seen == [(100, [])]
    assert gateway.charged == [Decimal("25.00")]
    assert not Order.objects.exists()


@committed
@pytest.mark.parametrize("atomic_requests", [True], indirect=True)
def test_what_is_bought_on_a_page_is_committed_before_receivers(code, failing_receiver):
    buyer = Buyer(make_course(make_product(), credits=20))
    buyer.box(TEXT)

    buyer.confirm()

    assert Order.objects.get().user == buyer.user
    assert code.balance() == 80


def test_a_checkout_view_in_one_transaction_is_warned_of(atomic_requests, monkeypatch):
    def ids():
        return [message.id for message in run_checks(tags=["training_credits"])]

    assert ids() == []

    preview = resolve(reverse("checkout:preview")).func
    monkeypatch.setattr(preview, "_non_atomic_requests", set())

    assert ids() == (["training_credits.W004"] if atomic_requests else [])


def test_a_declined_card_leaves_nothing_behind_and_can_be_tried_again(
    learner, code, monkeypatch
):
    install(monkeypatch, Declining())

    assert "Card declined" in errors(learner.place())
    assert not Order.objects.exists()
    assert (code.balance(), states()) == (100, [RELEASED])
    assert learner.place().url == THANKS
    assert code.balance() == 80


def test_who_pays_elsewhere_comes_back_to_an_order(learner, code, monkeypatch):
    install(monkeypatch, Redirecting())

    assert learner.place().url == "https://pay.example/"
    assert (code.balance(), states()) == (80, [HELD])
    assert learner.client.get(reverse("gateway-return")).url == THANKS
    assert (code.balance(), states()) == (80, [CAPTURED])
