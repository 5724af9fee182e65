"""Staff issue a code in the dashboard, find it and put it right, in a real browser."""

from __future__ import annotations

import pytest

from oscar_training_credits import api
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ..support.orders import place_order
from .steps import assert_accessible, give_session
from .test_both_ways import WAYS

pytestmark = pytest.mark.django_db(transaction=True)

SIZES = {name: WAYS[name] for name in ("desktop", "phone without JavaScript")}
CODES = "/training/dashboard/codes/"


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
