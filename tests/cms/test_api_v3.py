"""Wagtail's API, version 3, by which editors also write: no other way in."""

from __future__ import annotations

import pytest

pytest.importorskip("wagtail.api.v3")

from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from wagtail.models import APIToken

from oscar_training_credits import api
from oscar_training_credits.test.factories import make_learner

from ..support.editors import Editor, terms_of
from ..support.orders import place_order
from ..support.pages import SECRET, make_course, with_text_for_members
from ..support.shop import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

HIDDEN = "The answer is forty-two"
PAGES = "/api/v3/pages/"


@pytest.fixture
def sold(course):
    """A course page with a restricted field, and a restricted block in its body."""
    page = with_text_for_members(course, HIDDEN)
    call_command("wagtail_update_index", verbosity=0)
    return page


def caller(user):
    """Return a client that calls the API in the name of `user`."""
    _token, secret = APIToken.create_token(user=user, name="Test")
    return Client(headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture
def editor():
    return caller(Editor().user)


@pytest.fixture
def member(sold):
    user = make_learner()
    place_order(user, (sold.product, 1))
    return caller(user)


@pytest.mark.parametrize("who", ["a stranger", "member", "editor"])
def test_what_is_restricted_is_shown_to_nobody(request, sold, who):
    client = Client() if who == "a stranger" else request.getfixturevalue(who)
    listed = f"{PAGES}?type=academy.CoursePage"

    shown = {
        address: text_of(client.get(address, follow=True))
        for address in (
            f"{PAGES}{sold.pk}/",
            f"{PAGES}{sold.pk}/?version=draft",
            f"{PAGES}{sold.pk}/?fields=*&rich_text_format=db_html",
            f"{PAGES}{sold.pk}/revisions/{sold.latest_revision_id}/",
            f"{PAGES}find/?html_path={sold.url}",
            f"{listed}&fields=*",
            f"{listed}&lessons={SECRET}",
            f"{listed}&order=lessons",
            f"{listed}&search=forty-two",
        )
    }

    for secret in (SECRET, HIDDEN):
        assert not [address for address, text in shown.items() if secret in text]
    if who != "member":  # to whom a token lists what they may edit: nothing
        assert "For everybody" in shown[f"{PAGES}{sold.pk}/"]


def test_a_search_does_not_tell_what_is_restricted(sold):
    public = Client().get(PAGES, {"search": sold.title}).json()
    found = Client().get(PAGES, {"search": "forty-two"}).json()

    assert [item["id"] for item in public["items"]] == [sold.pk]
    assert found == {"items": [], "count": 0}


def test_a_second_page_that_sells_a_product_is_refused(editor, sold):
    other = make_course(None)
    other.unpublish()
    other.product, other.credits = sold.product, 50
    other.save_revision()
    own = f"{PAGES}{other.pk}/"

    answers = [
        editor.post(reverse("wagtailapi_v3:pages_actions_publish", args=[other.pk])),
        editor.patch(
            own,
            {"title": "Mine", "meta": {"action": "publish"}},
            content_type="application/json",
        ),
    ]

    for answer in answers:
        assert answer.status_code == 422
        assert f"“{sold.title}” sells its product already" in text_of(answer)
    other.refresh_from_db()
    assert not other.live
    assert terms_of(sold.product) == (20, False, None)


def test_who_writes_a_title_does_not_undo_what_the_shop_changed(editor, sold):
    api.sell_as_training(sold.product, credits=35)
    written = {"title": "Better", "meta": {"action": "publish"}}

    editor.patch(f"{PAGES}{sold.pk}/", written, content_type="application/json")

    sold.refresh_from_db()
    assert (sold.title, sold.credits) == ("Better", 35)
    assert terms_of(sold.product) == (35, False, None)
