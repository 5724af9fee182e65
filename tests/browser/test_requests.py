"""A code is too small: the learner asks, a manager approves, the learner confirms."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from playwright.sync_api import expect

from oscar_training_credits import api
from oscar_training_credits.credits.codes import managing
from oscar_training_credits.test.factories import make_code, make_learner, make_product

from ..support.books import assert_balanced
from ..support.pages import SECRET, make_course
from .steps import assert_accessible, give_session
from .test_codes import SIZES, assert_fits
from .test_packs import look_at
from .test_places import shoot

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "ACME-TEAM-2026"


@pytest.fixture(params=SIZES.values(), ids=SIZES)
def browser_context_args(browser_context_args, request):
    return {**browser_context_args, **request.param}


def link_in_mail():
    return re.search(r"https?://[^/]+(/training/\S+)", mail.outbox[-1].body)[1]


def test_from_a_code_that_is_too_small_to_access(page, context, live_server):
    learner = make_learner(email="lee@example.com", first_name="Lee")
    boss = make_learner(email="kim@example.com", first_name="Kim")
    staff = make_learner(email="stef@example.com", is_staff=True, is_superuser=True)
    course = make_course(
        make_product("Django Foundations", None), credits=20, credit_only=True
    )
    small, big = make_code(5, text=TEXT, label="Small"), make_code(100, label="Team")
    for code in (small, big):
        managing.add_manager(code, boss)

    give_session(context, live_server, learner)
    page.goto("/training/")
    page.get_by_role("link", name="Check a code").click()
    page.get_by_label("Code").fill(TEXT)
    page.get_by_role("button", name="Check").click()
    page.get_by_text("5 credits available.").wait_for()
    assert_fits(page)
    shoot(page, "check")
    page.goto("/training/codes/check/")
    assert_accessible(page)
    page.goto(f"{course.url}?purchase=open")
    page.get_by_label("Enter Code").fill(TEXT)
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("15 credits too few").first.wait_for()
    look_at(page, "too-small")
    page.get_by_role("link", name="Ask your learning administrator").click()
    page.get_by_label("Note").fill("I begin on Monday.")
    look_at(page, "ask")
    page.get_by_role("button", name="Send the request").click()
    page.get_by_text("Your request is sent.").wait_for()
    look_at(page, "asked")

    give_session(context, live_server, staff)
    page.goto("/training/dashboard/requests/")
    look_at(page, "dashboard-requests", ".page-content")
    page.get_by_role("table").get_by_role("link").last.click()
    page.get_by_text("I begin on Monday.").wait_for()
    look_at(page, "dashboard-request", ".page-content")

    give_session(context, live_server, boss)
    page.goto(link_in_mail())
    page.get_by_text("I begin on Monday.").wait_for()
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("Only 5 credits are left on this code").wait_for()
    look_at(page, "refused")
    page.get_by_label("From this code").select_option(str(big.pk))
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("The credits are given.").wait_for()
    look_at(page, "my-requests")

    give_session(context, live_server, learner)
    page.goto("/training/")
    look_at(page, "approved")
    page.goto(link_in_mail())
    look_at(page, "confirm")
    page.get_by_role("button", name="Purchase", exact=True).click()
    page.get_by_text("You have access now.").first.wait_for()

    expect(page.get_by_text(SECRET)).to_be_visible()
    assert api.has_access(learner, course.training)
    assert big.balance() + small.balance() == 85
    assert_balanced()
    assert list(api.audit()) == []
