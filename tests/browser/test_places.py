"""Places handed out and accepted, in a real browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oscar_training_credits.credits.models import Access
from oscar_training_credits.test.factories import make_learner, make_product

from ..support.orders import place_order
from ..support.pages import SECRET, make_course
from .steps import assert_accessible, log_in

pytestmark = pytest.mark.django_db(transaction=True)

WAYS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone without JavaScript": {
        "viewport": {"width": 375, "height": 800},
        "java_script_enabled": False,
    },
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def browser_context_args(browser_context_args, request):
    return {**browser_context_args, **request.param}


@pytest.fixture
def has_script(browser_context_args):
    return browser_context_args.get("java_script_enabled", True)


def shoot(page, name):
    if folder := os.environ.get("SHOTS"):
        width = page.viewport_size["width"]
        page.screenshot(path=str(Path(folder) / f"{name}-{width}.png"), full_page=True)


def test_a_place_is_bought_handed_out_and_accepted(page, has_script):
    course = make_course(
        make_product("Django Foundations", "240.00"), credits=20, access_days=30
    )
    buyer, ann = make_learner(email="buyer@example.com"), make_learner()
    order = place_order(buyer, (course.product, 3))

    page.goto(f"/shop/accounts/orders/{order.number}/")
    log_in(page, buyer)
    page.get_by_text("3 of 3 places are free.").wait_for()
    if has_script:
        # Oscar's own buttons beside it have too little contrast.
        assert_accessible(page, ".training-places")
        # Without a window there is nobody whom a browser could ask.
        page.context.grant_permissions(["clipboard-write"])
        page.get_by_role("button", name="Copy the link of place 2").click()
        page.get_by_role("status").get_by_text("Copied.").wait_for()
    shoot(page, "order")
    page.get_by_role("button", name="Take a place yourself").click()
    page.get_by_text("Taken by you").wait_for()
    stray = page.get_by_label("Link of place 2", exact=True).input_value()
    page.get_by_role("button", name="Revoke the link of place 2").click()
    page.get_by_text("The old link of place 2 is revoked.").wait_for()
    link = page.get_by_label("Link of place 2", exact=True).input_value()
    page.goto("/training/")
    shoot(page, "my-training")
    page.context.clear_cookies()

    page.goto(stray)
    page.get_by_text("This link has been revoked.").wait_for()
    shoot(page, "revoked")
    page.goto(link)
    shoot(page, "claim-stranger")
    page.get_by_role("link", name="Log in or register to accept").click()
    log_in(page, ann)
    if has_script:
        assert_accessible(page)
    shoot(page, "claim")
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("You have accepted this place.").wait_for()
    shoot(page, "accepted")
    page.get_by_role("link", name="Go to Django Foundations").click()
    page.get_by_text(SECRET).first.wait_for()
    assert set(Access.objects.values_list("learner", "place__number")) == {
        (buyer.pk, 1),
        (ann.pk, 2),
    }
