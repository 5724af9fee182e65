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
from .steps import give_session, log_in

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "ACME-TEAM-2026"
WAYS = {
    "laptop": {"viewport": {"width": 1280, "height": 800}},
    "phone without JavaScript": {
        "viewport": {"width": 375, "height": 667},
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
def known(context, live_server, learner):
    """The learner, logged in."""
    give_session(context, live_server, learner)
    return learner


@pytest.fixture
def course():
    return make_course(make_product("Django Foundations", "240.00"), credits=20)


@pytest.fixture
def box(page):
    return box_of(page)


def box_of(page):
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


def fill_basket(page, *products):
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


def main_buttons(part):
    """Return what the buttons say that stand out, from the first on."""
    buttons = part.locator(".btn-primary:visible")
    return [text.strip() for text in buttons.all_inner_texts()]


def test_each_answer_of_the_box_is_seen_and_leads_on(page, box, course, learner):
    make_code(100, text=TEXT)
    page.goto(course.url)
    assert main_buttons(box) == ["Purchase with 20 Credits"]
    heading = box.get_by_role("heading").first
    price = box.locator(".training-purchase__price")
    label = box.get_by_text("Enter Code", exact=True)
    field = box.get_by_label("Enter Code")
    button = box.get_by_role("button", name="Apply")

    open_box(page, course, learner)

    assert_seen(heading, price, label, field, button)
    expect(field).to_be_focused()
    assert main_buttons(box) == ["Apply"]
    with page.context.new_page() as tab:
        tab.goto(course.url)
        assert_an_opened_box_has_one_button_that_stands_out(box_of(tab))

    apply(page, "ACME-TEAM-2O27")

    assert_seen(heading, price, box.get_by_role("alert"), label, field, button)
    expect(field).to_be_focused()
    expect(field).to_have_value("ACME-TEAM-2O27")
    assert main_buttons(box) == ["Apply"]

    apply(page, TEXT)

    said = box.get_by_text("100 credits available, 80 left after this purchase").last
    purchase = box.get_by_role("button", name="Purchase", exact=True)
    assert_seen(heading, price, said, purchase)
    expect(purchase).to_be_focused()
    assert main_buttons(box) == ["Purchase"]
    assert page.url.partition("#")[0].partition("?")[0].endswith(course.url)
    with page.context.new_page() as tab:
        tab.goto(course.url)
        assert main_buttons(box_of(tab)) == ["Purchase"]
        expect(box_of(tab).locator("summary")).to_have_count(0)

    purchase.click()

    assert_seen(
        box.get_by_role("heading", name="You have access"),
        box.locator(".training-purchase__done"),
    )


def assert_an_opened_box_has_one_button_that_stands_out(box):
    assert main_buttons(box) == ["Purchase with 20 Credits"]

    box.get_by_text("Purchase with 20 Credits").click()

    box.get_by_label("Enter Code").wait_for()
    shown = box.get_by_text("Purchase with 20 Credits")
    apply_color, opener_color = (
        part.evaluate("part => getComputedStyle(part).backgroundColor")
        for part in (box.get_by_role("button", name="Apply"), shown)
    )
    assert apply_color != opener_color == "rgba(0, 0, 0, 0)"


def test_answers_are_seen_in_the_basket(page, basket_box, course, known):
    make_code(100, text=TEXT)
    fill_basket(page, course.product)
    field = basket_box.get_by_label("Enter Code")

    apply(page, "ACME-TEAM-2O27")

    assert_seen(
        basket_box.get_by_role("alert"),
        basket_box.get_by_text("Enter Code", exact=True),
        field,
        basket_box.get_by_role("button", name="Apply"),
    )
    expect(field).to_be_focused()
    expect(field).to_have_value("ACME-TEAM-2O27")

    apply(page, TEXT)

    basket_box.get_by_text("100 credits available, 80 left").wait_for()
    assert page.url.partition("#")[0].endswith("/shop/basket/")
    expect(field).to_have_value("")


@pytest.mark.parametrize("address", ["/shop/basket/", "/shop/checkout/"])
def test_what_is_said_of_a_voucher_is_seen(page, basket_box, course, known, address):
    make_voucher("SPRING10")
    fill_basket(page, course.product)
    page.goto(address)

    apply(page, "spring10")

    said = basket_box.get_by_text("Voucher 'SPRING10' added to basket")
    assert_seen(said)
    expect(said).to_have_class("credit-code__done")


def test_one_button_of_the_checkout_stands_out(page, basket_box, known):
    make_code(100, text=TEXT)
    plan = make_training("Plan", credits=35, credit_only=True)
    fill_basket(page, plan.product)
    content = page.locator(".page_inner").last
    assert main_buttons(content) == ["Proceed to checkout"]
    page.get_by_role("link", name="Proceed to checkout").click()
    page.wait_for_url("**/payment-details/")
    assert main_buttons(content) == ["Apply"]

    apply(page, TEXT)

    page.get_by_role("link", name="Review and Pay").wait_for()
    assert main_buttons(content) == ["Review and Pay"]
