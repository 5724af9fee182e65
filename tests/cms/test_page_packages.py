"""With packages that serve, move and vary pages, each where it is installed."""

from __future__ import annotations

import hashlib
import hmac
from contextlib import contextmanager
from importlib.util import find_spec

import pytest
from django.conf import settings
from django.test import Client
from wagtail import VERSION

from oscar_training_credits.cms import checks
from oscar_training_credits.test.factories import make_learner
from sandbox.academy.models import CoursePage

from ..support.editors import Editor, admin
from ..support.orders import place_order
from ..support.pages import SECRET, with_text_for_members
from ..support.shop import Learner, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

HIDDEN = "The answer is forty-two"


def needs(package):
    reason = f"{package} is not installed"
    return pytest.mark.skipif(not find_spec(package), reason=reason)


@pytest.fixture
def sold(course):
    return with_text_for_members(course, HIDDEN)


def buyer_of(sold):
    buyer = Learner(make_learner())
    place_order(buyer.user, (sold.product, 1))
    return buyer.client


# wagtail-machine-readable


@needs("wagtail_machine_readable")
@pytest.mark.parametrize("who", ["a stranger", "a buyer"])
@pytest.mark.parametrize("place", ["/llms-full.txt", "/llms.txt", "{page}.md"])
def test_what_machines_read_holds_nothing_restricted(sold, who, place):
    client = buyer_of(sold) if who == "a buyer" else Client()

    answer = client.get(place.format(page=sold.url.rstrip("/")))

    text = text_of(answer)
    assert answer.status_code == 200
    assert sold.title in text
    assert "For everybody" in text or place == "/llms.txt"
    for secret in (SECRET, "Read this", HIDDEN):
        assert secret not in text


# wagtail-transfer


def signed(page):
    key, text = settings.WAGTAILTRANSFER_SECRET_KEY, str(page.pk)
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha1).hexdigest()
    return {"digest": digest, "recursive": "false"}


@needs("wagtail_transfer")
def test_another_site_gets_pages_as_they_are_stored(sold):
    address = f"/transfer/api/pages/{sold.pk}/"

    text = text_of(Client().get(address, signed(sold)))

    for secret in (SECRET, HIDDEN):
        assert secret in text
    assert Client().get(address, {"digest": "wrong"}).status_code == 403


@needs("wagtail_transfer")
def test_without_its_middleware_is_an_error(settings):
    assert checks.check_transfer(None) == []

    settings.MIDDLEWARE = [
        each for each in settings.MIDDLEWARE if "Transfer" not in each
    ]

    [message] = checks.check_transfer(None)
    assert message.id == "training_credits.E026"


# wagtail-cache


@pytest.fixture
def kept(monkeypatch, settings):
    """The sandbox's courses, for a while of a site that keeps all of its answers."""
    from wagtailcache.cache import WagtailCacheMixin

    monkeypatch.setattr(CoursePage, "cache_control", "public", raising=False)
    settings.MIDDLEWARE = [
        "wagtailcache.cache.UpdateCacheMiddleware",
        *settings.MIDDLEWARE,
        "wagtailcache.cache.FetchFromCacheMiddleware",
    ]
    with bases_of_courses(lambda before: (WagtailCacheMixin, *before)):
        yield


@contextmanager
def bases_of_courses(change):
    before = CoursePage.__bases__
    CoursePage.__bases__ = change(before)
    try:
        yield
    finally:
        CoursePage.__bases__ = before


@needs("wagtailcache")
def test_a_cache_keeps_no_training_page(sold, kept):
    buyer = buyer_of(sold)

    for client in (buyer, Client(), buyer, Client()):
        answer = client.get(sold.url)

        assert "private" in answer["Cache-Control"]
        assert answer["X-Wagtail-Cache"] == "skip"
        assert (SECRET in text_of(answer)) == (client is buyer)


@needs("wagtailcache")
def test_a_cache_keeps_of_a_shared_page_what_strangers_see(sold, kept, monkeypatch):
    monkeypatch.setattr(CoursePage, "is_shared", True)
    buyer = buyer_of(sold)

    shared = [client.get(sold.url) for client in (buyer, Client(), Client())]
    own = [client.get(f"{sold.url}?mine=1") for client in (buyer, Client())]

    assert [each["X-Wagtail-Cache"] for each in shared] == ["skip", "miss", "hit"]
    assert [each["X-Wagtail-Cache"] for each in own] == ["skip", "skip"]
    assert not any(SECRET in text_of(each) for each in shared)
    assert [SECRET in text_of(each) for each in own] == [True, False]


# wagtail-personalisation


@pytest.fixture
def personalised():
    """The sandbox's courses, for a while of a site that varies them."""
    from wagtail_personalisation.models import PersonalisablePageMixin

    with bases_of_courses(lambda before: (*before, PersonalisablePageMixin)):
        yield


@pytest.fixture
def variant(sold, personalised):
    """A variant of a course page, for those who are logged in."""
    from wagtail_personalisation.models import Segment
    from wagtail_personalisation.rules import UserIsLoggedInRule

    segment = Segment.objects.create(name="Logged in")
    UserIsLoggedInRule.objects.create(segment=segment, is_logged_in=True)
    course = CoursePage.objects.get(pk=sold.pk)
    copy = course.personalisation_metadata.copy_for_segment(segment)
    copy = CoursePage.objects.get(pk=copy.pk)
    copy.title = "For those who are logged in"
    copy.save_revision().publish()
    return CoursePage.objects.get(pk=copy.pk)


@needs("wagtail_personalisation")
def test_a_variant_sells_what_its_original_does(sold, variant):
    text = text_of(Learner(make_learner()).client.get(sold.url))

    assert variant.title in text
    assert "Purchase with 20 Credits" in text
    assert SECRET not in text
    assert "Purchase with 20 Credits" in text_of(Client().get(sold.url))


@needs("wagtail_personalisation")
def test_a_variant_opens_what_its_original_does(sold, variant):
    text = text_of(buyer_of(sold).get(sold.url))

    assert variant.title in text
    for secret in (SECRET, HIDDEN):
        assert secret in text


@needs("wagtail_personalisation")
@pytest.mark.skipif(
    VERSION >= (8, 0),
    reason="its hook for the user bar breaks each edit page of Wagtail 8",
)
@pytest.mark.filterwarnings("ignore:.construct_wagtail_userbar. hook")
def test_an_editor_of_a_variant_edits_no_terms(sold, variant):
    editor = Editor()

    text = text_of(editor.client.get(admin("edit", variant.pk)))
    editor.publish(variant, title="Better")

    assert f"This page is shown instead of “{sold.title}”." in text
    assert CoursePage.objects.get(pk=variant.pk).title == "Better"
    assert CoursePage.objects.get(pk=variant.pk).product is None
