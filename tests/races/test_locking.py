"""What an order sees of its codes once it has waited for their lock."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread

import pytest
from django.db import connection, transaction

from oscar_training_credits.credits.codes.applying import apply_code
from oscar_training_credits.credits.codes.issuing import add_grant
from oscar_training_credits.credits.codes.refusals import Reason
from oscar_training_credits.credits.ledger import postgresql, redemption
from oscar_training_credits.credits.models import CreditGrant
from oscar_training_credits.shop.basket.quotes import items_of
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_training,
)

from ..support.orders import place_order
from ..support.racing import PATIENCE

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

TEXT = "ACME-TEAM-2026"
WAYS = ["one statement", "ORM"]


@pytest.fixture(params=WAYS, autouse=True)
def way(request, monkeypatch):
    """How codes are locked, and credits taken."""
    if request.param == "ORM":
        monkeypatch.setattr(postgresql, "is_used", lambda: False)
    elif connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL locks and takes by one statement")


@pytest.fixture
def code():
    return make_code(20, text=TEXT)


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def basket(code, learner):
    basket = make_basket(learner, (make_training(credits=20).product, 1))
    terms = {"items": items_of(basket), "learner": learner}
    apply_code(TEXT, basket=basket, requester=None, **terms)
    return basket


def quote_after(change: Callable[[], object], basket, learner):
    """Return the locked quote of an order that has waited until a change is there."""
    changed, quotes = Event(), []

    def wait_for_it() -> None:
        changed.wait(PATIENCE)
        with transaction.atomic():
            terms = {"basket": basket, "learner": learner}
            quotes.append(redemption.lock_and_quote(items_of(basket), **terms))
        connection.close()

    waiting = Thread(target=wait_for_it)
    waiting.start()
    with transaction.atomic():
        change()
        changed.set()
        time.sleep(0.3)
        assert not quotes
    waiting.join()
    return quotes[0]


def test_it_pays_with_a_grant_that_was_added_meanwhile(code, basket, learner):
    place_order(make_learner(), (make_training(credits=20).product, 1), text=TEXT)

    quote = quote_after(lambda: add_grant(code, 50), basket, learner)

    assert (quote.credits, quote.missing) == (20, 0)
    assert [take.grant.credits for take in quote.takes] == [50]


def test_it_does_not_pay_with_what_was_spent_meanwhile(code, basket, learner):
    other = make_learner(), (make_training(credits=20).product, 1)

    quote = quote_after(lambda: place_order(*other, text=TEXT), basket, learner)

    assert (quote.credits, quote.missing) == (0, 20)


def test_it_asks_the_code_as_it_is_by_then(code, basket, learner):
    def disable() -> None:
        redemption.lock_codes([code.pk])
        code.state = "disabled"
        code.save(update_fields=["state"])

    quote = quote_after(disable, basket, learner)

    assert [each.refusal.reason for each in quote.codes] == [Reason.DISABLED]


def test_it_pays_with_a_grant_that_ends_later_by_then(code, basket, learner):
    def end(grant, moment):
        grant.expires_at = moment
        grant.save(update_fields=["expires_at"])

    end(CreditGrant.objects.get(), code.created_at)

    def extend() -> None:
        redemption.lock_codes([code.pk])
        end(CreditGrant.objects.get(), None)

    assert quote_after(extend, basket, learner).credits == 20
