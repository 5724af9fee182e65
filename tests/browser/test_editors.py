"""An editor's day in a real browser, and the pages that come of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from oscar.core.loading import get_model
from playwright.sync_api import expect
from wagtail.models import Locale, Page

from oscar_training_credits import api
from oscar_training_credits.credits.models import TrainingProduct
from oscar_training_credits.test.factories import (
    make_learner,
    make_product,
    make_training,
)
from sandbox.academy.models import CoursePage, PathPage, PlanPage
from sandbox.academy.seed.courses import ALL_ACCESS, FULL_STACK
from sandbox.academy.seed.pages import make_folder, make_path_page, make_plan_page
from sandbox.academy.seed.people import make_editors

from ..support.pages import course_index, make_course
from .steps import assert_accessible, log_in

Range = get_model("offer", "Range")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browser_context_args(browser_context_args):
    return {**browser_context_args, "viewport": {"width": 1280, "height": 900}}


@pytest.fixture
def editor():
    home = course_index().get_parent()
    user = make_learner(email="editor@example.com")
    user.groups.add(make_editors(home=home, folder=make_folder()))
    return user


def log_in_to_cms(page, editor):
    page.goto("/cms/login/")
    page.locator("input[name=username]").fill(editor.email)
    page.locator("input[name=password]").fill("password")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/cms/")


def publish(page):
    page.get_by_role("button", name="More actions").last.click()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.locator(".messages .success").first.wait_for()


def test_an_editor_makes_drafts_and_publishes_a_course(page, editor):
    make_product("Something else")  # so that the shop has a type and a partner
    log_in_to_cms(page, editor)
    page.goto(f"/cms/pages/add/academy/coursepage/{course_index().pk}/")
    page.locator("#id_title").fill("Rust for the Web")
    page.locator("#id_intro").fill("Something new.")
    courses = page.get_by_text("What the path opens, in this order.")
    courses.wait_for(state="hidden")
    page.locator("#id_kind").select_option("path")
    courses.wait_for()
    page.locator("#id_kind").select_option("course")
    page.get_by_role("button", name="Choose a product").click()
    page.get_by_role("tab", name="Create a product").click()
    window = page.locator(".modal-content")
    window.get_by_label("Title").fill("Rust")
    window.get_by_label("Price in money").fill("99.00")
    page.wait_for_timeout(300)  # the window moves in
    assert_accessible(page, "#tab-create")
    window.get_by_role("button", name="Create a product").click()
    window.wait_for(state="hidden")
    page.locator("#id_credits").fill("20")
    page.get_by_role("button", name="Save draft").click()
    page.wait_for_url("**/edit/")
    assert not TrainingProduct.objects.exists()
    publish(page)

    course = CoursePage.objects.get(title="Rust for the Web")
    page.goto(course.url)
    page.get_by_text("20 credits or £99.00").wait_for()
    page.get_by_text("Purchase with 20 Credits").wait_for()


def test_an_editor_schedules_a_price(page, editor, course):
    log_in_to_cms(page, editor)
    page.goto(f"/cms/pages/{course.pk}/edit/")
    page.locator("#id_credits").fill("35")
    page.get_by_role("button", name="Toggle status").click()
    page.get_by_role("button", name="Set schedule").click()
    soon = timezone.now() + timedelta(days=400)
    page.locator("#id_go_live_at").fill(f"{soon:%Y-%m-%d} 10:00")
    page.get_by_role("button", name="Save schedule").press("Enter")
    page.get_by_role("button", name="Edit schedule").wait_for()
    page.get_by_role("button", name="More actions").last.click()
    page.get_by_role("button", name="Schedule to publish").click()
    page.get_by_text("has been scheduled for publishing").wait_for()

    page.goto(course.url)
    page.get_by_text("Purchase with 20 Credits").wait_for()


def test_an_editor_translates_a_course(page, editor, course, settings):
    settings.WAGTAIL_I18N_ENABLED = True
    settings.WAGTAIL_CONTENT_LANGUAGES = [("en-gb", "English"), ("fr", "French")]
    french = Locale.objects.create(language_code="fr")
    for above in course.get_ancestors().filter(depth__gt=1).specific():
        above.copy_for_translation(french, alias=True)
    editor.groups.first().page_permissions.update(page=Page.get_first_root_node())
    log_in_to_cms(page, editor)
    page.goto(f"/cms/translation/submit/page/{course.pk}/")
    page.get_by_label("French").check()
    page.get_by_role("button", name="Submit").click()

    page.get_by_text("sells the same product on the same terms as").wait_for()
    expect(page.locator("#id_credits")).to_have_count(0)
    publish(page)
    page.goto(f"/cms/pages/{CoursePage.objects.get(locale=french).pk}/edit/")
    page.get_by_role("link", name="Edit the terms there").click()
    page.locator("#id_credits").wait_for()
    assert TrainingProduct.objects.get().credits == 20


@pytest.mark.parametrize("width", [1280, 375])
def test_a_path_and_a_plan_say_what_is_in_them(page, width):
    learner = make_learner()
    pages = [
        make_course(make_training(title).product, credits=20)
        for title in ("Django Foundations", "Data with PostgreSQL")
    ]
    home = course_index().get_parent()
    products = [course.product for course in pages]
    path = make_product("A path", "600.00")
    make_path_page(home, FULL_STACK, product=path, courses=products)
    everything = Range.objects.create(name="All", includes_all_products=True)
    plan = make_product("A plan", None)
    make_plan_page(home, ALL_ACCESS, product=plan, content=everything)
    # Wagtail leaves a file open when it makes a small picture of a large one.
    for model in (PathPage, PlanPage):
        model.objects.update(image=None)
    api.give_access(learner, pages[0].training, reason="Goodwill")

    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/paths/full-stack/")
    assert "60 credits or £600.00" in page.locator("body").inner_text()
    page.get_by_role("link", name="Purchase with 60 Credits").click()
    log_in(page, learner)
    items = page.locator(".opened li")
    items.first.wait_for()
    assert [words.split("\n") for words in items.all_inner_texts()] == [
        ["Django Foundations", "Already yours"],
        ["Data with PostgreSQL"],
    ]
    assert_accessible(page)
    page.get_by_role("link", name="Data with PostgreSQL").click()
    page.wait_for_url(f"**{pages[1].url}")
    page.goto("/plans/all-access-year/")
    expect(items).to_have_count(2)
    text = page.locator("main").inner_text()
    assert "120 credits" in text
    assert "£" not in text
    across = "document.documentElement.scrollWidth"
    assert page.evaluate(across) <= width
    assert_accessible(page)
