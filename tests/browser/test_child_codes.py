"""Staff cut a child code, look at it and take credits back, in a real browser."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ..support.orders import place_order
from .test_codes import (  # noqa: F401
    CODES,
    assert_answer_good,
    assert_good,
    browser_context_args,
    logged_in,
)

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


def test_a_child_code_is_cut_used_and_taken_back(page):
    parent = make_code(
        100,
        label="ACME, spring cohort of the year",
        holder="ACME Learning and Development",
        expires_at=timezone.now() + 30 * DAY,
    )
    page.goto(f"{CODES}{parent.pk}/")

    page.get_by_role("link", name="Cut a child code…").click()
    page.get_by_text("100 credits can be moved from it.").wait_for()
    assert_good(page)
    page.get_by_label("Label").fill("ACME, sales")
    page.locator("#id_credits").fill("101")
    page.get_by_role("button", name="Cut the child code").click()
    page.get_by_text("So many can't be moved").wait_for()
    assert_answer_good(page)
    page.locator("#id_credits").fill("60")
    page.get_by_role("button", name="Cut the child code").press("Enter")
    text = page.get_by_label("The code is:").input_value()
    child = api.find_code(text)
    assert (child.balance(), parent.balance()) == (60, 40)
    page.goto(page.url)
    page.get_by_text("The text is not shown a second time").wait_for()

    course = make_training("Security", credits=20)
    place_order(make_learner(), (course.product, 1), text=text)
    page.get_by_role("link", name="To the code").click()
    assert_good(page)
    page.get_by_role("link", name="ACME, spring cohort").first.click()
    page.get_by_role("heading", name="Child codes").wait_for()
    assert_good(page)
    page.get_by_role("link", name="1 child code in the list").click()
    page.get_by_role("link", name="ACME, sales").wait_for()
    assert_good(page)

    page.get_by_role("link", name="ACME, sales").click()
    page.get_by_role("link", name="Take back…").click()
    page.get_by_text("40 credits can go back to ACME").wait_for()
    page.get_by_label("Reason").select_option(label="The contract has changed")
    assert_good(page)
    page.get_by_role("button", name="Take them back").press("Enter")
    page.get_by_text("The credits are back on the parent.").wait_for()
    assert (child.balance(), parent.balance()) == (0, 80)
    page.go_back()
    page.get_by_role("button", name="Take them back").click()
    assert (child.balance(), parent.balance()) == (0, 80)

    page.goto(f"{CODES}{parent.pk}/close/")
    page.get_by_label("Take back what its child codes have not used").wait_for()
    assert_good(page)
