"""A course, a path and a plan: bought both ways, used, ended and bought again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.models import Access
from oscar_training_credits.credits.terms import ProductKind
from oscar_training_credits.test.factories import make_code, make_learner, make_product
from sandbox.academy.models import CoursePage

from ..support.pages import SECRET, make_course, make_path, make_plan
from .steps import give_session

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "ACME-TEAM-2026"
TERMS = {"credits": 40, "access_days": 30}
LOCKED = "The lessons appear here once the course is yours."


@pytest.fixture
def has_script():
    return True


@pytest.fixture
def browser_context_args(browser_context_args, has_script):
    return {**browser_context_args, "java_script_enabled": has_script}


@pytest.fixture
def learner(context, live_server):
    """A learner who is logged in."""
    user = make_learner()
    give_session(context, live_server, user)
    return user


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def content():
    return get_model("offer", "Range").objects.create(name="In the plan")


@pytest.fixture
def sold(kind, content):
    """A page that sells a course, or a path or a plan that opens one."""
    product = make_product(f"A {kind}", "400.00")
    if kind == ProductKind.COURSE:
        return make_course(product, **TERMS)
    course = make_course(make_product("Inside"), credits=20)
    content.add_product(course.product)
    if kind == ProductKind.PATH:
        return make_path(product, course, **TERMS)
    return make_plan(product, content, **TERMS)


def opened_by(sold):
    return CoursePage.objects.first() if sold.kind != ProductKind.COURSE else sold


def buy_on_its_page(page, sold):
    page.goto(sold.url)
    page.get_by_text("Purchase with 40 Credits", exact=True).click()
    page.get_by_label("Enter Code").fill(TEXT)
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("button", name="Purchase", exact=True).click()
    page.get_by_text("Thank you. You have access now.").first.wait_for()


def buy_at_the_checkout(page, sold):
    page.goto(sold.url)
    page.get_by_role("button", name="Add to basket").click()
    page.goto("/shop/checkout/")
    heading = "Enter promotion, license or credit code"
    page.get_by_role("heading", name=heading).wait_for()
    page.get_by_label("Enter Code").fill(TEXT)
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("40 credits taken").wait_for()
    page.get_by_role("link", name="Review and Pay").click()
    page.get_by_role("button", name="Place order").click()
    page.get_by_role("link", name=f"Go to {sold.product.title}").click()
    page.get_by_role("heading", name="You have access").wait_for()


WAYS = [
    pytest.param(kind, buy, has_script, id=f"{kind} {way}")
    for way, buy, has_script, kinds in (
        ("on its page", buy_on_its_page, True, ProductKind.values),
        ("at the checkout", buy_at_the_checkout, True, ProductKind.values),
        ("without JavaScript", buy_at_the_checkout, False, [ProductKind.PATH.value]),
    )
    for kind in kinds
]


@pytest.mark.parametrize(("kind", "buy", "has_script"), WAYS)
def test_access_begins_ends_and_is_bought_again(
    page, sold, buy, content, learner, code
):
    def shows(address, text):
        page.goto(address)
        page.get_by_text(text).first.wait_for()
        return SECRET in page.locator("main").inner_text()

    course = opened_by(sold)
    later = make_course(make_product("Later"), credits=20)
    assert not shows(course.url, LOCKED)

    buy(page, sold)
    content.add_product(later.product)

    assert shows(course.url, "You have access")
    is_plan = sold.kind == ProductKind.PLAN
    assert shows(later.url, "You have access" if is_plan else LOCKED) == is_plan

    Access.objects.update(starts_at=days_ago(31), ends_at=days_ago(1))

    for address in {sold.url, course.url}:
        assert not shows(address, "Your access ended on")
    assert not shows("/training/", "Ended on")

    buy(page, sold)

    assert shows(course.url, "You have access")
    assert code.balance() == 20


def days_ago(days):
    return timezone.now() - timedelta(days=days)


# Pages that a front-end cache keeps for everybody


@pytest.fixture
def shared(course, monkeypatch):
    monkeypatch.setattr(CoursePage, "is_shared", True)
    return course


def personal_part_of(shared):
    return lambda response: response.url.endswith(f"{shared.url}?mine=1")


def test_the_script_swaps_in_what_a_learner_has(page, shared, learner):
    api.give_access(learner, shared.training, reason="Goodwill")

    with page.expect_response(personal_part_of(shared)) as personal:
        everybodys = page.goto(shared.url)

    page.get_by_role("heading", name="You have access").wait_for()
    page.get_by_role("heading", name=SECRET).wait_for()
    assert SECRET not in everybodys.text()
    assert "private" not in everybodys.headers.get("cache-control", "")
    assert {"private", "no-cache"} <= parts(personal.value.headers["cache-control"])
    assert "cookie" in parts(personal.value.headers["vary"])


def parts(header):
    return {part.strip().lower() for part in header.split(",")}


def test_the_script_swaps_in_a_strangers_way_to_log_in(page, shared):
    page.goto(shared.url)

    page.get_by_role("button", name="Add to basket").wait_for()
    page.get_by_role("link", name="Purchase with 20 Credits").click()
    page.get_by_role("button", name="Log In").wait_for()


def test_a_course_is_bought_from_a_shared_page(page, shared, learner, code):
    page.goto(shared.url)

    page.locator("summary", has_text="Purchase with 20 Credits").click()
    page.get_by_label("Enter Code").fill(TEXT)
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("button", name="Purchase", exact=True).click()

    page.get_by_role("heading", name=SECRET).wait_for()
    page.reload()
    page.get_by_role("heading", name=SECRET).wait_for()


@pytest.mark.parametrize("has_script", [False], ids=["without JavaScript"])
def test_a_link_leads_to_what_a_learner_has(page, shared, learner):
    api.give_access(learner, shared.training, reason="Goodwill")
    page.goto(shared.url)
    assert SECRET not in page.content()

    page.get_by_role("link", name="Purchase with 20 Credits").click()

    page.get_by_role("heading", name="You have access").wait_for()
    page.get_by_role("heading", name=SECRET).wait_for()
