"""A refused code stays in its field, and nowhere else."""

from __future__ import annotations

import re
import sys

import pytest
from django.core.signals import got_request_exception
from django.urls import reverse
from django.views.debug import ExceptionReporter

from oscar_training_credits.shop.basket import typed_codes
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.frames import shown_by
from ...support.pages import make_course
from ...support.shop import Learner, answer, text_of, words
from ...support.vouchers import make_voucher

pytestmark = pytest.mark.django_db

WRONG, TEAM = "WRONG-CODE-77", "ACME-TEAM-2026"
BASKET = "/shop/basket/"


@pytest.fixture
def learner() -> Learner:
    return Learner(make_learner())


@pytest.fixture
def filled(learner):
    learner.add(make_training("Course", credits=20, price="240.00").product)
    return learner


@pytest.fixture
def course():
    return make_course(make_product("Course", "240.00"), credits=20)


def post(learner, text, **data):
    """Apply a code as a form does in a browser without script."""
    form = {"code": text, "next": BASKET, typed_codes.AGAIN: "1", **data}
    return learner.client.post(reverse("training_credits:apply"), form)


def post_on_page(learner, course, text):
    address = reverse("training_credits:purchase-apply", args=[course.training.pk])
    form = {"code": text, "next": course.url, typed_codes.AGAIN: "1"}
    return learner.client.post(address, form)


def field_in(page):
    """Return what stands in the field for codes."""
    found = re.search(r'<input type="text"[^>]* name="code"[^>]*>', page)[0]
    value = re.search(r' value="([^"]*)"', found)
    return value[1] if value else ""


def test_a_refused_code_stays_in_the_field_of_the_basket(filled):
    response = post(filled, WRONG)
    page = text_of(response)

    assert field_in(page) == WRONG
    assert "Compare it with the one that you were given" in answer(page)
    assert f'name="next" value="{BASKET}"' in page
    assert f'href="{BASKET}"' in page


def test_a_refused_code_stays_in_the_field_of_a_course(learner, course):
    response = post_on_page(learner, course, WRONG)
    page = text_of(response)

    assert field_in(page) == WRONG
    assert "Compare it with the one that you were given" in words(page)
    assert f'name="next" value="{course.url}"' in page


@pytest.mark.parametrize("text", ["<script>", '" onfocus="x', "ü" * 40, "{{ page }}"])
def test_whatever_was_typed_stays_as_it_was(filled, text):
    page = text_of(post(filled, text))

    shown = field_in(page)
    for sign, name in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        shown = shown.replace(sign, name)
    assert shown == text


def test_it_is_kept_nowhere_and_stored_by_nobody(filled):
    response = post(filled, WRONG)

    assert WRONG not in str(dict(filled.client.session))
    assert not any(WRONG in morsel.value for morsel in filled.client.cookies.values())
    assert {"no-store", "private"} <= set(response["Cache-Control"].split(", "))
    after = text_of(filled.client.get(BASKET))
    assert (field_in(after), answer(after)) == ("", "")


def test_a_code_that_works_leads_back_and_leaves_the_field_empty(filled):
    make_code(100, text=TEAM)
    post(filled, WRONG)

    response = post(filled, TEAM)

    assert response.url == f"{BASKET}#credit-code-next"
    page = text_of(filled.client.get(BASKET))
    assert (field_in(page), answer(page)[:21]) == ("", "100 credits available")


def test_a_code_that_is_applied_and_does_not_reach_leaves_the_field_empty(learner):
    make_code(10, text=TEAM)
    learner.add(make_training("Plan", credits=35, credit_only=True).product)

    response = post(learner, TEAM)

    assert response.status_code == 302
    page = text_of(learner.client.get(BASKET))
    assert "25 credits too few" in answer(page)
    assert field_in(page) == ""


def test_a_small_code_on_a_page_leaves_the_field_empty(learner, course):
    make_code(10, text=TEAM)

    response = post_on_page(learner, course, TEAM)

    assert response.status_code == 302
    page = text_of(learner.client.get(course.url))
    assert "10 credits too few" in words(page)
    assert field_in(page) == ""


def test_a_voucher_that_is_refused_stays(filled):
    voucher = make_voucher("SPRING10")
    voucher.end_datetime = voucher.start_datetime
    voucher.save()

    page = text_of(post(filled, "spring10"))

    assert field_in(page) == "spring10"
    assert answer(page) == "The 'SPRING10' voucher has expired"


def test_a_form_without_the_field_is_led_back_as_before(filled):
    response = filled.client.post(
        reverse("training_credits:apply"), {"code": WRONG, "next": BASKET}
    )

    assert response.url == f"{BASKET}#credit-code-next"
    assert "can't be used" in answer(text_of(filled.client.get(BASKET)))


def test_the_way_back_stays_on_this_site(filled):
    page = text_of(post(filled, WRONG, next="https://evil.test/"))

    assert "evil.test" not in page


@pytest.mark.parametrize("way", ["basket", "page"])
def test_no_variable_of_the_package_shows_it_in_a_report(filled, course, way):
    def call():
        return (
            post(filled, WRONG)
            if way == "basket"
            else post_on_page(filled, course, WRONG)
        )

    assert shown_by(call, lambda text: WRONG in text) == set()


@pytest.mark.parametrize("template", ["code_box", "purchase_form"])
def test_a_fault_in_the_page_reports_no_code(
    filled, course, settings, tmp_path, template
):
    broken = tmp_path / "training_credits" / f"{template}.html"
    broken.parent.mkdir()
    broken.write_text("{{ typed }}{% url 'no-such-address' %}")
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine.get("DIRS", [])]}]
    filled.client.raise_request_exception = False
    reports = []

    def report(sender, request, **kwargs):
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.append(reporter.get_traceback_html() + reporter.get_traceback_text())

    got_request_exception.connect(report)
    try:
        if template == "code_box":
            post(filled, WRONG)
        else:
            post_on_page(filled, course, WRONG)
    finally:
        got_request_exception.disconnect(report)

    assert reports
    assert WRONG not in "".join(reports)
