"""Credits are moved to child codes, spent there and taken back at the same moment.

Each race has a negative control, as in `test_races`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.db.models import Sum

from oscar_training_credits import api
from oscar_training_credits.credits.ledger import cutting
from oscar_training_credits.credits.models import CreditCode, CreditGrant
from oscar_training_credits.exceptions import CodeClosed, NotCut, NotEnoughCredits
from oscar_training_credits.shop.exceptions import OrderRefused
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ..support.books import assert_balanced
from ..support.orders import basket_with_codes, place
from ..support.racing import at_once

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

TEXT, CHILD = "ACME-TEAM-2026", "ACME-SALES-2026"


@pytest.fixture
def parent():
    return make_code(100, text=TEXT)


def left() -> int:
    return CreditGrant.objects.aggregate(left=Sum("remaining"))["left"]


def cut(parent: CreditCode, label: str, **record: Any) -> str:
    try:
        api.cut_code(parent, 30, label=label, record=record)
    except (NotCut, NotEnoughCredits):
        return "refused"
    return "cut"


def assert_in_order() -> None:
    assert_balanced()
    assert list(api.audit()) == []


def test_many_children_never_overdraw_their_parent(parent):
    answers = at_once([partial(cut, parent, f"Child {n}") for n in range(8)])

    assert sorted(answers) == ["cut"] * 3 + ["refused"] * 5
    assert (parent.balance(), parent.children.count(), left()) == (10, 3, 100)
    assert_in_order()


def test_without_the_lock_they_would_try(parent, monkeypatch):
    """The negative control: only the condition of the update stands in the way."""
    told = []
    take = cutting.entries._take

    def note(grant, credits):
        told.append(grant.remaining)
        take(grant, credits)

    def unlocked(code):
        return CreditCode.objects.prefetch_related("grants").get(pk=code.pk)

    monkeypatch.setattr(cutting, "lock_without_lapsed", unlocked)
    monkeypatch.setattr(cutting.entries, "_take", note)
    at_once([partial(cut, parent, f"Child {n}") for n in range(8)])

    # With the lock each sees what the one before has left.
    assert told.count(100) > 1
    assert parent.balance() >= 0


def test_clicks_at_the_same_moment_cut_one_child(parent):
    clicks = [partial(cut, parent, "Child", idempotency_key="click")] * 6

    assert at_once(clicks) == ["cut"] * 6
    assert (parent.balance(), parent.children.count()) == (70, 1)
    assert_in_order()


def test_what_is_spent_at_the_same_moment_is_not_taken_back(parent):
    course = make_training(credits=20, price=None, credit_only=True)
    child = api.cut_code(parent, 60, label="Sales", text=CHILD).code
    learners = [make_learner() for _number in range(4)]
    baskets = [
        basket_with_codes(learner, (course.product, 1), texts=[CHILD])
        for learner in learners
    ]

    def spend(number: int) -> str:
        try:
            place(baskets[number], learners[number])
        except OrderRefused:
            return "refused"
        return "spent"

    steps = [partial(spend, number) for number in range(4)]
    answers = at_once([*steps, partial(api.take_back, child)])

    spent = 20 * answers.count("spent")
    child.refresh_from_db()
    assert child.balance() == 0
    assert parent.balance() == 100 - spent
    assert_in_order()


def test_cutting_spending_taking_back_and_closing_wait_for_each_other(parent):
    """All of them lock the parent before the child: none waits for ever."""
    children = [api.cut_code(parent, 10, label=f"{n}").code for n in range(3)]

    def step(verb: Any, *args: Any, **options: Any) -> str:
        try:
            verb(*args, **options)
        except (CodeClosed, NotEnoughCredits, ValueError):
            return "refused"
        return "done"

    steps = [partial(step, api.take_back, child) for child in children]
    steps += [partial(step, api.close_code, child) for child in children]
    steps += [partial(cut, parent, f"New {n}") for n in range(2)]
    steps += [partial(step, api.close_code, parent, take_back=True)]
    at_once(steps)

    assert parent.balance() == 0
    assert_in_order()
