"""An order of credits that is told of its payment, or cancelled, by several at once."""

from __future__ import annotations

from typing import Any

import pytest

from oscar_training_credits import api
from oscar_training_credits.credits.codes import issuing
from oscar_training_credits.credits.ledger import packs
from oscar_training_credits.credits.models import CreditCode, CreditGrant, PackSale
from oscar_training_credits.test.factories import make_learner, make_product

from ..support.orders import place_order
from ..support.racing import Meeting, at_once

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def order(settings) -> Any:
    """An order of 100 credits that is not paid yet."""
    settings.TRAINING_CREDITS_PAID_STATUSES = ["Paid"]
    product = make_product("100 credits", "1000.00")
    api.sell_as_pack(product, credits=100)
    return place_order(make_learner(), (product, 1))


def test_a_payment_that_is_told_of_several_times_grants_once(order):
    granted = at_once([lambda: len(packs.issue_due(order))] * 8)

    assert sorted(granted) == [0] * 7 + [1]
    assert CreditGrant.objects.get().credits == 100
    assert CreditCode.objects.get().balance() == 100
    assert list(api.audit()) == []


def test_credits_that_are_granted_and_taken_back_at_once_are_nobodys(order):
    lines = list(order.lines.all())
    give, take = packs.issue_due, packs.take_back

    at_once([lambda: give(order), lambda: take(lines)] * 4)

    sale = PackSale.objects.get()
    assert sale.taken_back == (100 if sale.grant else 0)
    assert sum(code.balance() for code in CreditCode.objects.all()) == 0


@pytest.fixture
def unlocked(monkeypatch):
    """Both read the sale before either of them grants it."""
    nobody_has_granted = Meeting(2)

    def read_together(rows: Any) -> list[Any]:
        found = list(rows)
        nobody_has_granted()
        return found

    monkeypatch.setattr(packs, "for_update", read_together)


def test_without_the_lock_the_key_of_the_sale_still_keeps_it_at_one(order, unlocked):
    at_once([lambda: packs.issue_due(order)] * 2)

    assert CreditGrant.objects.count() == 1


def test_control_without_lock_and_key_it_is_granted_twice(order, unlocked, monkeypatch):
    issue = issuing.issue_code

    def issue_without_key(**terms: Any) -> Any:
        return issue(**{**terms, "idempotency_key": None})

    monkeypatch.setattr(issuing, "issue_code", issue_without_key)

    at_once([lambda: packs.issue_due(order)] * 2)

    assert CreditGrant.objects.count() == 2
