"""A learner's account is deleted while something of theirs is under way."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from oscar_training_credits import api
from oscar_training_credits.credits.models import Access
from oscar_training_credits.shop.order import creator, refunds
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ..support.books import assert_balanced
from ..support.orders import place_order
from ..support.racing import PATIENCE, at_once, until_somebody_waits
from ..support.shop import Learner

User = get_user_model()

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

TEXT = "ACME-TEAM-2026"


def held_up(monkeypatch: Any, module: Any, name: str) -> threading.Event:
    """Let `name` of `module` begin, and go on when a deletion waits for it."""
    begun, step = threading.Event(), getattr(module, name)

    def late(*args: Any, **kwargs: Any) -> Any:
        begun.set()
        until_somebody_waits()
        return step(*args, **kwargs)

    monkeypatch.setattr(module, name, late)
    return begun


@pytest.fixture
def learner():
    return make_learner()


def test_a_deletion_waits_for_a_refund(monkeypatch, learner):
    code = make_code(100, text=TEXT)
    order = place_order(learner, (make_training(credits=20).product, 1), text=TEXT)
    begun = held_up(monkeypatch, refunds, "free_seats")

    at_once(
        [
            lambda: api.refund_order(order, idempotency_key="a"),
            lambda: begun.wait(PATIENCE) and learner.delete(),
        ]
    )

    assert not User.objects.filter(pk=learner.pk).exists()
    assert not Access.objects.exists()
    assert code.balance() == 100
    assert_balanced()


@pytest.mark.parametrize("bought_before", [True, False])
def test_a_deletion_waits_for_a_purchase(monkeypatch, bought_before):
    code = make_code(100, text=TEXT)
    buyer = Learner(make_learner())
    if bought_before:
        place_order(buyer.user, (make_training(credits=20).product, 1), text=TEXT)
    buyer.add(make_training(credits=10).product)
    buyer.apply(TEXT)
    page = buyer.preview()
    begun = held_up(monkeypatch, creator, "record_sources")

    at_once(
        [
            lambda: buyer.place(page),
            lambda: begun.wait(PATIENCE) and buyer.user.delete(),
        ]
    )

    assert not User.objects.filter(pk=buyer.user.pk).exists()
    assert not Access.objects.exists()
    assert code.balance() == (70 if bought_before else 90)
    assert_balanced()
