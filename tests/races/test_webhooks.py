"""Two runs of `send_deliveries` at the same moment, and spends at the same moment."""

from __future__ import annotations

import pytest

from oscar_training_credits.credits import outbox
from oscar_training_credits.credits.models import Delivery
from oscar_training_credits.credits.webhooks import endpoints
from oscar_training_credits.test.factories import (
    make_code,
    make_issued,
    make_learner,
    make_training,
)

from ..support.orders import place_order
from ..support.racing import at_once

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

SENDERS = 6


def test_each_message_is_sent_once_by_several_senders(receiver):
    endpoints.make_endpoint(receiver.url, description="Accounting")
    for _number in range(20):
        make_code()

    at_once([outbox.deliver_due] * SENDERS)
    outbox.deliver_due()

    keys = [message.key for message in receiver.messages]
    assert len(keys) == len(set(keys)) == 40
    assert not Delivery.objects.pending().exists()


def test_senders_that_take_nothing_would_send_twice(receiver, monkeypatch):
    """The control: it is the conditional UPDATE that lets one of them send."""
    endpoints.make_endpoint(receiver.url, description="Accounting")
    for _number in range(20):
        make_code()
    monkeypatch.setattr(outbox, "_take", lambda delivery: True)

    at_once([outbox.deliver_due] * SENDERS)

    keys = [message.key for message in receiver.messages]
    assert len(keys) > len(set(keys))


def test_what_many_spend_of_one_code_is_told_in_the_order_of_its_balance(receiver):
    endpoint = endpoints.make_endpoint(receiver.url, description="Accounting")
    issued, course = make_issued(100), make_training(credits=5)

    def spend() -> None:
        place_order(make_learner(), (course.product, 1), text=issued.text)

    at_once([spend] * 8)
    while outbox.deliver_due().arrived:
        pass

    secret = endpoints.secret_of(endpoint)
    said = [message.read(secret) for message in receiver.messages]
    balances = [
        each["data"]["balance"] for each in said if each["type"] == "credits.redeemed"
    ]
    assert balances == [95, 90, 85, 80, 75, 70, 65, 60]
