"""What is for one person is kept by no cache, and by no browser after log-out."""

from __future__ import annotations

import re

import pytest
from django.http import HttpResponse
from django.template import engines
from django.test import RequestFactory
from django.urls import reverse
from django.views import View
from oscar.core.loading import get_class

from oscar_training_credits import api
from oscar_training_credits.shop.personal import PersonalPageMixin
from oscar_training_credits.test.factories import make_code, make_learner, make_product
from sandbox.academy.models import CourseIndexPage, CoursePage

from ..support.orders import place_order
from ..support.pages import SECRET

Selector = get_class("partner.strategy", "Selector")

pytestmark = pytest.mark.django_db

TEXT = "ACME-TEAM-2026"
PURCHASE = "{% load training_credits %}{% training_purchase product %}"


@pytest.fixture
def learner(client):
    learner = make_learner(email="learner@example.com")
    client.force_login(learner)
    return learner


@pytest.fixture
def order(learner, course):
    return place_order(learner, (course.product, 3))


def add_to_basket(client, product):
    client.post(reverse("basket:add", args=[product.pk]), {"quantity": 1})


def control_of(response):
    assert response.status_code == 200
    return set(re.split(r",\s*", response.headers.get("Cache-Control", "")))


def is_kept_by_nobody(response):
    return {"no-store", "private"} <= control_of(response)


def test_my_training_is_kept_by_nobody(client, order):
    page = client.get(reverse("training_credits:my-training"))

    assert "training/claim/" in page.content.decode()
    assert is_kept_by_nobody(page)


def test_an_order_with_links_is_kept_by_nobody(client, order):
    page = client.get(reverse("customer:order", args=[order.number]))

    assert "training/claim/" in page.content.decode()
    assert is_kept_by_nobody(page)


def test_an_order_without_links_is_sent_as_oscar_sends_it(client, learner):
    book = place_order(learner, (make_product("A book", "10.00"), 1))

    page = client.get(reverse("customer:order", args=[book.number]))

    assert control_of(page) == {""}


def test_the_thank_you_page_with_links_is_kept_by_nobody(client, order):
    session = client.session
    session["checkout_order_id"] = order.pk
    session.save()

    page = client.get(reverse("checkout:thank-you"))

    assert "training/claim/" in page.content.decode()
    assert is_kept_by_nobody(page)


@pytest.mark.parametrize("is_learner", [True, False], ids=["learner", "guest"])
def test_a_basket_with_a_code_box_is_kept_by_nobody(client, course, is_learner):
    if is_learner:
        client.force_login(make_learner())
    empty = client.get(reverse("basket:summary"))
    add_to_basket(client, course.product)

    page = client.get(reverse("basket:summary"))

    assert control_of(empty) == {""}
    assert is_kept_by_nobody(page)
    assert is_kept_by_nobody(client.get(reverse("training_credits:enter-code")))


def test_payment_and_preview_are_kept_by_nobody(client, course, learner):
    make_code(100, text=TEXT)
    add_to_basket(client, course.product)
    client.post(reverse("training_credits:apply"), {"code": TEXT})
    client.get(reverse("checkout:index"), follow=True)

    assert is_kept_by_nobody(client.get(reverse("checkout:payment-details")))
    assert is_kept_by_nobody(client.get(reverse("checkout:preview")))


@pytest.mark.parametrize("has_access", [True, False], ids=["access", "no access"])
def test_a_learners_course_page_is_kept_by_nobody(client, course, learner, has_access):
    if has_access:
        api.give_access(learner, course.training, reason="Goodwill")

    page = client.get(course.url)

    assert (SECRET in page.content.decode()) == has_access
    assert is_kept_by_nobody(page)


def test_a_visitors_course_page_may_be_kept_by_their_browser(client, course):
    page = client.get(course.url)

    assert control_of(page) == {"private", "no-cache"}


@pytest.mark.parametrize("is_learner", [True, False], ids=["learner", "visitor"])
def test_a_shared_page_stays_shareable(client, course, monkeypatch, is_learner):
    monkeypatch.setattr(CoursePage, "is_shared", True)
    if is_learner:
        learner = make_learner()
        client.force_login(learner)
        api.give_access(learner, course.training, reason="Goodwill")

    assert control_of(client.get(course.url)) == {""}
    mine = client.get(f"{course.url}?mine=1")
    assert is_kept_by_nobody(mine) == is_learner


def test_a_preview_that_shows_the_lessons_is_kept_by_nobody(client, course, admin_user):
    request = RequestFactory().get("/")
    request.user = admin_user

    shown = course.make_preview_request(request, "with-access")
    hidden = CoursePage.objects.get().make_preview_request(request, "")

    assert SECRET in shown.content.decode()
    assert is_kept_by_nobody(shown)
    assert "no-store" not in control_of(hidden)


@pytest.mark.parametrize("is_learner", [True, False], ids=["learner", "visitor"])
def test_a_product_page_with_the_box_is_kept_by_nobody(
    client, course, settings, tmp_path, is_learner
):
    add_template(
        settings,
        tmp_path,
        "oscar/catalogue/detail.html",
        '{% extends "oscar/catalogue/detail.html" %}{% load training_credits %}'
        "{% block product_main %}{% training_purchase product %}"
        "{{ block.super }}{% endblock %}",
    )
    if is_learner:
        client.force_login(make_learner())

    page = client.get(course.product.get_absolute_url())

    assert "training-purchase" in page.content.decode()
    assert is_kept_by_nobody(page) == is_learner


def test_a_page_of_another_model_with_the_box_is_kept_by_nobody(
    client, course, learner, settings, tmp_path
):
    courses = CourseIndexPage.objects.get()
    without = client.get(courses.url)
    add_template(
        settings,
        tmp_path,
        CourseIndexPage.template,
        "{% load training_credits %}{% code_box %}",
    )
    add_to_basket(client, course.product)

    page = client.get(courses.url)

    assert "no-store" not in control_of(without)
    assert is_kept_by_nobody(page)


def add_template(settings, folder, name, text):
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text(text)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [folder]}]


class Landing(View):
    product = None

    def get(self, request):
        template = engines["django"].from_string(PURCHASE)
        return HttpResponse(template.render({"product": self.product}, request))


class GuardedLanding(PersonalPageMixin, Landing):
    pass


@pytest.mark.parametrize("view", [Landing, GuardedLanding])
def test_a_view_of_the_sites_own_is_guarded_by_the_mixin(rf, course, learner, view):
    request = rf.get("/")
    request.user = learner
    request.session = {}
    request.strategy = Selector().strategy(request=request, user=learner)

    page = view.as_view(product=course.product)(request)

    assert is_kept_by_nobody(page) == (view is GuardedLanding)
