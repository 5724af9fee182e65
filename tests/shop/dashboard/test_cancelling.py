"""A status that gives credits back or ends access is asked for first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.access import places
from oscar_training_credits.credits.models import CreditGrant, Place
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.books import assert_balanced
from ...support.orders import confirm, place_order
from ...support.shop import text_of, words

Order = get_model("order", "Order")

pytestmark = pytest.mark.django_db

TEXT = "ACME-TEAM-2026"
CANCEL = {"order_action": "change_order_status", "new_status": "Cancelled"}


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def training():
    return make_training("Django Foundations", price="240.00", credits=20)


def address(order):
    return reverse("dashboard:order-detail", args=[order.number])


def question_of(client, order, form=CANCEL):
    """Return what is asked; nothing has been done by then."""
    asked = client.post(address(order), form)
    assert asked.status_code == 200
    order.refresh_from_db()
    assert order.status == "Complete"
    return words(text_of(asked))


def test_it_says_what_would_happen_and_does_nothing(
    admin_client, code, learner, training
):
    order = place_order(learner, (training.product, 1), text=TEXT)

    text = question_of(admin_client, order)

    assert "Change the status to Cancelled?" in text
    assert "This gives 20 credits back, and can't be undone." in text
    assert "20 credits to ACME, code ending 2026" in text
    assert "Access ends now" in text
    assert code.balance() == 80
    assert api.has_access(learner, training)


def test_a_yes_does_it(admin_client, code, learner, training):
    order = place_order(learner, (training.product, 1), text=TEXT)

    confirm(admin_client, address(order), CANCEL)

    order.refresh_from_db()
    assert order.status == "Cancelled"
    assert code.balance() == 100
    assert not api.has_access(learner, training)
    assert_balanced()


def test_a_second_click_on_yes_does_nothing_more(admin_client, code, learner, training):
    order = place_order(learner, (training.product, 1), text=TEXT)
    confirm(admin_client, address(order), CANCEL)

    again = admin_client.post(address(order), {**CANCEL, "confirmed": "yes"})

    assert again.status_code == 302
    assert code.balance() == 100
    assert_balanced()


def test_access_bought_with_money_is_named(admin_client, learner, training):
    order = place_order(learner, (training.product, 1))

    text = question_of(admin_client, order)

    assert "This can't be undone." in text
    assert "Django Foundations 1 of 1 Access ends now" in text


@pytest.mark.parametrize("text", [TEXT, None], ids=["credits", "money"])
def test_places_and_those_who_claimed_them_are_counted(
    admin_client, code, learner, training, text
):
    order = place_order(learner, (training.product, 3), text=text)
    places.claim(Place.objects.order_by("pk")[0], make_learner())

    said = question_of(admin_client, order)

    assert "3 places are taken back 1 learner loses access" in said


def test_expired_credits_that_stay_away_are_named(
    admin_client, code, settings, learner, training
):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = 0
    order = place_order(learner, (training.product, 1), text=TEXT)
    CreditGrant.objects.update(expires_at=timezone.now() - timedelta(days=1))

    text = question_of(admin_client, order)

    assert "expired credits are not given back" in text
    assert "Access stays as it is" in text


def test_training_that_waits_for_its_payment_is_named(
    admin_client, settings, learner, training
):
    settings.TRAINING_CREDITS_PAID_STATUSES = ["Paid"]
    order = place_order(learner, (training.product, 1))

    assert "waits for its payment, and will not open" in question_of(
        admin_client, order
    )


def test_an_order_without_training_is_changed_at_once(admin_client, learner):
    order = place_order(learner, (make_product("A book", "9.00"), 1))

    admin_client.post(address(order), CANCEL)

    order.refresh_from_db()
    assert order.status == "Cancelled"


def test_what_was_given_back_before_is_no_question(
    admin_client, code, learner, training
):
    order = place_order(learner, (training.product, 1), text=TEXT)
    api.refund_order(order, idempotency_key="a")

    admin_client.post(address(order), CANCEL)

    order.refresh_from_db()
    assert order.status == "Cancelled"


def test_only_the_chosen_lines_are_named(admin_client, code, learner, training):
    other = make_training("Another course", credits=30)
    order = place_order(learner, (training.product, 1), (other.product, 1), text=TEXT)
    line = order.lines.get(product=other.product)
    form = {
        "line_action": "change_line_statuses",
        "selected_line": line.pk,
        f"selected_line_qty_{line.pk}": 1,
        "new_status": "Cancelled",
    }

    text = question_of(admin_client, order, form)
    assert "This gives 30 credits back" in text
    assert "Django Foundations" not in text

    confirm(admin_client, address(order), form)
    assert code.balance() == 80


def test_several_orders_are_one_question(admin_client, code, learner, training):
    orders = [
        place_order(make_learner(), (training.product, 1), text=TEXT) for _n in range(2)
    ]
    form = {
        "action": "change_order_statuses",
        "selected_order": [order.pk for order in orders],
        "new_status": "Cancelled",
    }
    address = reverse("dashboard:order-list")

    text = words(text_of(admin_client.post(address, form)))
    assert "This gives 40 credits back" in text
    assert all(f"Order #{order.number}" in text for order in orders)
    assert code.balance() == 60

    confirm(admin_client, address, form)
    assert code.balance() == 100
    assert Order.objects.filter(status="Cancelled").count() == 2


def test_a_status_that_it_cannot_have_is_refused_as_ever(
    admin_client, code, learner, training
):
    order = place_order(learner, (training.product, 1), text=TEXT)
    Order.objects.filter(pk=order.pk).update(status="Elsewhere")

    page = admin_client.post(address(order), CANCEL, follow=True)

    assert "Invalid form submission" in words(text_of(page))
    assert code.balance() == 80
