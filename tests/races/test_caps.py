"""Caps on what one learner may have, against the same learner in many tabs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_training_credits.credits.access import granting
from oscar_training_credits.credits.ledger import redemption
from oscar_training_credits.credits.ledger.quoting import Quote
from oscar_training_credits.credits.models import Redemption
from oscar_training_credits.test.factories import make_code, make_learner, make_product

from ..support.pages import make_course
from ..support.racing import Meeting, at_once, lock_codes_by, read_unlocked
from ..support.shop import Learner, shown_in, text_of

Order = get_model("order", "Order")

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

TABS = 8
TEXT = "ACME-TEAM-2026"


def tabs(count: int = TABS) -> list[Callable[[], Any]]:
    """Return the last clicks of one learner, who buys a course on each of its pages."""
    learner = Learner(make_learner())
    return [tab(learner, f"Course {number}") for number in range(count)]


def tab(learner: Learner, title: str) -> Callable[[], Any]:
    course = make_course(make_product(title), credits=20, credit_only=True)
    step = "training_credits:purchase-{}".format
    apply = reverse(step("apply"), args=[course.training.pk])
    confirm = reverse(step("confirm"), args=[course.training.pk])
    learner.client.post(apply, {"code": TEXT})
    form = shown_in(text_of(learner.client.get(course.url)))
    assert form
    return lambda: learner.client.post(confirm, form)


@pytest.mark.parametrize(
    ("cap", "orders"),
    [
        ({"credits_per_learner": 40}, 2),
        ({"credits_per_learner": 59}, 2),
        ({"redemptions_per_learner": 3}, 3),
        ({"one_order_only": True}, 1),
    ],
    ids=str,
)
def test_one_learner_in_eight_tabs_gets_exactly_what_a_cap_allows(cap, orders):
    code = make_code(1000, text=TEXT, **cap)

    at_once(tabs())

    assert Order.objects.count() == Redemption.objects.count() == orders
    assert code.balance() == 1000 - 20 * orders


def test_one_order_only_holds_between_learners():
    code = make_code(1000, text=TEXT, one_order_only=True)

    at_once([click for _ in range(TABS) for click in tabs(1)])

    assert Order.objects.count() == 1
    assert code.balance() == 980


def test_control_without_the_lock_a_cap_is_passed(monkeypatch):
    make_code(1000, text=TEXT, credits_per_learner=40)
    everybody_has_asked, quote = Meeting(TABS), redemption.quote

    def ask_together(*args: Any) -> Quote:
        settled = quote(*args)
        everybody_has_asked()
        return settled

    lock_codes_by(monkeypatch, read_unlocked)
    # One learner's orders wait for each other, too, before they are quoted.
    monkeypatch.setattr(granting, "lock_learners", lambda pks: None)
    monkeypatch.setattr(redemption, "quote", ask_together)

    at_once(tabs())

    assert Order.objects.count() > 2
