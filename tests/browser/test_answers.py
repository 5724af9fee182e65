"""What a learner sees of an answer, without scrolling, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ..support.pages import make_course
from ..support.vouchers import make_voucher
from .steps import log_in

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "ACME-TEAM-2026"
SIZES = {
    "laptop": {"width": 1280, "height": 800},
    "phone": {"width": 375, "height": 667},
}
WAYS = {
    f"{size}{'' if has_script else ' without JavaScript'}": {
        "viewport": SIZES[size],
        "java_script_enabled": has_script,
    }
    for size in SIZES
    for has_script in (True, False)
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def browser_context_args(browser_context_args, request):
    return {**browser_context_args, **request.param}


@pytest.fixture
def learner():
    return make_learner(email="learner@example.com")


@pytest.fixture
def course():
    return make_course(make_product("Django Foundations", "240.00"), credits=20)


@pytest.fixture
def box(page):
    return page.locator("#training-purchase")


@pytest.fixture
def basket_box(page):
    return page.locator("#credit-code")


def open_box(page, course, learner):
    page.goto(course.url)
    page.get_by_role("link", name="Purchase with").click()
    log_in(page, learner)
    page.get_by_label("Enter Code").wait_for()


def apply(page, text):
    page.get_by_label("Enter Code").fill(text)
    page.get_by_role("button", name="Apply").click()


def fill_basket(page, learner, *products):
    page.goto("/shop/accounts/login/")
    log_in(page, learner)
    for product in products:
        page.goto(product.get_absolute_url())
        add = page.get_by_role("button", name="Add to basket")
        add.first.click()
    page.goto("/shop/basket/")


def assert_seen(*parts):
    """Assert that all of each part stands on the screen as it is."""
    for part in parts:
        part.wait_for()
    for part in parts:
        page = part.page
        page.wait_for_timeout(100)  # a browser scrolls in its own time
        place, height = part.bounding_box(), page.viewport_size["height"]
        assert place["y"] >= 0, part
        assert place["y"] + place["height"] <= height, part


def test_the_box_is_seen_after_logging_in(page, box, course, learner):
    open_box(page, course, learner)

    field = box.get_by_label("Enter Code")
    assert_seen(
        box.get_by_role("heading").first,
        box.locator(".training-purchase__price"),
        box.get_by_text("Enter Code", exact=True),
        field,
        box.get_by_role("button", name="Apply"),
    )
    expect(field).to_be_focused()


def test_a_refusal_is_seen(page, box, course, learner):
    open_box(page, course, learner)

    apply(page, "NO-SUCH-CODE")

    assert_seen(
        box.get_by_role("heading").first,
        box.locator(".training-purchase__price"),
        box.get_by_role("alert"),
        box.get_by_text("Enter Code", exact=True),
        box.get_by_label("Enter Code"),
        box.get_by_role("button", name="Apply"),
    )
    expect(box.get_by_label("Enter Code")).to_be_focused()


def test_a_balance_is_seen(page, box, course, learner):
    make_code(100, text=TEXT)
    open_box(page, course, learner)

    apply(page, TEXT)

    purchase = box.get_by_role("button", name="Purchase", exact=True)
    assert_seen(
        box.get_by_role("heading").first,
        box.locator(".training-purchase__price"),
        box.get_by_text("100 credits available, 80 left after this purchase").last,
        purchase,
    )
    expect(purchase).to_be_focused()


def test_thanks_are_seen(page, box, course, learner):
    make_code(100, text=TEXT)
    open_box(page, course, learner)
    apply(page, TEXT)

    box.get_by_role("button", name="Purchase", exact=True).click()

    assert_seen(
        box.get_by_role("heading", name="You have access"),
        box.locator(".training-purchase__done"),
    )


def test_a_refusal_is_seen_in_the_basket(page, basket_box, course, learner):
    fill_basket(page, learner, course.product)

    apply(page, "NO-SUCH-CODE")

    assert_seen(
        basket_box.get_by_role("alert"),
        basket_box.get_by_text("Enter Code", exact=True),
        basket_box.get_by_label("Enter Code"),
        basket_box.get_by_role("button", name="Apply"),
    )
    expect(basket_box.get_by_label("Enter Code")).to_be_focused()


@pytest.mark.parametrize("address", ["/shop/basket/", "/shop/checkout/"])
def test_what_is_said_of_a_voucher_is_seen(page, basket_box, course, learner, address):
    make_voucher("SPRING10")
    fill_basket(page, learner, course.product)
    page.goto(address)

    apply(page, "spring10")

    said = basket_box.get_by_text("Voucher 'SPRING10' added to basket")
    assert_seen(said)
    expect(said).to_have_class("credit-code__done")


# One thing to do next


def main_buttons(part):
    """Return what the buttons say that stand out, from the first on."""
    buttons = part.locator(".btn-primary:visible")
    return [text.strip() for text in buttons.all_inner_texts()]


def test_one_button_of_the_box_stands_out(page, box, course, learner):
    make_code(100, text=TEXT)
    page.goto(course.url)
    assert main_buttons(box) == ["Purchase with 20 Credits"]
    open_box(page, course, learner)
    assert main_buttons(box) == ["Apply"]

    apply(page, "NO-SUCH-CODE")
    box.get_by_role("alert").wait_for()
    assert main_buttons(box) == ["Apply"]

    apply(page, TEXT)
    box.get_by_role("button", name="Purchase", exact=True).wait_for()
    assert main_buttons(box) == ["Purchase"]
    page.goto(course.url)
    assert main_buttons(box) == ["Purchase"]
    assert not box.locator("summary").count()


def test_an_opened_box_has_one_button_that_stands_out(page, box, course, learner):
    page.goto("/shop/accounts/login/")
    log_in(page, learner)
    page.goto(course.url)
    assert main_buttons(box) == ["Purchase with 20 Credits"]

    box.get_by_text("Purchase with 20 Credits").click()

    box.get_by_label("Enter Code").wait_for()
    shown = box.get_by_text("Purchase with 20 Credits")
    apply_color, opener_color = (
        part.evaluate("part => getComputedStyle(part).backgroundColor")
        for part in (box.get_by_role("button", name="Apply"), shown)
    )
    assert apply_color != opener_color == "rgba(0, 0, 0, 0)"


def test_one_button_of_the_checkout_stands_out(page, basket_box, learner):
    make_code(100, text=TEXT)
    plan = make_training("Plan", credits=35, credit_only=True)
    fill_basket(page, learner, plan.product)
    content = page.locator(".page_inner").last
    assert main_buttons(content) == ["Proceed to checkout"]
    page.get_by_role("link", name="Proceed to checkout").click()
    page.wait_for_url("**/payment-details/")
    assert main_buttons(content) == ["Apply"]

    apply(page, TEXT)

    page.get_by_role("link", name="Review and Pay").wait_for()
    assert main_buttons(content) == ["Review and Pay"]


# What was typed


def test_a_refused_code_stays_where_it_was_typed(page, box, course, learner):
    make_code(100, text=TEXT)
    open_box(page, course, learner)
    apply(page, "ACME-TEAM-2O27")
    box.get_by_role("alert").wait_for()
    field = box.get_by_label("Enter Code")
    expect(field).to_have_value("ACME-TEAM-2O27")
    expect(field).to_be_focused()

    apply(page, TEXT)

    box.get_by_role("button", name="Purchase", exact=True).wait_for()
    assert page.url.partition("#")[0].partition("?")[0].endswith(course.url)


def test_a_refused_code_stays_in_the_basket(page, basket_box, course, learner):
    make_code(100, text=TEXT)
    fill_basket(page, learner, course.product)
    apply(page, "ACME-TEAM-2O27")
    alert = basket_box.get_by_role("alert")
    alert.wait_for()
    field = basket_box.get_by_label("Enter Code")
    expect(field).to_have_value("ACME-TEAM-2O27")
    expect(field).to_be_focused()
    assert_seen(alert, field)

    apply(page, TEXT)

    basket_box.get_by_text("100 credits available, 80 left").wait_for()
    assert page.url.partition("#")[0].endswith("/shop/basket/")
    expect(basket_box.get_by_label("Enter Code")).to_have_value("")
