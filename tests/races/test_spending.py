"""Many learners at once, with real threads and real row locks.

Each race has a negative control: the same race without the protection must fail, or
it would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import post_save
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits.credits.access import granting
from oscar_training_credits.credits.ledger import entries as ledger_entries
from oscar_training_credits.credits.ledger import redemption
from oscar_training_credits.credits.models import CreditGrant, LedgerEntry, Redemption
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ..support.gateways import Redirecting, install
from ..support.pages import make_course
from ..support.racing import (
    Meeting,
    Told,
    at_once,
    lock_codes_by,
    read_unlocked,
    take_basket_lock_away,
    take_locks_away,
    told,
)
from ..support.shop import Learner, shown_in, text_of

Order = get_model("order", "Order")
Basket = get_model("basket", "Basket")

pytestmark = [
    pytest.mark.races,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urlconf("tests.support.gateways"),
]

LEARNERS = 16
TEXT = "ACME-TEAM-2026"
THANKS = reverse_lazy("checkout:thank-you")
PAYMENT = reverse_lazy("checkout:payment-details")
CODES = reverse_lazy("training_credits:enter-code")


@pytest.fixture
def training():
    return make_training(credits=20, price=None, credit_only=True)


@pytest.fixture
def hot_code():
    """A code that can pay five of them."""
    return make_code(100, text=TEXT)


def ready_to_confirm(training: Any) -> Callable[[], Told]:
    """Return the last click of a new learner who has gone through the checkout."""
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.apply(TEXT)
    page = learner.preview()
    return lambda: told(learner.place(page))


def learners_for(training: Any) -> list[Callable[[], Told]]:
    return [ready_to_confirm(training) for _ in range(LEARNERS)]


def test_a_code_for_five_pays_exactly_five_of_sixteen(training, hot_code, race):
    answers = race(learners_for(training))

    assert Order.objects.count() == Redemption.objects.count() == 5
    assert hot_code.balance() == 0
    refused = [answer for answer in answers if answer.url != THANKS]
    assert len(refused) == LEARNERS - 5
    assert not any("A problem occurred" in answer.errors for answer in refused)
    assert Basket.objects.filter(status=Basket.SUBMITTED).count() == 5
    assert not Basket.objects.filter(status=Basket.FROZEN).exists()


def test_control_without_the_lock_the_code_is_overspent(
    training, hot_code, monkeypatch, race
):
    take_locks_away(monkeypatch, parties=LEARNERS)

    race(learners_for(training))

    assert Order.objects.count() > 5


def test_the_database_alone_would_not_let_a_grant_be_overdrawn(hot_code):
    grant = hot_code.grants.get()
    redeemed = CreditGrant.objects.filter(pk=grant.pk, remaining__gte=60)

    taken = at_once([lambda: redeemed.update(remaining=40)] * 2)

    assert sorted(taken) == [0, 1]


def test_two_tabs_confirm_one_basket_once(training, hot_code, race):
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.apply(TEXT)
    page = learner.preview()

    answers = race([lambda: told(learner.place(page))] * 8)

    assert Order.objects.count() == 1
    assert hot_code.balance() == 80
    assert {learner.shown_at(answer) for answer in answers} == {THANKS}
    assert Order.objects.get().basket.status == Basket.SUBMITTED


def test_control_without_the_basket_lock_a_tab_fails(
    training, hot_code, monkeypatch, race
):
    take_basket_lock_away(monkeypatch, parties=8)
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.apply(TEXT)
    page = learner.preview()

    answers = race([lambda: told(learner.place(page))] * 8)

    statuses = {answer.status_code for answer in answers}
    basket = Order.objects.get().basket
    assert 200 in statuses or basket.status != Basket.SUBMITTED


def test_two_tabs_buy_one_course_on_its_page_once(hot_code, training):
    course = make_course(training.product, credits=20, credit_only=True)
    learner = Learner(make_learner())
    step = "training_credits:purchase-{}".format
    apply = reverse(step("apply"), args=[training.pk])
    confirm = reverse(step("confirm"), args=[training.pk])
    learner.client.post(apply, {"code": TEXT})
    form = shown_in(text_of(learner.client.get(course.url)))

    at_once([lambda: learner.client.post(confirm, form)] * 8)

    assert form
    assert Order.objects.count() == 1
    assert hot_code.balance() == 80


@pytest.fixture
def opposite_learners(training):
    """Two who need both of two codes, and have applied them in opposite order."""
    make_code(1000, text="ACME-2026-ONE")
    make_code(1000, text="ACME-2026-TWO")

    def learner_with(*texts: str) -> Callable[[], Told]:
        learner = Learner(make_learner())
        learner.add(training.product, quantity=60)
        for text in texts:
            learner.apply(text)
        page = learner.preview()
        return lambda: told(learner.place(page))

    return [
        learner_with("ACME-2026-ONE", "ACME-2026-TWO"),
        learner_with("ACME-2026-TWO", "ACME-2026-ONE"),
    ]


def test_codes_applied_in_opposite_order_do_not_deadlock(opposite_learners, race):
    answers = race(opposite_learners)

    (refused,) = [answer for answer in answers if answer.url != THANKS]
    # Who comes when the credits are gone already is asked for another code, or money.
    assert refused.url in (PAYMENT, CODES) or "too few" in refused.errors
    assert Order.objects.count() == 1


def test_control_locked_in_opposite_order_two_codes_deadlock(
    opposite_learners, monkeypatch, race
):
    both_are_here, both_have_one = Meeting(2), Meeting(2)
    lock = redemption.lock_codes

    def lock_in_opposite_order(code_ids):
        first, second = sorted(code_ids, reverse=both_are_here() == 0)
        locked = lock([first])
        both_have_one()
        return [*locked, *lock([second])]

    lock_codes_by(monkeypatch, lock_in_opposite_order)

    answers = race(opposite_learners)

    assert "A problem occurred" in "".join(answer.errors for answer in answers)


@pytest.fixture
def coming_back(training, hot_code, monkeypatch):
    """The return of a learner from the gateway, after the hold has lapsed."""
    install(monkeypatch, Redirecting())
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.add(make_product(price="25.00"))
    learner.apply(TEXT)
    learner.place()
    Redemption.objects.update(expires_at=timezone.now())
    return lambda: told(learner.client.get(reverse("gateway-return")))


def test_a_hold_that_lapses_is_released_or_captured_but_not_both(
    hot_code, coming_back, race
):
    race([redemption.release_expired] * 4 + [coming_back] * 4)

    taken = Redemption.objects.filter(state=Redemption.State.CAPTURED).count()
    assert taken == Order.objects.count()
    assert hot_code.balance() == 100 - 20 * taken
    entries = LedgerEntry.objects.filter(grant__code=hot_code)
    assert sum(entries.values_list("credits", flat=True)) == hot_code.balance()


def test_control_without_the_lock_what_is_released_is_captured_too(
    hot_code, coming_back, monkeypatch, race
):
    both_found_it_held = Meeting(2)
    unhold, capture = ledger_entries.release_credits, redemption._capture

    def unhold_later(*args, **kwargs):
        both_found_it_held()
        return unhold(*args, **kwargs)

    def capture_later(*args):
        both_found_it_held()
        return capture(*args)

    lock_codes_by(monkeypatch, read_unlocked)
    monkeypatch.setattr(ledger_entries, "release_credits", unhold_later)
    monkeypatch.setattr(redemption, "_capture", capture_later)

    race([redemption.release_expired, coming_back])

    assert Order.objects.count() == 1
    assert hot_code.balance() == 100


@pytest.fixture
def two_orders_of_one_learner():
    """One who buys two courses on their pages at the same moment, by two codes."""
    learner = Learner(make_learner())

    def click(title: str, text: str) -> Callable[[], Told]:
        make_code(20, text=text)
        course = make_course(make_product(title), credits=20, credit_only=True)
        step = "training_credits:purchase-{}".format
        args = [course.training.pk]
        learner.client.post(reverse(step("apply"), args=args), {"code": text})
        form = shown_in(text_of(learner.client.get(course.url)))
        confirm = reverse(step("confirm"), args=args)
        return lambda: told(learner.client.post(confirm, form))

    return [click("Django", "ACME-2026-ONE"), click("Security", "ACME-2026-TWO")]


def test_one_learner_has_two_orders_at_once(two_orders_of_one_learner, race):
    race(two_orders_of_one_learner)

    assert Order.objects.count() == 2


def test_control_locked_after_the_order_one_learners_orders_deadlock(
    two_orders_of_one_learner, monkeypatch, race
):
    both_are_written, lock = Meeting(2), granting.lock_learners

    def write_first(**kwargs):
        both_are_written()
        lock([kwargs["instance"].user_id])

    monkeypatch.setattr(granting, "lock_learners", lambda pks: None)
    post_save.connect(write_first, sender=Order)
    try:
        race(two_orders_of_one_learner)
    finally:
        post_save.disconnect(write_first, sender=Order)

    # PostgreSQL looks at foreign keys when the transaction ends.
    looks_later = connection.features.can_defer_constraint_checks
    assert Order.objects.count() == (2 if looks_later else 1)
