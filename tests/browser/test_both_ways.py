"""The two ways to spend credits, as a learner sees them in a real browser."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.core.management import call_command
from oscar.core.loading import get_model
from playwright.sync_api import expect

from oscar_training_credits.credits.models import Access, LedgerEntry
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ..support.pages import SECRET, make_course
from .steps import assert_accessible, log_in

Order = get_model("order", "Order")

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "ACME-TEAM-2026"
WAYS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "desktop without JavaScript": {
        "viewport": {"width": 1280, "height": 900},
        "java_script_enabled": False,
    },
    "phone": {"viewport": {"width": 375, "height": 800}},
    "phone without JavaScript": {
        "viewport": {"width": 375, "height": 800},
        "java_script_enabled": False,
    },
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def browser_context_args(browser_context_args, request):
    return {**browser_context_args, **request.param}


@pytest.fixture
def learner():
    return make_learner(email="learner@example.com")


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def course():
    return make_course(make_product("Django Foundations", "240.00"), credits=20)


def assert_spent(code, learner):
    order = Order.objects.get()
    taken = LedgerEntry.objects.get(kind=LedgerEntry.Kind.REDEEM)
    assert (taken.credits, taken.balance) == (-20, 80)
    assert code.balance() == 80
    assert Access.objects.get().learner == order.user == learner
    assert order.sources.get().label == "20 credits, ACME (code ending 2026)"
    assert [message.to for message in mail.outbox] == [["learner@example.com"]]
    return order


def test_a_course_is_bought_on_its_page(page, course, code, learner):
    page.goto(course.url)
    page.get_by_role("link", name="Purchase with 20 Credits").click()
    log_in(page, learner)
    page.get_by_label("Enter Code").fill("NO-SUCH-CODE")
    page.get_by_role("button", name="Apply").click()
    assert_answered_beside_the_box(page.locator("#training-purchase"))
    page.get_by_label("Enter Code").fill("acme team 2o26")
    page.get_by_role("button", name="Apply").click()
    said = "100 credits available, 80 left after this purchase"
    page.get_by_text(said, exact=True).wait_for()
    page.get_by_role("button", name="Purchase", exact=True).click()

    page.get_by_text(SECRET).first.wait_for()
    order = assert_spent(code, learner)
    assert f"Your order number is {order.number}" in page.locator("body").inner_text()


def assert_answered_beside_the_box(box):
    box.get_by_role("alert").wait_for()
    assert "ask your learning administrator" in box.get_by_role("alert").inner_text()
    field = box.get_by_label("Enter Code")
    assert field.get_attribute("aria-invalid") == "true"
    assert field.get_attribute("aria-describedby") == "training-purchase-error"
    assert field.evaluate("field => field.matches(':focus')")


def test_a_course_is_bought_at_the_checkout(page, course, code, learner):
    page.goto(course.url)
    page.get_by_role("button", name="Add to basket").click()
    page.goto("/shop/accounts/login/")
    log_in(page, learner)
    page.goto("/shop/basket/")
    heading = "Enter promotion, license or credit code"
    page.get_by_role("heading", name=heading).wait_for()
    assert "The content costs 20 credits" in page.locator("#credit-code").inner_text()
    page.goto("/shop/checkout/")
    page.get_by_label("Enter Code").fill(TEXT)
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("20 credits taken, 80 credits left").wait_for()
    page.get_by_role("link", name="Review and Pay").click()
    page.get_by_text("20 credits taken, 80 credits left").wait_for()
    page.get_by_role("button", name="Place order").click()

    page.get_by_role("heading", name="confirmation").wait_for()
    assert_spent(code, learner)
    page.get_by_role("link", name=re.compile("Go to")).first.click()
    page.get_by_text(SECRET).first.wait_for()


@pytest.mark.parametrize(
    "browser_context_args", [WAYS["phone"]], ids=["phone"], indirect=True
)
def test_the_boxes_are_accessible(page, course, code, learner):
    page.goto(course.url)
    assert_accessible(page)
    page.get_by_role("link", name="Purchase with 20 Credits").click()
    log_in(page, learner)
    page.get_by_label("Enter Code").fill("NO-SUCH-CODE")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("alert").wait_for()
    assert_accessible(page)
    page.get_by_role("button", name="Add to basket").click()
    page.goto("/shop/basket/")
    page.get_by_label("Enter Code").fill(TEXT)
    page.locator("#credit-code").get_by_role("button", name="Apply").click()
    page.get_by_text("20 credits taken").wait_for()
    assert_accessible(page, "#credit-code")


@pytest.mark.parametrize(
    "browser_context_args", [WAYS["desktop"]], ids=["desktop"], indirect=True
)
def test_a_double_click_buys_once(page, course, code, learner):
    page.goto(course.url)
    page.get_by_role("link", name="Purchase with 20 Credits").click()
    log_in(page, learner)
    page.get_by_label("Enter Code").fill(TEXT)
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("button", name="Purchase", exact=True).dblclick()

    page.get_by_text("You have access", exact=True).wait_for()
    assert_spent(code, learner)


@pytest.mark.parametrize(
    "browser_context_args", [WAYS["desktop"]], ids=["desktop"], indirect=True
)
def test_a_credit_only_course_shows_no_money_anywhere(page, code, learner):
    product = make_training("Secure", credits=35, credit_only=True).product
    course = make_course(product, credits=35, credit_only=True)
    call_command("rebuild_index", interactive=False, verbosity=0)

    def visible():
        return page.locator("body").inner_text()

    page.goto(course.url)
    page.get_by_role("link", name="Purchase with 35 Credits").click()
    log_in(page, learner)
    for address in (course.url, "/shop/catalogue/", product.get_absolute_url()):
        page.goto(address)
        assert "35 credits" in visible()
        assert not re.search(r"£|\bFree\b|Unavailable", visible()), address
    page.get_by_role("button", name="Add to basket").click()
    page.goto("/shop/basket/")
    assert "£" not in visible()
    page.get_by_label("Enter Code").fill(TEXT)
    page.locator("#credit-code").get_by_role("button", name="Apply").click()
    for address in ("/shop/basket/", "/shop/checkout/", "/shop/checkout/preview/"):
        page.goto(address)
        assert "£" not in visible(), address
    page.get_by_role("button", name="Place order").click()
    page.get_by_role("heading", name="confirmation").wait_for()
    assert "£" not in visible()
    assert "£" not in mail.outbox[0].body


# What can't be bought in place


def test_a_sold_out_course_says_so(page, course):
    course.product.product_class.track_stock = True
    course.product.product_class.save()
    course.product.stockrecords.update(num_in_stock=2, num_allocated=2)

    page.goto(course.url)

    box = page.locator("#training-purchase")
    assert "This is sold out." in box.inner_text()
    expect(box.get_by_role("button")).to_have_count(0)
    expect(box.get_by_role("link", name="Purchase")).to_have_count(0)
    assert_accessible(page, "#training-purchase")


def test_a_course_with_options_is_bought_where_they_are_asked(page, course):
    Option = get_model("catalogue", "Option")
    language = Option.objects.create(name="Language", code="language", required=True)
    course.product.product_options.add(language)

    page.goto(course.url)
    assert_accessible(page, "#training-purchase")
    page.get_by_role("link", name="Choose options and buy").click()
    page.get_by_label("Language").fill("English")
    page.get_by_role("button", name="Add to basket").last.click()

    Line = get_model("basket", "Line")
    page.get_by_text("Django Foundations has been added").first.wait_for()
    assert Line.objects.get().attributes.get().value == "English"
