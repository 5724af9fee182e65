"""A code's balance over time, from its movements and the ends of its grants."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits.ledger import balances as ledger_balances
from oscar_training_credits.credits.ledger.balances import (
    balances_over_time,
    latest_entries,
)
from oscar_training_credits.credits.models import LedgerEntry
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import place_order

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

DAY = timedelta(days=1)
TEXT = "ACME-TEAM-2026"


def balances(code, *, at=None, most=100):
    grants = list(code.grants.all())
    found = balances_over_time(grants, at=at or timezone.now(), most=most)
    return [balance for _moment, balance in found]


def test_each_movement_is_a_step():
    code = make_code(50, text=TEXT)
    course = make_training("Course", credits=20)
    place_order(make_learner(), (course.product, 1), text=TEXT)
    api.add_grant(code, 5)

    assert balances(code) == [0, 50, 30, 35, 35]
    assert code.balance() == 35


def test_only_the_last_movements_are_read():
    code = make_code(50)
    api.add_grant(code, 5)
    api.add_grant(code, 7)

    assert balances(code, most=1) == [55, 62, 62]


def test_what_expires_is_gone_from_then_on():
    soon = timezone.now() + DAY
    code = make_code(50)
    api.add_grant(code, 5, expires_at=soon)

    assert balances(code, at=soon - DAY / 2) == [0, 50, 55, 55]
    assert balances(code, at=soon + DAY) == [0, 50, 55, 50, 50]


@pytest.mark.parametrize("more", [0, 1, 3])
@pytest.mark.parametrize("apart", [2, 10], ids=["together", "one by one"])
def test_the_latest_movements_are_those_of_all_grants(monkeypatch, more, apart):
    monkeypatch.setattr(ledger_balances, "MOST_APART", apart)
    code = make_code(50, text=TEXT)
    course = make_training("Course", credits=20)
    for _number in range(more):
        api.add_grant(code, 5)
    place_order(make_learner(), (course.product, 1), text=TEXT)
    make_code(50)
    grants = list(code.grants.all())
    entries = LedgerEntry.objects.filter(grant__code=code).order_by("-pk")
    keys = list(entries.values_list("pk", flat=True))

    assert latest_entries(grants, most=100) == keys
    assert latest_entries(grants, most=2) == keys[:2]
    assert latest_entries(grants, most=2, before=keys[0]) == keys[1:3]
    assert latest_entries([], most=2) == []


def test_it_takes_two_queries(django_assert_num_queries):
    code = make_code(50)
    api.add_grant(code, 5)
    grants = list(code.grants.all())

    with django_assert_num_queries(2):
        balances_over_time(grants, at=timezone.now(), most=10)
