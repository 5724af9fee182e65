"""The dashboard's pages of access, in a real browser."""

from __future__ import annotations

import pytest
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits import outbox
from oscar_training_credits.credits.codes.issuing import set_state
from oscar_training_credits.exceptions import DeliveryFailed
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ..support import enrolment
from ..support.enrolment import backend
from ..support.orders import place_order
from .steps import assert_accessible, give_session
from .test_both_ways import WAYS

pytestmark = pytest.mark.django_db(transaction=True)

Range = get_model("offer", "Range")

SIZES = {name: WAYS[name] for name in ("desktop", "phone")}


@pytest.fixture(params=SIZES.values(), ids=SIZES)
def browser_context_args(browser_context_args, request):
    return {**browser_context_args, **request.param}


@pytest.fixture(autouse=True)
def logged_in(context, live_server):
    boss = make_learner(email="boss@example.com", is_staff=True, is_superuser=True)
    give_session(context, live_server, boss)


@pytest.fixture
def with_backend(settings):
    backend.heard.clear()
    backend.fail(DeliveryFailed("The learning system answered 500."))
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = enrolment.PATH


def assert_ours_is_accessible(page):
    page.wait_for_load_state()  # with its style sheets
    # The menu around it is Oscar's.
    assert_accessible(page, ".page-content")
    fits = "document.documentElement.scrollWidth <= window.innerWidth"
    assert page.evaluate(fits)


def test_staff_give_extend_and_end_access(page):
    make_learner(email="lee@acme.example", first_name="Lee", last_name="Learner")
    make_training("Django Foundations", access_days=10)
    page.goto("/training/dashboard/access/")
    assert_ours_is_accessible(page)

    page.get_by_role("link", name="Give access").click()
    page.get_by_label("E-mail address of the learner").fill("nobody@acme.example")
    page.get_by_label("Training", exact=False).select_option(index=1)
    page.get_by_label("Reason").fill("Goodwill")
    page.get_by_role("button", name="Give access").click()
    page.get_by_text("Nobody has an account with the address nobody@").wait_for()
    assert_ours_is_accessible(page)
    page.get_by_label("E-mail address of the learner").fill("lee@acme.example")
    page.get_by_role("button", name="Give access").click()
    page.get_by_text("Access was given.").wait_for()
    assert_ours_is_accessible(page)

    page.get_by_role("link", name="Extend…").click()
    page.get_by_label("New last day").fill("2099-12-31")
    page.get_by_label("Reason").fill("They were ill.")
    assert_ours_is_accessible(page)
    page.get_by_role("button", name="Extend access").click()
    page.get_by_text("Access was extended.").wait_for()

    page.get_by_role("link", name="End…", exact=True).click()
    page.get_by_role("heading", name="End access now?").wait_for()
    page.get_by_label("Reason").fill("They left.")
    assert_ours_is_accessible(page)
    page.get_by_role("button", name="End access now").click()
    page.get_by_text("Access has ended.").wait_for()

    page.goto("/training/dashboard/access/?state=ended")
    page.get_by_role("link", name="Lee Learner").wait_for()
    assert_ours_is_accessible(page)


def test_the_way_from_an_order_to_its_access_has_a_line_of_its_own(page):
    learner = make_learner()
    order = place_order(learner, (make_training("Security").product, 1))
    page.goto(f"/shop/dashboard/orders/{order.number}/")

    link = page.get_by_role("link", name="Access to Security").bounding_box()
    panel = page.get_by_role("heading", name="With selected lines").bounding_box()

    assert link["y"] + link["height"] < panel["y"]


def test_what_goes_back_is_read_without_scrolling_sideways(page):
    learner = make_learner(email="lee@acme.example")
    code = make_code(100, text="ACME-TEAM-2026", label="ACME Learning and Development")
    course = make_training("Security for everybody who handles personal data")
    order = place_order(learner, (course.product, 1), text="ACME-TEAM-2026")
    set_state(code, code.State.DISABLED)

    page.goto(f"/shop/dashboard/orders/{order.number}/")
    page.get_by_role("button", name="For the whole order").click()

    page.get_by_text("Access ends now").wait_for()
    assert_ours_is_accessible(page)
    table = page.locator(".page-content table")
    assert table.evaluate("each => each.scrollWidth <= each.parentElement.clientWidth")


def test_a_customers_training_is_on_their_page(page):
    learner = make_learner(email="lee@acme.example")
    make_code(100, text="ACME-TEAM-2026", label="ACME Learning and Development")
    course = make_training("Security for everybody who handles personal data")
    place_order(learner, (course.product, 1), text="ACME-TEAM-2026")

    page.goto(f"/shop/dashboard/users/{learner.pk}/")

    page.get_by_role("link", name="Security for everybody").wait_for()
    page.wait_for_load_state()
    assert_accessible(page, "#customer-training")


def test_cancelling_an_order_is_asked_for_first(page):
    learner = make_learner(email="lee@acme.example")
    make_code(100, text="ACME-TEAM-2026", label="ACME Learning and Development")
    course = make_training("Security for everybody who handles personal data")
    order = place_order(learner, (course.product, 1), text="ACME-TEAM-2026")

    page.goto(f"/shop/dashboard/orders/{order.number}/")
    page.get_by_role("button", name="Change status").first.click()
    page.get_by_text("20 credits to ACME Learning and Development").wait_for()
    assert_ours_is_accessible(page)
    with page.expect_navigation():  # to the same address, so nothing else tells
        page.get_by_role("link", name="Leave it as it is").click()
    page.get_by_role("button", name="Change status").first.click()
    page.get_by_role("button", name="Change to Cancelled").press("Enter")

    page.get_by_text("20 credits given back to ACME").first.wait_for()
    assert not api.has_access(learner, course)


def test_the_terms_of_a_product_are_those_of_its_kind(page):
    product = make_product()
    page.goto(f"/shop/dashboard/catalogue/products/{product.pk}/")
    page.get_by_role("link", name="Training", exact=True).last.click()
    kind = page.locator("#id_training-kind")
    content, course = (
        page.get_by_label("Content of the plan"),
        page.get_by_label("Course 1"),
    )

    def seen():
        return content.is_visible(), course.is_visible()

    course_only = seen()
    kind.select_option("plan")
    plan = seen()
    kind.select_option("path")
    path = seen()

    assert (course_only, plan, path) == ((False, False), (True, False), (False, True))


def test_a_refused_term_is_shown_whatever_the_kind(page):
    Range.objects.create(name="Everything", includes_all_products=True)
    product = make_product()
    product.categories.add(create_from_breadcrumbs("Courses"))
    page.goto(f"/shop/dashboard/catalogue/products/{product.pk}/")
    page.get_by_role("link", name="Training", exact=True).last.click()
    page.locator("#id_training-kind").select_option("plan")
    page.get_by_label("Content of the plan").select_option(label="Everything")
    page.locator("#id_training-kind").select_option("course")
    page.get_by_role("button", name="Save", exact=True).click()

    page.get_by_role("link", name="Training", exact=True).last.click()

    page.get_by_text("Only a plan has a range as its content.").wait_for()


def test_staff_try_again(page, with_backend):
    learner = make_learner(first_name="Lee", last_name="Learner")
    access = api.give_access(learner, make_training("Security"), reason="Goodwill")
    page.goto("/training/dashboard/deliveries/")
    page.get_by_text("The learning system answered 500.").wait_for()
    assert_ours_is_accessible(page)

    backend.recover()
    page.get_by_role("button", name="Try again: Security, Lee Learner").click()

    page.get_by_text("It has arrived.").wait_for()
    page.get_by_text("Nothing found.").wait_for()
    assert backend.heard[-1].access == access
    assert outbox.deliver_due().failed == 0
