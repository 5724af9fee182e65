"""The server is killed, with no warning, while it places an order.

What a transaction has not committed is gone; nothing else may be lost or done twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits import signals
from oscar_training_credits.credits.models import LedgerEntry, Redemption, TakenPayment
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ..support.gateways import Gateway, install
from ..support.killing import kill_at, moment, moments_of, spread
from ..support.shop import Learner, text_of, words

Order = get_model("order", "Order")

pytestmark = [
    pytest.mark.races,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urlconf("tests.support.gateways"),
]

TEXT = "ACME-TEAM-2026"
POINTS = 20
FEWER = 10


@pytest.fixture(autouse=True)
def mail_is_a_moment(settings):
    settings.EMAIL_BACKEND = "tests.support.killing.EmailBackend"


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


def about_to_confirm(products: list[Any]) -> tuple[Any, Any, Callable[[], Any]]:
    """Return a new learner, the preview that they see, and their last click."""
    learner = Learner(make_learner())
    for product in products:
        learner.add(product)
    learner.client.post(reverse("training_credits:apply"), {"code": TEXT})
    page = learner.preview()
    return learner.user, page, lambda: learner.place(page)


def killed_learners(
    products: list[Any], points: int = POINTS
) -> Iterator[tuple[Any, Any, str]]:
    """Yield learners whose order died, each at another moment, with what they saw."""
    for _ in range(2):  # the first of all has more to do than the others
        _user, _page, click = about_to_confirm(products)
        moments = moments_of(click)
    for number in spread(moments, points):
        user, page, click = about_to_confirm(products)
        kill_at(number, click)
        yield user, page, f"{number} of {len(moments)}: {moments[number][:90]}"


def try_again(user: Any, page: Any) -> None:
    """Log in, send the form again, and go on from where the shop leads."""
    learner = Learner(user)
    answer = learner.place(page)
    if "/orders/" in answer.url:
        answer = taken_back(learner, answer.url)
    if answer.url != reverse("checkout:thank-you"):
        answer = learner.place()
    assert answer.url == reverse("checkout:thank-you")


def taken_back(learner: Learner, waiting: str) -> Any:
    """Wait for an order that nobody places, and take the basket back."""
    assert "Your order is being placed" in words(text_of(learner.client.get(waiting)))
    assert learner.client.post(waiting).url.startswith(waiting.partition("?")[0])
    later = re.sub(r"since=(\d+)", lambda at: f"since={int(at[1]) - 60}", waiting)
    page = words(text_of(learner.client.get(later)))
    if TakenPayment.objects.filter(basket__owner=learner.user).exists():
        assert "We have your payment, but not your order" in page
        assert "Do not pay again" in page
    else:
        assert "Your order has not been finished" in page
        assert "If you have paid already, do not pay again" in page
    return learner.client.post(later)


def an_hour_passes() -> None:
    past = timezone.now() - timedelta(hours=1)
    TakenPayment.objects.update(created_at=past)
    Redemption.objects.filter(state="held").update(expires_at=past)


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


@pytest.fixture
def terminal(monkeypatch, tmp_path):
    return install(monkeypatch, Terminal(tmp_path / "charges"))


@pytest.fixture
def mixed(products):
    """What costs 20 credits and £25."""
    return [*products, make_product(price="25.00")]


def test_a_killed_order_with_a_charge_is_placed_once(code, mixed, terminal):
    charged_twice = []
    for user, page, died in killed_learners(mixed):
        call_command("check_ledger")

        try_again(user, page)

        assert_ordered_once(user, died)
        number = Order.objects.get(user=user).number
        # Under one number: a gateway that knows its orders takes the money once.
        if terminal.charges_for(number) == 2:
            charged_twice.append(died)
        else:
            assert terminal.charges_for(number) == 1, died
    call_command("check_ledger")
    assert not Redemption.objects.filter(state="held").exists()
    an_hour_passes()
    call_command("check_ledger", "--release-holds", stdout=StringIO())
    assert not TakenPayment.objects.exists()
    assert code.balance() == 100_000 - 20 * (POINTS + 2)
    assert charged_twice[0].endswith("after the charge")
    assert charged_twice[-1].endswith("before COMMIT")


def test_what_was_charged_for_a_killed_order_is_told_though_nobody_comes_back(
    code, mixed, terminal
):
    told = []

    def listen(payment, **kwargs):
        told.append(payment.order_number)

    for _killed in killed_learners(mixed, FEWER):
        pass
    an_hour_passes()
    signals.money_taken_without_order.connect(listen)
    try:
        call_command("check_ledger", "--release-holds", stdout=StringIO())
    finally:
        signals.money_taken_without_order.disconnect(listen)

    call_command("check_ledger")
    ordered = set(Order.objects.values_list("number", flat=True))
    charged = set(terminal.paper.read_text().split())
    (unheard,) = charged - ordered - set(told)
    assert told
    assert terminal.charges_for(unheard) == 1
    assert not ordered & set(told)
    for order in Order.objects.all():
        assert order.sources.filter(amount_debited=25).count() == 1
