"""An order of credits that is told of its payment, or cancelled, by several at once."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.codes import issuing
from oscar_training_credits.credits.ledger import packs
from oscar_training_credits.credits.models import CreditCode, CreditGrant, PackSale
from oscar_training_credits.test.factories import make_learner, make_product

from ..support.killing import kill_at, moments_of, spread
from ..support.orders import place_order
from ..support.racing import Meeting, at_once

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]


MOMENTS = 12


@pytest.fixture
def pack(settings) -> Any:
    settings.TRAINING_CREDITS_PAID_STATUSES = ["Paid"]
    product = make_product("100 credits", "1000.00")
    api.sell_as_pack(product, credits=100)
    return product


@pytest.fixture
def order(pack) -> Any:
    """An order of 100 credits that is not paid yet."""
    return place_order(make_learner(), (pack, 1))


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


def test_a_payment_that_is_killed_on_its_way_to_the_credits_grants_them_once(
    pack, monkeypatch, settings
):
    settings.OSCAR_INITIAL_ORDER_STATUS = "Pending"
    Order = get_model("order", "Order")
    steps = {"Pending": ("Paid",), "Paid": ()}
    monkeypatch.setattr(Order, "pipeline", steps)
    # So that each order is read anew, as a gateway's callback reads it.
    orders = [place_order(make_learner(), (pack, 1)).pk for _order in range(MOMENTS)]

    def pay(pk: int) -> None:
        Order.objects.get(pk=pk).set_status("Paid")

    moments = moments_of(lambda: pay(orders[0]))
    for pk, number in zip(orders[1:], spread(moments, MOMENTS - 1), strict=True):
        kill_at(number, lambda pk=pk: pay(pk))
    unpaid = Order.objects.exclude(status="Paid").count()
    ungranted = PackSale.objects.filter(grant=None).count()

    call_command("open_paid_access")

    # Some died before they said that it is paid, some after, and some had granted.
    assert 0 < unpaid < ungranted < MOMENTS - 1
    assert CreditGrant.objects.count() == MOMENTS - unpaid
    for order in Order.objects.exclude(status="Paid"):
        order.set_status("Paid")
    assert CreditGrant.objects.count() == CreditCode.objects.count() == MOMENTS
    assert {code.balance() for code in CreditCode.objects.all()} == {100}
    call_command("check_ledger")
