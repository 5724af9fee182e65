"""What only learners with access may see is nowhere for anybody else."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from urllib.parse import urljoin, urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from haystack.query import SearchQuerySet
from wagtail.api import APIField
from wagtail.models import Comment
from wagtail.search import index
from wagtail.search.backends import get_search_backend
from wagtail.search.models import IndexEntry

from oscar_training_credits.cms.checks import check_pages
from oscar_training_credits.credits.models import Access
from oscar_training_credits.test.factories import make_code, make_learner, make_product
from sandbox.academy.models import CoursePage, PathPage, PlanPage
from sandbox.academy.seed.courses import COURSES
from sandbox.academy.seed.pages import make_image
from sandbox.academy.seed.people import PASSWORD

from ..support.pages import course_index, make_course
from ..support.shop import Learner, text_of
from ..urls import HAS_API_V3

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.any_database,
    # Wagtail leaves the temporary file of each picture that it scales open.
    pytest.mark.filterwarnings(
        "ignore:.*(SpooledTemporaryFile|_io.FileIO):pytest.PytestUnraisableExceptionWarning"
    ),
]

SECRET = "Marmalade keeps for eleven years"
WORD, BEGINNING = "marmalade", "marmal"
PUBLIC = "Preserves"
APIS = ["/api/v2/", *(["/api/v3/"] if HAS_API_V3 else [])]
SKIPPED = re.compile(r"^/(static|media|cms|django-admin)/|/logout/")


@pytest.fixture
def jam():
    """A course about preserves whose lesson holds the secret."""
    jam = make_course(make_product("Jam", "240.00"), credits=20)
    jam.title, jam.intro = f"{PUBLIC} for beginners", "From fruit to jar."
    jam.lessons = [("text", f"<p>{SECRET}.</p>")]
    jam.save_revision().publish()
    return jam


@pytest.fixture
def indexed(jam):
    call_command("wagtail_update_index", verbosity=0)
    call_command("rebuild_index", interactive=False, verbosity=0)


@pytest.fixture
def buyer(jam):
    """A learner who bought the course."""
    buyer = Learner(make_learner())
    make_code(100, text="ACME-TEAM")
    buyer.add(jam.product)
    buyer.apply("ACME-TEAM")
    buyer.place()
    return buyer


@pytest.fixture(params=["a stranger", "a learner", "staff"])
def visitor(request):
    """Somebody without access."""
    if request.param == "a stranger":
        return Client()
    is_staff = request.param == "staff"
    return Learner(make_learner(is_staff=is_staff, is_superuser=is_staff)).client


def crawl(client, *starts):
    """Return the text of all pages that links lead to, by address."""
    seen, waiting = {}, list(starts)
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        response = client.get(address)
        if response.status_code in {301, 302}:
            seen[address] = ""
            waiting += links(address, f'href="{response.url}"')
            continue
        kind = response.headers["Content-Type"].partition(";")[0]
        is_text = not kind.startswith("image/")
        seen[address] = text_of(response) if is_text else ""
        waiting += links(address, seen[address])
        waiting += questions(address)
    return seen


def links(here, text):
    found = re.findall(r'(?:href|src|action)="([^"]+)"|<(?:link|loc)>([^<]+)</', text)
    found += re.findall(r'"(?:html|detail)_url": ?("([^"]+)")', text)
    for each in found:
        parts = urlsplit(urljoin(here, unescape(each[0].strip('"') or each[1])))
        address = parts._replace(scheme="", netloc="", fragment="").geturl()
        is_ours = (parts.hostname or "testserver") in {"testserver", "localhost"}
        if is_ours and address.startswith("/") and not SKIPPED.search(address):
            yield address


def questions(address):
    """Yield what a stranger may ask an address that was found, which no link does."""
    if address.endswith("/"):
        if address.startswith("/api/v2/"):
            yield f"{address}?fields=*"
        elif address.startswith("/api/v3/"):
            yield f"{address}?version=draft"
        elif address.startswith(("/courses/", "/paths/", "/plans/")):
            yield f"{address}?mine=1"
            yield f"{address}?mode=with-access&is_preview=1"


def sentences():
    """Return the first sentence of each lesson of the sandbox's courses."""
    for course in COURSES:
        for lesson in course.lessons:
            yield unescape(strip_tags(lesson.text)).partition(".")[0][:60]


def hidden(page):
    """Return what the restricted block of a seeded page holds."""
    return f"Only learners read {page.slug}"


def training_pages():
    """Yield what the seeded site sells: its courses, its path and its plan."""
    for model in (CoursePage, PathPage, PlanPage):
        yield from model.objects.live()


@pytest.fixture
def seeded():
    call_command("seed_sandbox", verbosity=0)
    for page in training_pages():
        block = ("members", [("text", f"<p>{hidden(page)}</p>")])
        page.body = [*((each.block_type, each.value) for each in page.body), block]
        page.save_revision().publish()
    call_command("wagtail_update_index", verbosity=0)


def starts():
    """Return where a stranger begins who knows the software, but not the site."""
    yield from ["/", "/courses.rss", "/shop/", "/sitemap.xml", "/robots.txt"]
    for api in APIS:
        yield from [f"{api}pages/", f"{api}pages/?type=academy.CoursePage&fields=*"]
    for word in ("Django", "security", "query", "lesson", "learners"):
        yield f"/search/?q={word}"
        yield f"/shop/search/?q={word}"
        yield from [f"{api}pages/?search={word}" for api in APIS]


@pytest.mark.parametrize("is_shared", [False, True], ids=["", "shared"])
@pytest.mark.parametrize("email", [None, "learner@example.com"], ids=["", "learner"])
def test_nothing_restricted_is_anywhere_on_the_seeded_site(
    seeded, email, is_shared, monkeypatch
):
    for model in (CoursePage, PathPage, PlanPage):
        monkeypatch.setattr(model, "is_shared", is_shared)
    client = Client()
    if email:
        assert client.login(username=email, password=PASSWORD)
    sold = list(training_pages())
    secrets = [*sentences(), *map(hidden, sold)]

    pages = crawl(client, *starts())

    leaks = {
        (address, secret)
        for address, text in pages.items()
        for secret in secrets
        if secret in unescape(strip_tags(text))
    }
    assert not leaks
    for page in sold:
        assert {page.get_url(), f"{page.get_url()}?mine=1"} <= set(pages)
        assert page.product.get_absolute_url() in pages
        assert {f"{api}pages/{page.pk}/" for api in APIS} <= set(pages)
        assert page.get_full_url() in pages["/sitemap.xml"]
    assert "/shop/basket/" in pages
    assert [each for each in pages if each.startswith("/shop/catalogue/category/")]
    assert len(secrets) > 2 * len(COURSES)


def test_what_is_restricted_on_the_seeded_site_is_there_for_those_with_access(seeded):
    """Without this the search for it above would prove nothing."""
    course = COURSES[0]
    learner = Learner(make_learner())
    page = CoursePage.objects.get(slug=course.slug)
    learner.add(page.product)
    learner.apply("ACME-TEAM-2026")
    learner.place()

    text = unescape(strip_tags(text_of(learner.client.get(page.url))))

    assert hidden(page) in text
    for lesson in course.lessons:
        assert unescape(strip_tags(lesson.text)).partition(".")[0][:60] in text


def places(jam):
    api = reverse("wagtailapi:pages:listing")
    detail = reverse("wagtailapi:pages:detail", args=[jam.pk])
    return [
        jam.url,
        course_index().url,
        "/",
        f"/search/?q={WORD}",
        f"/search/?q={BEGINNING}",
        f"/search/?q={PUBLIC}",
        "/courses.rss",
        f"{api}?type=academy.CoursePage&fields=*",
        f"{api}?type=academy.CoursePage&fields=lessons",
        f"{api}?type=academy.CoursePage&fields=_,lessons",
        f"{api}?type=academy.CoursePage&lessons={SECRET}",
        f"{api}?type=academy.CoursePage&order=lessons",
        f"{api}?search={WORD}&fields=*",
        f"{api}find/?html_path={jam.url}&fields=*",
        f"{detail}?fields=*",
        f"{detail}?fields=lessons",
        jam.product.get_absolute_url(),
        "/shop/catalogue/",
        f"/shop/search/?q={WORD}",
        f"/shop/search/?q={PUBLIC}",
        reverse("training_credits:my-training"),
    ]


def test_the_secret_is_in_none_of_the_places_that_show_a_course(visitor, jam, indexed):
    shown = {place: text_of(visitor.get(place, follow=True)) for place in places(jam)}

    assert not [place for place, text in shown.items() if SECRET in text]
    showing = sum(jam.title in text for text in shown.values())
    assert showing >= (8 if search_sees_uncommitted() else 7)


@pytest.mark.parametrize("typed", [WORD, BEGINNING, f'"{SECRET}"'])
def test_a_search_for_the_secret_finds_nothing(visitor, jam, indexed, typed):
    api = reverse("wagtailapi:pages:listing")

    site = visitor.get("/search/", {"q": typed})
    answer = visitor.get(api, {"search": typed}).json()

    assert list(site.context["results"]) == []
    assert answer["meta"]["total_count"] == 0


def search_sees_uncommitted():
    """MariaDB's full-text index holds a row only after its transaction's commit."""
    return connection.vendor != "mysql"


def test_a_search_for_what_is_public_finds_the_course(visitor, jam, indexed):
    if not search_sees_uncommitted():
        pytest.skip("MariaDB's full-text index holds rows only after the commit")
    site = visitor.get("/search/", {"q": PUBLIC})

    assert [found.pk for found in site.context["results"]] == [jam.pk]


@pytest.mark.parametrize("query", ["fields=lessons", "lessons=x", "order=lessons"])
def test_the_api_knows_no_restricted_field(visitor, jam, query):
    api = reverse("wagtailapi:pages:listing")

    response = visitor.get(f"{api}?type=academy.CoursePage&{query}")

    assert response.status_code == 400


def test_the_search_indexes_hold_no_secret(indexed):
    rows = IndexEntry.objects.values("title", "autocomplete", "body")
    backend = get_search_backend()

    assert "preserve" in str(list(rows)).lower()
    assert BEGINNING not in str(list(rows)).lower()
    assert not list(backend.search(WORD, CoursePage))
    assert not list(backend.autocomplete(BEGINNING, CoursePage))
    assert SearchQuerySet().filter(content="jam").count() == 1
    assert SearchQuerySet().filter(content=WORD).count() == 0


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_no_method_brings_it_out(visitor, jam, method):
    response = getattr(visitor, method)(jam.url)

    assert response.status_code in {200, 405}
    assert SECRET not in text_of(response)


@pytest.mark.parametrize("method", ["head", "options"])
def test_a_question_about_the_page_is_answered_without_its_text(jam, buyer, method):
    response = getattr(buyer.client, method)(jam.url)

    assert response.status_code == 200
    assert response.content == b""


@pytest.mark.parametrize(
    "query",
    [
        {"mode": "with-access"},
        {"preview_mode": "with-access", "is_preview": "True", "preview": "1"},
        {"mode": "with-access", "in_preview_panel": "true"},
    ],
    ids=str,
)
def test_nobody_talks_the_page_into_a_preview(visitor, jam, query):
    assert SECRET not in text_of(visitor.get(jam.url, query))
    assert SECRET not in text_of(visitor.post(jam.url, query))


@pytest.mark.parametrize("who", ["a stranger", "a learner"])
@pytest.mark.parametrize(
    "name", ["view_draft", "preview_on_edit", "edit", "history", "revisions_view"]
)
def test_only_editors_come_to_the_drafts_and_previews(jam, who, name):
    client = Client() if who == "a stranger" else Learner(make_learner()).client
    args = [jam.pk]
    if name == "revisions_view":
        args.append(jam.latest_revision_id)

    response = client.get(
        reverse(f"wagtailadmin_pages:{name}", args=args), {"mode": "with-access"}
    )

    assert response.status_code == 302
    assert "/cms/login/" in response.url


def test_the_editors_api_is_closed_to_learners(jam):
    learner = Learner(make_learner())

    response = learner.client.get(f"/cms/api/main/pages/{jam.pk}/?fields=*")

    assert response.status_code in {302, 403}
    assert SECRET not in text_of(response)


# With access, and when it is over


def test_a_learner_with_access_sees_it(jam, buyer):
    assert SECRET in text_of(buyer.client.get(jam.url))


def test_access_shows_the_lessons_on_their_page_only(jam, buyer, indexed):
    elsewhere = [place for place in places(jam) if place != jam.url]

    shown = {
        place: text_of(buyer.client.get(place, follow=True)) for place in elsewhere
    }

    assert not [place for place, text in shown.items() if SECRET in text]


@pytest.mark.parametrize(
    ("starts", "ends", "sees"),
    [
        (-2, None, True),
        (-2, 1, True),
        (-2, -1, False),
        (1, 2, False),
        (1, None, False),
    ],
    ids=["for ever", "running", "ended", "not begun", "for ever, not begun"],
)
def test_access_opens_the_page_as_long_as_it_lasts(jam, buyer, starts, ends, sees):
    now = timezone.now()
    Access.objects.update(
        starts_at=now + timedelta(days=starts),
        ends_at=now + timedelta(days=ends) if ends else None,
    )

    assert (SECRET in text_of(buyer.client.get(jam.url))) == sees


def test_access_to_another_course_does_not_open_this_one(jam, buyer):
    other = make_course(make_product("Bread", "240.00"), credits=20)
    Access.objects.update(training=other.training)

    assert SECRET not in text_of(buyer.client.get(jam.url))


def test_a_bought_course_is_closed_after_logging_out(jam, buyer):
    buyer.client.logout()

    assert SECRET not in text_of(buyer.client.get(jam.url))


def test_a_page_whose_product_is_taken_away_is_closed_to_all(jam, buyer):
    CoursePage.objects.update(product=None)

    assert SECRET not in text_of(buyer.client.get(jam.url))


# Caches


@pytest.mark.parametrize("method", ["get", "head", "post"])
@pytest.mark.parametrize("who", ["a stranger", "the buyer"])
def test_no_cache_keeps_a_page_for_somebody_else(jam, buyer, who, method):
    client = buyer.client if who == "the buyer" else Client()

    response = getattr(client, method)(jam.url)

    control = re.split(r",\s*", response.headers["Cache-Control"])
    assert {"private", "no-cache"} <= set(control)
    assert "public" not in control
    assert "Cookie" in re.split(r",\s*", response.headers["Vary"])


def test_a_page_is_never_answered_with_not_modified(jam, buyer):
    """A learner whose access ended must not go on reading a stored copy."""
    response = buyer.client.get(jam.url)

    assert "ETag" not in response.headers
    assert "Last-Modified" not in response.headers


# Restricted fields of all kinds


def restrict(monkeypatch, *names):
    monkeypatch.setattr(CoursePage, "restricted_fields", names)


@pytest.mark.parametrize(
    ("name", "empty"),
    [("level", ""), ("intro", ""), ("access_days", None), ("go_live_at", None)],
)
def test_a_restricted_field_is_empty_for_strangers(jam, monkeypatch, name, empty):
    restrict(monkeypatch, name)

    shown = Client().get(jam.url).context["page"]

    assert getattr(shown, name) == empty


def test_a_restricted_picture_is_not_shown_to_strangers(jam, buyer, monkeypatch):
    restrict(monkeypatch, "image")
    jam.image = make_image("Jars", palette=["#ffffff", "#000000"] * 3, motif="lights")
    jam.save()

    assert "course-picture" not in text_of(Client().get(jam.url))
    assert "course-picture" in text_of(buyer.client.get(jam.url))


def test_restricted_rows_of_a_page_are_not_shown_and_not_deleted(jam, monkeypatch):
    restrict(monkeypatch, "wagtail_admin_comments")
    user = make_learner()
    Comment.objects.create(page=jam, user=user, text="x", contentpath="title")

    shown = Client().get(jam.url).context["page"]

    assert list(shown.wagtail_admin_comments.all()) == []
    assert Comment.objects.count() == 1


def test_rows_that_cannot_be_hidden_are_neither_shown_nor_changed(jam, monkeypatch):
    restrict(monkeypatch, "aliases")
    alias = jam.create_alias(update_slug="jam-again")

    with pytest.raises(ImproperlyConfigured, match="'aliases' is not part of the page"):
        Client().get(jam.url)

    alias.refresh_from_db()
    assert alias.alias_of_id == jam.pk


# System checks


def messages():
    return [(message.id, message.msg) for message in check_pages(None)]


def test_the_sandbox_keeps_its_lessons_from_searches_and_the_api():
    assert messages() == []


def test_a_restricted_field_that_is_none_is_reported(monkeypatch):
    restrict(monkeypatch, "lessons", "lesons")

    [(id, text)] = messages()

    assert id == "training_credits.E020"
    assert "'lesons'" in text


def test_restricted_rows_that_cannot_be_hidden_are_reported(monkeypatch):
    restrict(monkeypatch, "lessons", "aliases")

    [(id, text)] = messages()

    assert id == "training_credits.E022"
    assert "'aliases'" in text


@pytest.mark.parametrize(
    ("attribute", "field"),
    [
        ("search_fields", index.SearchField("lessons")),
        ("search_fields", index.AutocompleteField("lessons")),
        ("search_fields", index.FilterField("lessons")),
        ("search_fields", index.RelatedFields("lessons", [])),
        ("api_fields", APIField("lessons")),
        ("api_fields", "lessons"),
    ],
    ids=["search", "autocomplete", "filter", "related", "API field", "API name"],
)
def test_a_restricted_field_that_is_searched_or_served_is_reported(
    monkeypatch, attribute, field
):
    fields = [*getattr(CoursePage, attribute), field]
    monkeypatch.setattr(CoursePage, attribute, fields)

    [(id, text)] = messages()

    assert id == "training_credits.E021"
    assert f"CoursePage.{attribute} holds the restricted field 'lessons'" in text
