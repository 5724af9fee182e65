"""Orders paid partly in credits and partly through a site's own gateway."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone
from oscar.apps.payment.exceptions import PaymentError
from oscar.core.loading import get_model

from oscar_training_credits.credits import redemption
from oscar_training_credits.credits.issuing import set_state
from oscar_training_credits.credits.models import CreditGrant, LedgerEntry, Redemption
from oscar_training_credits.shop.training import sell_as_training
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from .gateways import Declining, Gateway, Redirecting, install
from .shop import Learner, errors, text_of, words

Order = get_model("order", "Order")
Basket = get_model("basket", "Basket")

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.gateways")]

TEXT = "ACME-TEAM-2026"
HELD, CAPTURED, RELEASED = Redemption.State


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def training():
    return make_training(credits=20, credit_only=True, price=None)


@pytest.fixture
def learner(code, training):
    """A learner whose basket costs 20 credits and £25."""
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.add(make_product(price="25.00"))
    learner.apply(TEXT)
    return learner


@pytest.fixture
def gateway(monkeypatch):
    return install(monkeypatch, Gateway())


def states():
    return list(Redemption.objects.order_by("pk").values_list("state", flat=True))


def assert_balanced():
    for grant in CreditGrant.objects.annotate(entered=Sum("entries__credits")):
        assert grant.remaining == grant.entered


def test_the_gateway_takes_what_the_credits_do_not_pay(learner, code, gateway):
    response = learner.place()

    assert response.url == reverse("checkout:thank-you")
    assert gateway.charged == [Decimal("25.00")]
    assert code.balance() == 80
    assert states() == [CAPTURED]
    order = learner.order()
    assert Redemption.objects.get().order == order
    assert {source.reference for source in order.sources.all()} == {
        f"card-{order.number}",
        f"redemption-{Redemption.objects.get().pk}",
    }
    assert_balanced()


def test_the_credits_are_held_while_the_gateway_charges(
    learner, code, gateway, monkeypatch
):
    def look(view, order_number, total):
        gateway.seen = [code.balance(), *states()]
        gateway.charge(view, order_number, total)

    monkeypatch.setattr(gateway, "handle_payment", look)

    learner.place()

    assert gateway.seen == [80, HELD]


def test_nothing_is_held_where_no_money_is_paid(code, training, gateway):
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.apply(TEXT)

    learner.place()

    assert gateway.charged == []
    kinds = LedgerEntry.objects.values_list("kind", flat=True)
    assert set(kinds) == {"grant", "redeem"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, "Card declined."),
        (PaymentError("The gateway is away."), "no payment has been taken"),
        (TimeoutError("It took too long."), "no payment has been taken"),
    ],
    ids=["declined", "payment error", "time-out"],
)
def test_a_payment_that_fails_releases_the_hold(
    learner, code, monkeypatch, error, said
):
    install(monkeypatch, Declining(error))

    response = learner.place()

    assert said in errors(response)
    assert not Order.objects.exists()
    assert code.balance() == 100
    assert states() == [RELEASED]
    assert_balanced()


def test_after_a_failure_the_next_try_works(learner, code, monkeypatch):
    gateway = install(monkeypatch, Declining())
    learner.place()

    response = learner.place()

    assert response.url == reverse("checkout:thank-you")
    assert gateway.charged == [Decimal("25.00")]
    assert code.balance() == 80
    assert states() == [RELEASED, CAPTURED]
    attempts = Redemption.objects.order_by("pk").values_list("attempt", flat=True)
    assert list(attempts) == [1, 2]


@pytest.fixture
def away(monkeypatch):
    return install(monkeypatch, Redirecting())


def test_a_customer_who_pays_elsewhere_comes_back_to_an_order(learner, code, away):
    response = learner.place()
    assert response.url == "https://pay.example/"
    assert (code.balance(), states()) == (80, [HELD])

    back = learner.client.get(reverse("gateway-return"))

    assert back.url == reverse("checkout:thank-you")
    assert away.charged == [Decimal("25.00")]
    assert (code.balance(), states()) == (80, [CAPTURED])
    assert learner.order().lines.count() == 2
    assert_balanced()


def test_coming_back_twice_is_one_order(learner, code, away):
    learner.place()
    learner.client.get(reverse("gateway-return"))

    learner.client.get(reverse("gateway-return"))

    assert Order.objects.count() == 1
    assert code.balance() == 80


def test_what_is_held_counts_whatever_changes_meanwhile(learner, code, training, away):
    learner.place()
    set_state(code, "disabled")
    sell_as_training(training.product, credits=90)
    code.grants.update(expires_at=timezone.now())

    back = learner.client.get(reverse("gateway-return"))

    assert back.url == reverse("checkout:thank-you")
    assert Redemption.objects.get().credits == 20


def test_who_never_comes_back_locks_nobody_out(learner, code, away, training):
    code.grants.update(credits=30, remaining=30)
    learner.place()
    assert code.balance() == 10
    Redemption.objects.update(expires_at=timezone.now())
    other = Learner(make_learner())
    other.add(training.product)

    said = other.apply(TEXT)

    assert "30 credits available, 10 left" in said
    other.place()
    assert states() == [RELEASED, CAPTURED]
    assert code.balance() == 10


def test_who_comes_back_too_late_is_not_given_what_others_have_spent(
    learner, code, away, training
):
    grant = code.grants.get()
    CreditGrant.objects.filter(pk=grant.pk).update(credits=20, remaining=20)
    learner.place()
    Redemption.objects.update(expires_at=timezone.now())
    other = Learner(make_learner())
    other.add(training.product)
    other.apply(TEXT)
    other.place()

    back = learner.client.get(reverse("gateway-return"))

    assert "This order needs 20 credits" in errors(back)
    assert away.charged == []
    assert not Order.objects.filter(user=learner.user).exists()
    assert code.balance() == 0


def test_expired_holds_are_released_at_once(learner, code, away):
    learner.place()

    assert redemption.release_expired() == 0
    later = timezone.now() + timedelta(hours=1)
    assert redemption.release_expired(later) == 1
    assert redemption.release_expired(later) == 0
    assert code.balance() == 100
    assert_balanced()


def test_a_hold_lasts_as_long_as_the_site_says(learner, away, settings):
    settings.TRAINING_CREDITS_HOLD_MINUTES = 5

    learner.place()

    left = Redemption.objects.get().expires_at - timezone.now()
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)


def test_a_second_click_during_payment_waits_for_the_order(
    learner, code, gateway, monkeypatch
):
    page = learner.preview()
    clicks = []

    def click_again(view, order_number, total):
        if not clicks:
            clicks.append(learner.place(page))
        gateway.charge(view, order_number, total)

    monkeypatch.setattr(gateway, "handle_payment", click_again)

    response = learner.place(page)

    (second,) = clicks
    waiting = learner.client.get(second.url)
    assert response.url == reverse("checkout:thank-you")
    assert gateway.charged == [Decimal("25.00")]
    assert waiting.url == reverse("checkout:thank-you")
    assert code.balance() == 80


def test_the_waiting_page_looks_again_by_itself(learner, code, away):
    learner.place()
    basket = Basket.objects.get(owner=learner.user, status=Basket.FROZEN)

    page = learner.client.get(reverse("training_credits:under-way", args=[basket.pk]))

    assert "Your order is being placed" in words(text_of(page))
    assert 'http-equiv="refresh"' in text_of(page)


def test_nobody_waits_for_the_order_of_another(learner, code, away):
    learner.place()
    basket = Basket.objects.get(owner=learner.user, status=Basket.FROZEN)
    other = Learner(make_learner())

    page = other.client.get(reverse("training_credits:under-way", args=[basket.pk]))

    assert page.status_code == 404
