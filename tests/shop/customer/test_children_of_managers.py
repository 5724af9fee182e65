"""Managers cut codes for departments, and take back what is unused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core import mail
from django.urls import reverse

from oscar_training_credits import api
from oscar_training_credits.credits.codes.issuing import edit_code
from oscar_training_credits.credits.codes.managing import codes_of
from oscar_training_credits.credits.models import CodeChange, CreditCode
from oscar_training_credits.test.factories import make_learner, make_training

from ...support.books import assert_balanced
from ...support.orders import place_order
from ...support.shop import text_of, words

pytestmark = pytest.mark.django_db


def url(name: str, *args: Any) -> str:
    return reverse(f"training_credits:my-code{name}", args=args)


def fields(page: Any) -> dict[str, str]:
    found = BeautifulSoup(page.content, "html.parser").select("[type=hidden]")
    return {str(field["name"]): str(field["value"]) for field in found}


def cut(bea: Any, code: CreditCode, **asked: Any) -> Any:
    address = url("-cut", code.pk)
    form = {"label": "Sales", "credits": 30, **fields(bea.client.get(address))}
    form |= asked
    bea.client.post(address, form)
    return bea.client.post(address, form, follow=True)


def text_shown(page: Any) -> str:
    [text] = re.findall(r'id="new-code"[^>]*value="([^"]+)"', text_of(page))
    return text


def test_a_double_click_cuts_one_code_and_shows_its_text_once(bea, code):
    shown = cut(bea, code)

    child = code.children.get()
    assert (code.balance(), child.balance()) == (70, 30)
    assert api.find_code(text_shown(shown)) == child
    assert text_shown(shown) in words(text_of(shown)).split("Enter the code")[1]
    again = text_of(bea.client.get(shown.redirect_chain[-1][0]))
    assert "not shown a second time" in again
    assert list(codes_of(bea.user).order_by("pk")) == [code, child]
    assert CodeChange.objects.filter(kind="cut", changed_by=bea.user).count() == 1
    assert "Sales code ending" in words(text_of(bea.client.get(url("", code.pk))))


def test_others_look_after_it_if_they_are_named(
    bea, code, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        shown = cut(bea, code, managers="Kim@acme.example\n")

    child = code.children.get()
    assert text_shown(shown)
    assert [each.to for each in mail.outbox] == [["kim@acme.example"]]
    assert list(codes_of(bea.user)) == [code]
    assert bea.client.get(url("", child.pk)).status_code == 404


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"credits": 101}, "So many can't be moved"),
        ({"credits": 0}, "greater than or equal to 1"),
        ({"last_day": "2001-01-01"}, "This day is over"),
        ({"credits_per_learner": 50}, "a code cut from it is not wider"),
        ({"managers": "nobody"}, "Enter a valid email address"),
    ],
    ids=str,
)
def test_what_cannot_be_cut_is_said_at_its_field(bea, code, asked, text):
    edit_code(code, {"credits_per_learner": 40})

    page = cut(bea, code, **asked)

    assert text in words(text_of(page))
    assert (code.balance(), code.children.count()) == (100, 0)


def test_what_is_unused_is_taken_back_once(bea, code):
    text = text_shown(cut(bea, code))
    child = code.children.get()
    course = make_training("Course", credits=10)
    place_order(make_learner(), (course.product, 1), text=text)
    address = url("-child-back", code.pk, child.pk)
    page = bea.client.get(address)
    assert "20 credits can go back" in words(text_of(page))

    too_many = bea.client.post(address, {**fields(page), "credits": 21})
    form = {**fields(page), "credits": 15}
    done = bea.client.post(address, form, follow=True)
    bea.client.post(address, form)

    assert "So many can" in text_of(too_many)
    assert "15 credits are back." in words(text_of(done))
    assert (code.balance(), child.balance()) == (85, 5)
    assert_balanced()


def test_a_child_has_none_and_one_of_somebody_else_is_not_there(bea, code, beta):
    cut(bea, code)
    child = code.children.get()

    assert "can't be moved" in words(text_of(bea.client.get(url("-cut", child.pk))))
    for name in ("-child-back", "-child-text"):
        assert bea.client.get(url(name, code.pk, beta.code.pk)).status_code == 404
        assert beta.client.get(url(name, code.pk, child.pk)).status_code == 404
        assert beta.client.get(url(name, beta.code.pk, child.pk)).status_code == 404
    assert beta.client.post(url("-child-back", code.pk, child.pk)).status_code == 404
    assert child.balance() == 30
