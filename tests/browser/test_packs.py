"""A customer buys credits, a learner spends some, and the manager sees it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import expect

from oscar_training_credits import api
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.test.factories import (
    make_learner,
    make_product,
    make_training,
)

from .steps import assert_accessible, give_session
from .test_codes import SIZES, assert_fits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=SIZES.values(), ids=SIZES)
def browser_context_args(browser_context_args, request):
    return {**browser_context_args, **request.param}


@pytest.fixture(autouse=True)
def buyer(context, live_server):
    user = make_learner(email="bea@example.com", first_name="Bea", last_name="Boss")
    give_session(context, live_server, user)
    return user


def look_at(page, name, part=None):
    page.wait_for_load_state()
    if folder := os.environ.get("SHOTS"):
        width = page.viewport_size["width"]
        page.screenshot(path=str(Path(folder) / f"{name}-{width}.png"), full_page=True)
    assert_accessible(page, part)
    assert_fits(page)


def test_the_circle_from_the_sale_of_credits_to_who_used_them(page):
    pack = make_product("100 credits", "1000.00")
    api.sell_as_pack(pack, credits=100, days=365)
    page.goto(pack.get_absolute_url())
    page.get_by_role("button", name="Add to basket").first.click()
    page.get_by_text("has been added").first.wait_for()
    page.goto("/shop/checkout/")
    page.get_by_role("link", name="Review and Pay").click()
    page.get_by_role("button", name="Place order").click()
    page.get_by_role("heading", name="Your credits").wait_for()
    if folder := os.environ.get("SHOTS"):
        width = page.viewport_size["width"]
        page.screenshot(path=f"{folder}/thanks-{width}.png", full_page=True)
    page.get_by_role("button", name="Show the code").click()
    text = page.get_by_label("The code is:").input_value()
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/text-{width}.png", full_page=True)

    code = CreditCode.objects.get()
    lee = make_learner(email="lee@example.com", first_name="Lee", last_name="Learner")
    course = make_training("Django Foundations", credits=20)
    api.purchase(course, learner=lee, code=text, idempotency_key="once")

    page.get_by_role("link", name="To the code").click()
    page.get_by_text("Lee Learner").wait_for()
    expect(page.get_by_text("Django Foundations")).to_be_visible()
    look_at(page, "code")
    page.get_by_role("link", name="All my codes").click()
    look_at(page, "codes")
    page.get_by_role("link", name=code.label).click()
    page.get_by_role("link", name="Managers…").click()
    page.get_by_label("E-mail address").fill("kim@example.com")
    page.get_by_role("button", name="Invite").click()
    page.get_by_text("kim@example.com (invited)").wait_for()
    look_at(page, "managers")
    page.goto(reverse("training_credits:my-code", args=[code.pk]))
    page.get_by_role("link", name="New text…").click()
    look_at(page, "rotate")
    page.get_by_role("button", name="Give it a new text").click()
    new = page.get_by_label("The code is:").input_value()
    assert api.find_code(text) is None
    assert api.find_code(new) == code
    page.get_by_role("link", name="To the code").click()
    page.get_by_role("link", name="Buy more credits…").click()
    look_at(page, "top-up")
    page.get_by_role("button", name="Buy 100 credits").click()
    page.get_by_role("heading", name="Basket", level=1).wait_for()
    page.get_by_text("100 credits").first.wait_for()

    page.goto(reverse("training_credits:my-code", args=[code.pk]))
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("The code is paused.").wait_for()
    assert Client().get(page.url).status_code == 302
