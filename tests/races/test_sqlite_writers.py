"""Several server processes that write orders to one SQLite file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_training_credits.shop.order import creator
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ..support.racing import Meeting, Told, at_once_in_processes, told
from ..support.shop import Learner

Order = get_model("order", "Order")

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]

WRITERS = 4
ORDERS = 3  # by each
TEXT = "ACME-TEAM-2026"


@pytest.fixture
def code():
    return make_code(1000, text=TEXT)


@pytest.fixture
def product():
    return make_training(credits=20, credit_only=True, price=None).product


def ready_to_confirm(product: Any) -> Callable[[], Told]:
    learner = Learner(make_learner())
    learner.add(product)
    learner.apply(TEXT)
    page = learner.preview()
    return lambda: told(learner.place(page))


def writer(product: Any, count: int) -> Callable[[], list[Told]]:
    """Return the work of one process: so many orders, each by another learner."""
    clicks = [ready_to_confirm(product) for _ in range(count)]
    return lambda: [click() for click in clicks]


def test_no_learner_meets_a_locked_database(code, product):
    answers = at_once_in_processes([writer(product, ORDERS) for _ in range(WRITERS)])

    assert {answer.url for each in answers for answer in each} == {
        reverse("checkout:thank-you")
    }
    assert Order.objects.count() == WRITERS * ORDERS
    assert code.balance() == 1000 - 20 * WRITERS * ORDERS
    call_command("check_ledger")


@pytest.fixture
def as_django_does(monkeypatch):
    """Transactions that lock when they first write: what the manual tells to change."""
    monkeypatch.delitem(connection.settings_dict["OPTIONS"], "transaction_mode")
    yield
    connection.close()


def failure_of(click: Callable[[], Told]) -> Callable[[], str]:
    """Return a click that says how it failed, if it did."""

    def clicked() -> str:
        try:
            return click().errors
        except OperationalError as error:
            return str(error)

    return clicked


def test_control_without_the_options_a_learner_does(
    code, product, as_django_does, monkeypatch
):
    both_have_read, lock = Meeting(2), creator.lock_basket

    def lock_and_meet(basket):
        locked = lock(basket)
        both_have_read()
        return locked

    monkeypatch.setattr(creator, "lock_basket", lock_and_meet)

    learners = [failure_of(ready_to_confirm(product)) for _ in range(2)]

    assert any(at_once_in_processes(learners))

    assert Order.objects.count() < 2
