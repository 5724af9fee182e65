"""What happens while somebody else has locked the rows that one needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_training_credits.credits.access.granting import lock_learners
from oscar_training_credits.credits.access.places import link_text
from oscar_training_credits.credits.ledger import redemption
from oscar_training_credits.credits.models import (
    AppliedCode,
    CreditCode,
    Place,
    Redemption,
    TakenPayment,
)
from oscar_training_credits.shop.order.creator import lock_basket
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.gateways import Gateway, Redirecting, install
from ...support.orders import place_order
from ...support.racing import PATIENCE
from ...support.shop import Learner, errors, text_of, words

Basket = get_model("basket", "Basket")
Order = get_model("order", "Order")

pytestmark = [
    pytest.mark.races,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urlconf("tests.support.gateways"),
]

TEXT = "ACME-TEAM-2026"
PROBLEM = "A problem occurred, and nothing was taken. Please try again."


@contextmanager
def impatient() -> Iterator[None]:
    """Wait for a lock for a second only, as sites set it."""
    on, off = {
        "postgresql": ("SET lock_timeout = '1s'", "SET lock_timeout = 0"),
        "mysql": (
            "SET innodb_lock_wait_timeout = 1",
            "SET innodb_lock_wait_timeout = 50",
        ),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(on)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(off)


@contextmanager
def held_elsewhere(lock: Any) -> Iterator[None]:
    """Let another connection lock what `lock` locks, all the time."""
    locked, over = Event(), Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                lock()
                locked.set()
                over.wait(timeout=PATIENCE)
        finally:
            connection.close()

    other = Thread(target=hold)
    other.start()
    assert locked.wait(timeout=PATIENCE)
    try:
        yield
    finally:
        over.set()
        other.join()


@pytest.fixture
def basket():
    return make_basket(make_learner(), (make_training(credits=20).product, 1))


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def purchase(basket, code):
    """Lock all that a purchase locks."""

    def lock():
        lock_basket(basket)
        redemption.lock_codes([code.pk])
        lock_learners([basket.owner_id])

    return lock


def refer_to_all(basket: Any, code: Any) -> None:
    """Write rows with foreign keys to what a purchase has locked."""
    with impatient():
        AppliedCode.objects.create(basket=basket, code=code)
        Basket.objects.create(owner=basket.owner)


def test_a_purchase_holds_nobody_up_who_only_refers_to_its_rows(basket, code, purchase):
    if not connection.features.has_select_for_no_key_update:
        pytest.skip("This database has one lock for both.")

    with held_elsewhere(purchase):
        refer_to_all(basket, code)

    assert AppliedCode.objects.exists()


def test_control_a_stronger_lock_holds_them_up(basket, code, purchase, monkeypatch):
    features = type(connection.features)
    monkeypatch.setattr(features, "has_select_for_no_key_update", False)

    with held_elsewhere(purchase), pytest.raises(OperationalError):
        refer_to_all(basket, code)


# What people are told who waited too long


def lock_code(code: CreditCode) -> Any:
    return lambda: redemption.lock_codes([code.pk])


@pytest.fixture
def places():
    """Two places, and their buyer."""
    make_code(100, text=TEXT)
    buyer = Learner(make_learner())
    place_order(buyer.user, (make_training(credits=20).product, 2), text=TEXT)
    return buyer, list(Place.objects.order_by("pk"))


def post_patiently(client: Any, address: str, lock: Any, **data: Any) -> str:
    """Post while `lock` is held, and return the words of the page that follows."""
    client.raise_request_exception = False
    with held_elsewhere(lock), impatient():
        page = client.post(address, data, follow=True)
    assert page.status_code == 200
    return words(text_of(page))


def lock_rows(model: Any, *keys: int) -> Any:
    rows = model.objects.filter(pk__in=keys).select_for_update()
    return lambda: list(rows)


def test_who_claims_a_place_is_told_to_try_again(places):
    _buyer, [place, _other] = places
    learner = Learner(make_learner())
    address = reverse("training_credits:claim", args=[link_text(place)])

    said = post_patiently(learner.client, address, lock_rows(Place, place.pk))

    assert PROBLEM in said
    assert Place.objects.get(pk=place.pk).is_free


@pytest.mark.parametrize("act", ["take-place", "revoke-link"])
def test_who_takes_or_revokes_is_told_to_try_again(places, act):
    buyer, [place, _other] = places
    address = reverse(f"training_credits:{act}", args=[place.pk])

    said = post_patiently(
        buyer.client, address, lock_rows(Place, place.pk), salt=place.salt
    )

    assert PROBLEM in said
    assert Place.objects.get(pk=place.pk).salt == place.salt


def test_staff_who_disable_codes_are_told_to_try_again(code, admin_client):
    make_code(10, text="ANOTHER-CODE-1")
    codes = CreditCode.objects.order_by("-pk")
    address = reverse("admin:training_credits_creditcode_changelist")

    said = post_patiently(
        admin_client,
        address,
        lock_code(code),
        action="disable",
        _selected_action=[each.pk for each in codes],
    )

    assert PROBLEM in said
    assert not codes.exclude(state=CreditCode.State.ACTIVE).exists()


@pytest.fixture
def learner(code):
    """A learner whose basket costs 20 credits and 25 pounds."""
    learner = Learner(make_learner())
    learner.add(make_training(credits=20, credit_only=True, price=None).product)
    learner.add(make_product(price="25.00"))
    learner.apply(TEXT)
    learner.client.raise_request_exception = False
    return learner


def test_who_waits_before_the_payment_is_told_that_nothing_was_taken(
    learner, code, monkeypatch
):
    gateway = install(monkeypatch, Gateway())
    page = learner.preview()

    with held_elsewhere(lock_code(code)), impatient():
        response = learner.place(page)

    assert PROBLEM in errors(response)
    assert gateway.charged == []
    assert Basket.open.get(owner=learner.user).num_lines == 2
    assert learner.place().url == reverse("checkout:thank-you")


@pytest.fixture
def held_up(learner, code, monkeypatch):
    """The answer to a learner whose order waits for others, after the charge."""
    gateway = install(monkeypatch, Gateway())
    page = learner.preview()
    others = held_elsewhere(lock_code(code))

    def charge(view, order_number, total):
        gateway.charge(view, order_number, total)
        others.__enter__()

    monkeypatch.setattr(gateway, "handle_payment", charge)
    with impatient():
        response = learner.place(page)
        yield response
        others.__exit__(None, None, None)


def test_who_was_charged_is_told_so_and_not_to_pay_again(held_up, learner, code):
    assert held_up.status_code == 302
    page = learner.client.get(held_up.url)

    said = words(text_of(page))
    number = TakenPayment.objects.get().order_number
    assert "Do not pay again. Your payment was taken" in said
    assert f"the order {number} could not be finished" in said
    assert "\N{POUND SIGN}25.00" in said
    assert "Go back to the order" not in said
    assert not Order.objects.exists()


def test_a_gateway_that_fails_after_the_charge_does_not_say_that_none_was_made(
    learner, code, monkeypatch
):
    gateway = install(monkeypatch, Gateway())

    def charge_and_fail(view, order_number, total):
        gateway.charge(view, order_number, total)
        raise OSError("Cut off.")

    monkeypatch.setattr(gateway, "handle_payment", charge_and_fail)

    page = learner.client.get(learner.place().url)

    assert "Do not pay again" in words(text_of(page))
    assert code.balance() == 100


def test_a_click_that_is_still_at_work_alarms_nobody(learner, code, monkeypatch):
    gateway = install(monkeypatch, Gateway())
    page = learner.preview()
    seen = []

    def charge_and_look(view, order_number, total):
        gateway.charge(view, order_number, total)
        seen.append(learner.client.get(learner.place(page).url))

    monkeypatch.setattr(gateway, "handle_payment", charge_and_look)

    response = learner.place(page)

    assert response.url == reverse("checkout:thank-you")
    assert "Your order is being placed" in words(text_of(seen[0]))


def test_who_comes_back_from_paying_elsewhere_is_led_to_wait(
    learner, code, monkeypatch
):
    install(monkeypatch, Redirecting())
    learner.place()
    Redemption.objects.update(expires_at="2020-01-01T00:00Z")
    redemption.release_expired()

    with held_elsewhere(lock_code(code)), impatient():
        back = learner.client.get(reverse("gateway-return"))

    assert "/orders/" in back.url
    assert (
        Basket.objects.get(
            owner=learner.user, lines__product__training__isnull=False
        ).status
        == Basket.FROZEN
    )
    assert learner.client.get(reverse("gateway-return")).url == reverse(
        "checkout:thank-you"
    )
