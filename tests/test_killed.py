"""The server is killed, with no warning, while it places an order.

What a transaction has not committed is gone; nothing else may be lost or done twice.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits.credits.models import LedgerEntry, Redemption
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from .gateways import Gateway, install
from .killing import kill_at, moment, moments_of, spread
from .shop import Learner, text_of, words

Order = get_model("order", "Order")
Basket = get_model("basket", "Basket")

pytestmark = [
    pytest.mark.races,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.gateways"),
]

TEXT = "ACME-TEAM-2026"
POINTS = 20


@pytest.fixture(autouse=True)
def mail_is_a_moment(settings):
    settings.EMAIL_BACKEND = "tests.killing.EmailBackend"


@pytest.fixture
def code():
    return make_code(100_000, text=TEXT)


@pytest.fixture
def products():
    return [make_training(credits=20, credit_only=True, price=None).product]


class Terminal(Gateway):
    """Notes on paper what was charged, which outlives the process."""

    def __init__(self, paper: Any) -> None:
        super().__init__()
        self.paper = paper

    def charge(self, view: Any, order_number: Any, total: Any) -> None:
        moment("before the charge")
        with self.paper.open("a") as lines:
            lines.write(f"{order_number}\n")
        moment("after the charge")
        super().charge(view, order_number, total)

    def charges_for(self, order_number: str) -> int:
        written = self.paper.read_text().split() if self.paper.exists() else []
        return written.count(order_number)


def about_to_confirm(products: list[Any]) -> tuple[Learner, Any]:
    learner = Learner(make_learner())
    for product in products:
        learner.add(product)
    learner.apply(TEXT)
    return learner, learner.preview()


def killed_learners(products: list[Any], points: int = POINTS) -> Any:
    """Yield learners whose order died, each at another moment, with what they saw."""
    for _ in range(2):  # the first of all has more to do than the others
        learner, page = about_to_confirm(products)
        moments = moments_of(lambda: learner.place(page))
    for number in spread(moments, points):
        learner, page = about_to_confirm(products)
        kill_at(number, lambda: learner.place(page))
        yield learner.user, page, f"{number} of {len(moments)}: {moments[number][:90]}"


def try_again(user: Any, page: Any) -> None:
    """Log in, send the form again, and go on from where the shop leads."""
    learner = Learner(user)
    answer = learner.place(page)
    if answer.url != reverse("checkout:thank-you"):
        answer = learner.place()
    assert answer.url == reverse("checkout:thank-you")


def assert_ordered_once(user: Any, died: str) -> None:
    assert Order.objects.filter(user=user).count() == 1, died
    entries = LedgerEntry.objects.filter(redemption__learner=user)
    assert sum(entries.values_list("credits", flat=True)) == -20, died
    captured = Redemption.objects.filter(learner=user, state="captured")
    assert captured.get().order.user == user, died


def test_a_killed_order_is_placed_once_by_the_next_try(code, products):
    for user, page, died in killed_learners(products):
        call_command("check_ledger")

        try_again(user, page)

        assert_ordered_once(user, died)
    call_command("check_ledger")
    assert Order.objects.count() == POINTS + 2
    assert code.balance() == 100_000 - 20 * (POINTS + 2)
