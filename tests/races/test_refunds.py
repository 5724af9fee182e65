"""Staff, a status and a retry give the same credits back at the same moment.

Each race has a negative control, as in `test_races`.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import Sum
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.codes.issuing import add_grant
from oscar_training_credits.credits.ledger import entries, refunding
from oscar_training_credits.credits.models import (
    CreditCode,
    LedgerEntry,
    RedemptionLine,
    Refund,
    SettledLine,
)
from oscar_training_credits.exceptions import RefundRefused
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ..support.books import assert_balanced
from ..support.orders import place_order
from ..support.racing import Meeting, at_once

Order = get_model("order", "Order")

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

TEXT = "ACME-TEAM-2026"
TRIES = 8


@pytest.fixture
def training():
    return make_training(credits=20)


@pytest.fixture
def code():
    return make_code(1000, text=TEXT)


@pytest.fixture
def line(code, training):
    """Five seats for 100 credits."""
    order = place_order(make_learner(), (training.product, 5), text=TEXT)
    return order.lines.get()


def give_back(line: Any, quantity: int, idempotency_key: str) -> str:
    try:
        outcome = api.refund_lines([(line, quantity)], idempotency_key=idempotency_key)
    except RefundRefused:
        return "refused"
    return "repeated" if outcome.is_repeated else "done"


def test_one_cause_gives_back_once(code, line, race):
    answers = race([lambda: give_back(line, 2, "a")] * TRIES)

    assert sorted(answers) == ["done"] + ["repeated"] * (TRIES - 1)
    assert code.balance() == 940
    assert Refund.objects.count() == line.order.notes.count() == 1
    assert_balanced()


def test_many_causes_never_give_back_more_than_was_taken(code, line, race):
    steps = [lambda n=n: give_back(line, 1, f"cause {n}") for n in range(TRIES)]

    answers = race(steps)

    assert answers.count("done") == 5
    assert answers.count("refused") == TRIES - 5
    assert code.balance() == 1000
    assert SettledLine.objects.get().refunded_quantity == 5
    source = line.order.sources.get()
    assert source.label.startswith("100 credits, 100 given back")
    assert_balanced()


def test_orders_of_one_code_are_given_back_side_by_side(code, training):
    orders = [
        place_order(make_learner(), (training.product, 2), text=TEXT)
        for _ in range(TRIES)
    ]

    at_once([lambda o=o: api.refund_order(o, idempotency_key="a") for o in orders])

    assert code.balance() == 1000
    assert Refund.objects.count() == TRIES
    assert_balanced()


def test_refunds_and_orders_at_once_do_not_deadlock(training):
    codes = [make_code(400, text=text) for text in ("CODE-ONE-2026", "CODE-TWO-2026")]
    both = ["CODE-TWO-2026", "CODE-ONE-2026"]
    order = place_order(make_learner(), (training.product, 38), texts=both)
    line = order.lines.get()
    for code in codes:
        add_grant(code, 100)
    learners = [make_learner() for _ in range(2)]
    buy = [
        lambda who=who: place_order(who, (training.product, 1), texts=both[::-1])
        for who in learners
    ]

    at_once([*[lambda n=n: give_back(line, 1, f"cause {n}") for n in range(6)], *buy])

    assert sum(code.balance() for code in codes) == 1000 - 38 * 20 + 6 * 20 - 2 * 20
    assert_balanced()


def test_a_cancellation_and_a_refund_at_once(code, line):
    def cancel() -> None:
        Order.objects.get(pk=line.order_id).set_status("Cancelled")

    at_once([cancel, lambda: give_back(line, 2, "a")])

    assert code.balance() == 1000
    assert_balanced()


@pytest.fixture
def without_locks(monkeypatch):
    """All read what is left and what was done before any of them gives back."""
    everybody_has_read = Meeting(TRIES)
    earlier = refunding._earlier

    def read(wanted: Any) -> dict[int, Any]:
        codes = CreditCode.objects.prefetch_related("grants")
        return {code.pk: code for code in codes}

    def read_together(wanted: Any, idempotency_key: str) -> tuple[Refund, ...]:
        found = earlier(wanted, idempotency_key)
        everybody_has_read()
        return found

    monkeypatch.setattr(refunding, "_lock", read)
    monkeypatch.setattr(refunding, "_earlier", read_together)


def test_control_without_the_locks_more_is_given_back(
    code, line, monkeypatch, without_locks, race
):
    def give_what_was_read(grant, credits, *, refund):
        grant.remaining += credits
        grant.save(update_fields=["remaining"])
        return LedgerEntry.objects.create(
            grant=grant,
            refund=refund,
            kind=LedgerEntry.Kind.REFUND,
            credits=credits,
            balance=grant.remaining,
        )

    def mark_what_was_read(portions):
        for portion in portions:
            refunded = portion.line.refunded + portion.credits
            RedemptionLine.objects.filter(pk=portion.line.pk).update(refunded=refunded)

    monkeypatch.setattr(entries, "refund_credits", give_what_was_read)
    monkeypatch.setattr(refunding, "_mark_lines", mark_what_was_read)

    race([lambda n=n: give_back(line, 5, f"cause {n}") for n in range(TRIES)])

    assert Refund.objects.aggregate(total=Sum("credits"))["total"] > 100


def test_control_without_the_locks_a_retry_fails(code, line, without_locks, race):
    def retry() -> str:
        try:
            return give_back(line, 2, "a")
        except IntegrityError:
            return "failed"

    assert "failed" in race([retry] * TRIES)
    assert Refund.objects.count() == 1
