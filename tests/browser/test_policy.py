"""The learner's pages under a strict Content-Security-Policy, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from oscar_training_credits.test.factories import make_code, make_learner, make_product

from ..support.pages import SECRET, make_course
from .steps import give_session
from .test_answers import TEXT, apply, fill_basket, open_box

pytestmark = pytest.mark.django_db(transaction=True)

OURS = (
    ".training-purchase, .credit-code, .basket_summary, .order-training, .my-training"
)
WATCH = """
    window.hindered = [];
    document.addEventListener("securitypolicyviolation", (event) => {
        const part = event.target.closest && event.target.closest(`%s`);
        if (part) window.hindered.push(event.target.outerHTML.slice(0, 200));
    });
"""


@pytest.fixture(params=[True, False], ids=["with script", "without script"])
def browser_context_args(browser_context_args, request, settings):
    settings.STRICT_POLICY = True
    viewport = {"width": 375, "height": 667}
    return {
        **browser_context_args,
        "java_script_enabled": request.param,
        "viewport": viewport,
    }


@pytest.fixture
def course():
    return make_course(make_product("Django Foundations", "240.00"), credits=20)


@pytest.fixture
def hindered(page, browser_context_args):
    """Return which parts of ours the policy hindered on a page."""
    page.add_init_script(WATCH % OURS)
    if not browser_context_args["java_script_enabled"]:
        return list
    return lambda: page.evaluate("window.hindered")


def test_a_course_is_bought_under_a_strict_policy(page, course, hindered):
    make_code(100, text=TEXT)
    headers = page.goto(course.url).headers
    assert headers["content-security-policy"] == "default-src 'self'"
    open_box(page, course, make_learner())
    apply(page, "NO-SUCH-CODE")
    page.locator("#training-purchase").get_by_role("alert").wait_for()
    assert not hindered()
    apply(page, TEXT)
    page.get_by_role("button", name="Purchase", exact=True).click()

    page.get_by_text(SECRET).first.wait_for()
    assert not hindered()
    page.goto("/training/")
    page.get_by_text("Django Foundations").first.wait_for()
    assert not hindered()


def test_the_checkout_works_under_a_strict_policy(
    page, context, live_server, course, hindered
):
    make_code(100, text=TEXT)
    give_session(context, live_server, make_learner())
    fill_basket(page, course.product)
    box = page.locator("#credit-code")
    apply(page, "NO-SUCH-CODE")
    box.get_by_role("alert").wait_for()
    assert not hindered()
    page.goto("/shop/basket/")
    expect(page.locator("input[name$=DELETE]")).to_be_hidden()
    apply(page, TEXT)
    box.get_by_text("80 left after this purchase").wait_for()
    assert not hindered()
    page.goto("/shop/checkout/")
    page.get_by_role("link", name="Review and Pay").click()
    page.get_by_role("button", name="Place order").click()

    page.get_by_role("link", name=re.compile("Go to")).first.wait_for()
    assert not hindered()
