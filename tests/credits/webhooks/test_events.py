"""What other systems are told, and in which order."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from oscar_training_credits import api
from oscar_training_credits.credits import outbox
from oscar_training_credits.credits.access import granting
from oscar_training_credits.credits.ledger import redemption
from oscar_training_credits.credits.models import Delivery, EventType
from oscar_training_credits.credits.webhooks import endpoints, events
from oscar_training_credits.test.factories import (
    make_code,
    make_issued,
    make_learner,
    make_training,
)

from ...support.orders import hold, place_order

pytestmark = pytest.mark.django_db


def told(receiver: Any, endpoint: Any) -> list[dict[str, Any]]:
    """Send what is due, and return what has come by then, verified."""
    while outbox.deliver_due().arrived:
        pass
    secret = endpoints.secret_of(endpoint)
    return [message.read(secret) for message in receiver.messages]


def named(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]


def test_a_life_of_a_code_is_told_in_order(receiver, endpoint):
    learner, course = make_learner(), make_training(credits=20)
    issued = make_issued(100, label="ACME", reference="C-17")
    code = issued.code
    order = place_order(learner, (course.product, 1), text=issued.text)
    api.refund_order(order, idempotency_key="one")
    api.adjust_credits(code, -5, reason="mistake")
    api.set_state(code, "disabled")
    api.set_state(code, "active")
    api.rotate_code(code, reason="leaked")
    api.close_code(code)

    messages = told(receiver, endpoint)

    about = [each for each in messages if "code" in each["data"]]
    assert named(about) == [
        "code.issued",
        "credits.granted",
        "credits.redeemed",
        "credits.refunded",
        "credits.adjusted",
        "code.disabled",
        "code.enabled",
        "code.rotated",
        "code.closed",
        "credits.lapsed",
    ]
    moved = [each["data"] for each in about if "credits" in each["data"]]
    assert [(each["credits"], each["balance"]) for each in moved] == [
        (100, 100),
        (-20, 80),
        (20, 100),
        (-5, 95),
        (-95, 0),
    ]
    spent = moved[1]
    assert spent["order_number"] == order.number
    assert spent["learner"] == str(learner.pk)
    assert spent["code"]["label"] == "ACME"
    assert about[7]["data"]["reason"] == "leaked"
    assert {"access.given", "access.ended"} <= set(named(messages))
    assert list(api.audit()) == []


def test_no_message_has_the_text_of_a_code(receiver, endpoint):
    text = make_issued(100).text
    code = api.find_code(text)
    rotated = api.rotate_code(code)

    told(receiver, endpoint)

    said = b"".join(message.body for message in receiver.messages).decode()
    assert text not in said
    assert rotated.text not in said


def test_credits_that_are_held_and_released_are_told(receiver, endpoint):
    held = hold(make_learner(), make_code(100), 20)
    redemption.release([held])

    messages = told(receiver, endpoint)

    about = [each["data"] for each in messages if each["data"].get("redemption")]
    assert [(each["credits"], each["balance"]) for each in about] == [
        (-20, 80),
        (20, 100),
    ]


def test_access_that_staff_give_extend_and_end_is_told(receiver, endpoint):
    training = make_training(access_days=30)
    given = granting.give_access(make_learner(), training, reason="Gift")
    granting.extend_access(given, until=None, reason="More")
    granting.end_access(given, reason="Left")

    messages = told(receiver, endpoint)

    assert named(messages) == ["access.given", "access.changed", "access.ended"]
    assert messages[1]["data"]["ends_at"] is None
    assert messages[0]["data"]["training"] == training.pk


def test_requests_are_told(receiver, endpoint):
    learner, training, parent = make_learner(), make_training(), make_code(100)
    asked, _is_new = api.ask_for_credits(learner, {training: 1}, code=parent)
    api.approve_request(asked, parent=parent)
    second, _is_new = api.ask_for_credits(learner, {training: 1})
    api.decline_request(second, reason="No")

    about = [each for each in told(receiver, endpoint) if "request" in each["data"]]

    assert named(about) == [
        "request.open",
        "request.approved",
        "request.open",
        "request.declined",
    ]
    assert about[1]["data"]["child"]


def test_requests_that_nobody_answers_are_told(receiver, endpoint):
    asked, _is_new = api.ask_for_credits(make_learner(), {make_training(): 1})

    assert api.expire_requests(asked.created_at + timedelta(days=15)) == 1

    messages = told(receiver, endpoint)
    assert named(messages) == ["request.open", "request.expired"]
    assert messages[1]["data"]["request"] == asked.pk


def test_many_codes_are_one_event(receiver, endpoint):
    for _batch in api.issue_codes(3, label="ACME", credits=5):
        pass

    (message,) = told(receiver, endpoint)

    assert message["type"] == "codes.issued"
    assert [each["credits"] for each in message["data"]["codes"]] == [5, 5, 5]


def test_the_manual_names_all_that_messages_hold(receiver, endpoint):
    learner, course = make_learner(), make_training(credits=20)
    issued = make_issued(100)
    order = place_order(learner, (course.product, 1), text=issued.text)
    api.refund_order(order, idempotency_key="one")
    asked, _is_new = api.ask_for_credits(learner, {course: 1}, code=issued.code)
    api.approve_request(asked, parent=issued.code)
    list(api.issue_codes(2, label="ACME", credits=5))
    events.try_out(endpoint)

    held: dict[str, set[str]] = {}
    for message in told(receiver, endpoint):
        kind = message["type"].partition(".")[0]
        held.setdefault(kind, set()).update(message["data"])

    page = Path(__file__).parents[3] / "docs" / "webhooks.md"
    text = page.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)\.\*` \| (.*) \|$", text, re.MULTILINE)
    assert held == {kind: set(re.findall(r"`(\w+)`", said)) for kind, said in rows}


def test_an_endpoint_hears_what_it_asked_for(receiver):
    some = endpoints.make_endpoint(
        receiver.url, description="CRM", events=[EventType.CODE_ROTATED]
    )
    api.rotate_code(make_code())

    assert named(told(receiver, some)) == ["code.rotated"]


def test_each_endpoint_has_ids_of_its_own(receiver, endpoint):
    endpoints.make_endpoint(receiver.url, description="CRM")
    make_code()

    while outbox.deliver_due().arrived:
        pass

    keys = [message.key for message in receiver.messages]
    assert len(keys) == len(set(keys)) == 4


def test_what_is_rolled_back_is_not_told(receiver, endpoint):
    with transaction.atomic():
        make_code()
        transaction.set_rollback(True)

    assert not Delivery.objects.exists()


@pytest.mark.parametrize("state", ["off by the site", "off", "none"])
def test_who_is_not_told_costs_nothing(state, settings, endpoint):
    issued, course = make_issued(100), make_training(credits=20)
    Delivery.objects.all().delete()
    if state == "off":
        endpoints.switch(endpoint, on=False)
    elif state == "none":
        endpoint.delete()

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            place_order(make_learner(), (course.product, 1), text=issued.text)
        return len(asked)

    settings.TRAINING_CREDITS_WEBHOOKS = False
    place_order(make_learner(), (course.product, 1), text=issued.text)
    without = queries()
    settings.TRAINING_CREDITS_WEBHOOKS = state != "off by the site"

    # Two looks for endpoints: about the credits, and about the access.
    assert queries() - without == (0 if state == "off by the site" else 2)
    assert not Delivery.objects.exists()


def test_one_who_is_told_costs_five_queries(settings, endpoint):
    issued, course = make_issued(100), make_training(credits=20)

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            place_order(make_learner(), (course.product, 1), text=issued.text)
        return len(asked)

    settings.TRAINING_CREDITS_WEBHOOKS = False
    queries()
    without = queries()
    settings.TRAINING_CREDITS_WEBHOOKS = True

    assert queries() - without == 5
