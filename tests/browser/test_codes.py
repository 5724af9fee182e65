"""Staff issue a code in the dashboard, find it and put it right, in a real browser."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits.models import CodeChange, CreditCode
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ..support.orders import place_order
from .steps import assert_accessible, give_session
from .test_both_ways import WAYS

pytestmark = pytest.mark.django_db(transaction=True)

SIZES = {name: WAYS[name] for name in ("desktop", "phone without JavaScript")}
CODES = "/training/dashboard/codes/"
DAY = timedelta(days=1)


@pytest.fixture(params=SIZES.values(), ids=SIZES)
def browser_context_args(browser_context_args, request):
    return {**browser_context_args, **request.param}


@pytest.fixture(autouse=True)
def logged_in(context, live_server):
    boss = make_learner(email="boss@example.com", is_staff=True, is_superuser=True)
    give_session(context, live_server, boss)


def assert_good(page):
    page.wait_for_load_state()  # with its style sheets
    # The menu around it is Oscar's.
    assert_accessible(page, ".page-content")
    assert_fits(page)


def assert_answer_good(page):
    """Assert the same of an answer to a form, which has no address of its own."""
    if page.evaluate("matchMedia('(scripting: none)').matches"):
        assert_fits(page)
    else:
        assert_good(page)


def assert_fits(page):
    fits = "document.documentElement.scrollWidth <= window.innerWidth"
    assert page.evaluate(fits)


def test_a_code_is_issued_found_and_adjusted(page):
    make_code(7, label="Beta, autumn")
    page.goto(CODES)
    assert_good(page)

    page.get_by_role("link", name="Issue a code").click()
    assert_good(page)
    page.get_by_label("Label").fill("ACME, spring")
    page.locator("#id_credits").fill("50")
    page.get_by_label("Last day").fill("2020-01-31")
    page.get_by_role("button", name="Issue the code").click()
    page.get_by_text("This day is over.").wait_for()
    page.get_by_label("Last day").fill("2099-12-31")
    page.get_by_role("button", name="Issue the code").click()
    text = page.get_by_label("The code is:").input_value()
    assert api.find_code(text).label == "ACME, spring"
    page.goto(page.url)
    page.get_by_text("not shown a second time").wait_for()
    assert text not in page.content()

    page.goto(CODES)
    # By keyboard alone.
    page.get_by_label("Search").focus()
    page.keyboard.type(text.lower())
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="ACME, spring").wait_for()
    assert text.lower() not in page.url

    page.get_by_role("link", name="Adjust…").click()
    assert_good(page)
    page.get_by_label("Take credits away").check()
    page.locator("#id_credits").fill("20")
    page.get_by_label("Reason").select_option("mistake")
    page.get_by_role("button", name="Adjust the balance").click()
    page.get_by_text("The balance was adjusted.").wait_for()
    page.get_by_text("30 credits").first.wait_for()


def test_the_page_of_a_code_and_its_questions_are_read_at_any_width(page):
    learner = make_learner(email="lee@acme.example", first_name="Lee")
    code = make_code(100, text="ACME-TEAM-2026", label="ACME Learning and Development")
    course = make_training("Security for everybody", credits=30, credit_only=True)
    place_order(learner, (course.product, 1), text="ACME-TEAM-2026")
    page.goto(f"{CODES}{code.pk}/")
    page.get_by_role("cell", name="Security for everybody").wait_for()
    assert_good(page)

    for link, heading in [("New text…", "new text?"), ("Close…", "for good?")]:
        page.get_by_role("link", name=link).click()
        page.get_by_role("heading", name=heading).wait_for()
        assert_good(page)
        page.get_by_role("link", name="Cancel").click()

    page.goto(CODES)
    page.get_by_label("Choose ACME").check()
    page.get_by_role("button", name="Disable the chosen codes…").click()
    page.get_by_role("heading", name="Disable these codes?").wait_for()
    # A page that was posted can't be opened anew, as axe needs it without scripts.
    assert_fits(page)
    page.get_by_label("Reason").select_option("leaked")
    page.get_by_role("button", name="Disable them").click()
    page.get_by_text("1 code changed.").wait_for()
    assert CreditCode.objects.get().state == "disabled"


def test_several_codes_are_extended_at_once(page):
    now = timezone.now()
    make_code(50, label="ACME, spring cohort of the year", expires_at=now + DAY)
    make_code(50, label="Beta, autumn", expires_at=now + 99 * DAY)
    closed = make_code(50, label="Gamma")
    api.close_code(closed)
    page.goto(CODES)
    for name in ("ACME", "Beta", "Gamma"):
        page.get_by_role("checkbox", name=f"Choose {name}").check()
    assert_good(page)

    page.get_by_role("button", name="Extend the chosen codes…").click()
    page.get_by_text("3 codes are chosen:").wait_for()
    assert_answer_good(page)
    page.get_by_label("New last day").fill((now + 30 * DAY).date().isoformat())
    page.get_by_label("Reason").select_option(label="The contract has changed")
    page.get_by_role("button", name="Continue").press("Enter")
    page.get_by_text("1 code is extended to").wait_for()
    page.get_by_text("2 codes can't be extended").wait_for()
    assert_answer_good(page)
    page.get_by_role("button", name="Extend them").press("Enter")

    page.get_by_text("1 code extended.").wait_for()
    page.get_by_text("2 codes could not be extended.").wait_for()
    page.go_back()
    page.get_by_role("button", name="Extend them").click()
    page.get_by_text("1 code extended.").wait_for()
    assert CodeChange.objects.filter(kind="extended").count() == 1
