"""The browser's Back button after log-out, with its back/forward cache on."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from oscar_training_credits import api
from oscar_training_credits.test.factories import make_learner
from sandbox.academy.models import CoursePage

from ..support import browsers
from ..support.orders import place_order
from ..support.pages import SECRET
from .steps import give_session

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

CATALOGUE = "/shop/catalogue/"
TYPED = "ACME-TEAM-2026"
LINK = re.compile("/training/claim/")
KEEPS_PAGES = "--disable-back-forward-cache"  # what Playwright adds, and we take away


@pytest.fixture(scope="session")
def remembering(browser_type, browser_type_launch_args):
    """A browser that keeps the pages that were left, as people's browsers do."""
    browser = browser_type.launch(
        **{**browser_type_launch_args, "executable_path": browsers.whole()},
        ignore_default_args=[KEEPS_PAGES],
    )
    yield browser
    browser.close()


@pytest.fixture
def page(remembering, browser_context_args):
    context = remembering.new_context(**browser_context_args)
    yield context.new_page()
    context.close()


@pytest.fixture
def learner(page, live_server):
    """A learner who is logged in."""
    user = make_learner(email="learner@example.com")
    give_session(page.context, live_server, user)
    return user


def open_page(page, address):
    page.goto(address)
    page.evaluate(
        "addEventListener('pageshow', (event) => { window.isKept = event.persisted })"
    )


def log_out_and_go_back(page, address):
    page.goto("/shop/accounts/logout/")
    go_back(page, address)


def go_back(page, address):
    # Playwright's own `go_back` waits for a load that a kept page never has.
    page.evaluate("setTimeout(() => history.back(), 0)")
    page.wait_for_url(f"**{address}", wait_until="commit")
    page.wait_for_timeout(700)  # for a script that would load something, too


def is_kept(page):
    return page.evaluate("window.isKept === true")


def everything_on(page):
    fields = "Array.from(document.querySelectorAll('input'), (one) => one.value)"
    return page.content() + " ".join(page.evaluate(fields))


def test_this_browser_shows_pages_again_that_it_kept(page, learner):
    open_page(page, CATALOGUE)

    log_out_and_go_back(page, CATALOGUE)

    assert is_kept(page)


@pytest.mark.parametrize("name", ["my training", "order"])
def test_links_are_gone_after_log_out(page, learner, course, name):
    order = place_order(learner, (course.product, 3))
    address = {
        "my training": reverse("training_credits:my-training"),
        "order": reverse("customer:order", args=[order.number]),
    }[name]
    open_page(page, address)
    assert LINK.search(everything_on(page))

    log_out_and_go_back(page, address)

    assert not is_kept(page)
    assert not LINK.search(everything_on(page))


@pytest.mark.parametrize("is_shared", [False, True], ids=["own", "shared"])
def test_lessons_are_gone_after_log_out(page, learner, course, monkeypatch, is_shared):
    monkeypatch.setattr(CoursePage, "is_shared", is_shared)
    api.give_access(learner, course.training, reason="Goodwill")
    open_page(page, course.url)
    page.get_by_text(SECRET).first.wait_for()

    log_out_and_go_back(page, course.url)

    page.get_by_role("heading", name=course.title).first.wait_for()
    assert SECRET not in everything_on(page)
    assert is_kept(page) == is_shared


@pytest.mark.parametrize("name", ["course", "basket", "enter code", "payment"])
def test_a_typed_code_is_gone_after_log_out(page, learner, course, name):
    page.goto(course.url)
    page.get_by_role("button", name="Add to basket").click()
    address = {
        "course": f"{course.url}?purchase=open",
        "basket": reverse("basket:summary"),
        "enter code": reverse("training_credits:enter-code"),
        "payment": reverse("checkout:payment-details"),
    }[name]
    open_page(page, address)
    page.get_by_label("Enter Code").first.fill(TYPED)

    log_out_and_go_back(page, address)

    assert not is_kept(page)
    assert TYPED not in everything_on(page)


def test_a_visitors_course_page_is_still_kept(page, course):
    open_page(page, course.url)
    page.goto(CATALOGUE)

    go_back(page, course.url)

    assert is_kept(page)
