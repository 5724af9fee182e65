"""Staff let other systems call the shop, and be told by it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import expect

from oscar_training_credits.credits import outbox
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.test.factories import make_learner

from ..support.receiver import receiving
from .steps import give_session
from .test_codes import SIZES
from .test_packs import look_at

PART = ".page-content"
"""What is ours of a page of Oscar's dashboard."""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=SIZES.values(), ids=SIZES)
def browser_context_args(browser_context_args: Any, request: Any) -> dict[str, Any]:
    return {**browser_context_args, **request.param}


@pytest.fixture
def staff() -> Any:
    return make_learner(email="stef@example.com", is_staff=True, is_superuser=True)


def test_a_program_gets_a_token_and_issues_a_code(page, context, live_server, staff):
    give_session(context, live_server, staff)
    page.goto("/training/dashboard/api-tokens/")
    look_at(page, "tokens-none", PART)
    page.get_by_role("link", name="New token").click()
    page.get_by_role("button", name="Make the token").click()
    page.get_by_text("This field is required.").first.wait_for()
    look_at(page, "token-errors", PART)
    page.get_by_label("Name").fill("CRM")
    page.get_by_label("Issue and change codes, and move credits").check()
    page.get_by_role("button", name="Make the token").click()
    token = page.get_by_label("The token is:").input_value()
    page.get_by_text("Not yet").wait_for()
    look_at(page, "token-new", PART)

    answer = Client().post(
        "/api/training/codes/",
        {"label": "From the CRM", "credits": 100},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "1"},
    )
    assert answer.status_code == 201
    assert CreditCode.objects.get().created_by == staff

    page.reload()
    expect(page.get_by_label("The token is:")).to_have_count(0)
    page.get_by_role("link", name="Revoke…").click()
    look_at(page, "token-revoke", PART)
    page.get_by_role("button", name="Revoke the token").click()
    page.get_by_text("The token is revoked").wait_for()
    look_at(page, "tokens", PART)


def test_a_webhook_is_made_tried_and_looked_after(
    page, context, live_server, staff, settings
):
    settings.TRAINING_CREDITS_WEBHOOKS = True
    give_session(context, live_server, staff)
    with receiving() as receiver:
        settings.TRAINING_CREDITS_WEBHOOK_HOSTS = [receiver.host]
        page.goto("/training/dashboard/webhooks/")
        look_at(page, "webhooks-none", PART)
        page.get_by_role("link", name="New webhook").click()
        page.get_by_label("Description").fill("Accounting")
        page.get_by_label("Address").fill("https://localhost/hooks")
        page.get_by_label("Credits were spent").check()
        page.get_by_role("button", name="Make the webhook").click()
        page.get_by_text("a machine of an inner network").wait_for()
        look_at(page, "webhook-errors", PART)
        page.get_by_label("Address").fill(receiver.url)
        page.get_by_role("button", name="Make the webhook").click()
        secret = page.get_by_label(re.compile("The secret that")).input_value()
        look_at(page, "webhook-new", PART)

        page.get_by_role("link", name="Send a test…").click()
        look_at(page, "webhook-try", PART)
        page.get_by_role("button", name="Send a test").click()
        page.get_by_text("It has arrived.").wait_for()
        assert receiver.messages[0].read(secret)["type"] == "webhook.test"

        receiver.status = 500
        page.get_by_role("link", name="Send a test…").click()
        page.get_by_role("button", name="Send a test").click()
        page.get_by_text("It did not arrive: The receiver answered 500.").wait_for()
        look_at(page, "webhook", PART)
        page.get_by_role("link", name="What waits or has failed").click()
        page.get_by_role("cell", name="Accounting").first.wait_for()
        look_at(page, "webhook-deliveries", PART)

        page.go_back()
        page.get_by_role("link", name="Send again…").click()
        look_at(page, "webhook-replay", PART)
        page.get_by_role("link", name="Cancel").click()
        page.get_by_role("link", name="New secret…").click()
        page.get_by_role("button", name="Make a new secret").click()
        assert page.get_by_label(re.compile("The secret that")).input_value() != secret
        page.get_by_role("link", name="Switch off…").click()
        look_at(page, "webhook-switch", PART)
        page.get_by_role("button", name="Switch it off").click()
        page.get_by_text("The webhook is switched off.").wait_for()
        page.get_by_role("link", name="Delete…").click()
        look_at(page, "webhook-delete", PART)
        page.get_by_role("button", name="Delete it").click()
        page.get_by_text("The webhook was deleted.").wait_for()
    assert not outbox.deliver_due().failed
