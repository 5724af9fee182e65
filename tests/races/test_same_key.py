"""One sale asked for several times at once, as by a client that tries it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.access import granting
from oscar_training_credits.credits.models import DirectPurchase, Redemption
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ..support.racing import Meeting, at_once, lock_codes_by, read_unlocked

Order = get_model("order", "Order")

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

TEXT = "ACME-TEAM-2026"


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def sell(code) -> Callable[..., Any]:
    training, learner = make_training(credits=20, access_days=90), make_learner()

    def sell(**changes: Any) -> Any:
        sale = {"learner": learner, "code": TEXT, "idempotency_key": "phone-1"}
        return api.purchase(training, **{**sale, **changes})

    return sell


def test_a_key_that_is_used_by_several_at_once_sells_once(code, sell):
    orders = at_once([sell] * 8)

    assert set(orders) == {Order.objects.get()}
    assert Redemption.objects.get().credits == 20
    assert code.balance() == 80
    assert list(api.audit()) == []


def test_other_keys_sell_as_often_as_there_are_keys(code, sell):
    keys = [f"phone-{number}" for number in range(3)]

    orders = at_once([lambda key=key: sell(idempotency_key=key) for key in keys])

    assert set(orders) == set(Order.objects.all())
    assert len(set(orders)) == 3
    assert code.balance() == 40


def test_control_without_the_lock_one_of_two_with_the_key_fails(sell, monkeypatch):
    nobody_has_sold = Meeting(2)

    def read_together(code_ids: Any) -> Any:
        read = read_unlocked(code_ids)
        nobody_has_sold()
        return read

    lock_codes_by(monkeypatch, read_together)
    monkeypatch.setattr(granting, "lock_learners", lambda learner_ids: None)

    with pytest.raises(IntegrityError):
        at_once([sell] * 2)

    assert DirectPurchase.objects.count() == 1
