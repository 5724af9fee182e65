"""Who used what: filters, pages, files, and what is held; for managers alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.shop.customer import credits_used
from oscar_training_credits.test.factories import make_learner, make_training

from ...support.orders import hold, place_order
from ...support.shop import csv_rows, text_of, words
from .conftest import TEXT

pytestmark = pytest.mark.django_db

USED = reverse("training_credits:my-credits-used")


@pytest.fixture
def used(code, beta):
    """Lee took a course, Ann bought two places of a path; Beta's Kim a course."""
    lee = make_learner(email="lee@acme.example", first_name="Lee", last_name="Learner")
    ann = make_learner(email="ann@acme.example", first_name="Ann")
    course = make_training("Django Foundations", credits=20)
    place_order(lee, (course.product, 1), text=TEXT)
    path = make_training("Web Path", credits=15)
    place_order(ann, (path.product, 2), text=TEXT)
    kim = make_learner(email="kim@beta.example", first_name="Kim")
    place_order(kim, (course.product, 1), text="BETA-TEAM-2026")


def titles(response) -> list[str]:
    return [row.title for row in response.context["uses"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["Web Path", "Django Foundations"]),
        ({"learner": "learner lee"}, ["Django Foundations"]),
        ({"learner": "ANN@acme"}, ["Web Path"]),
        ({"learner": "kim"}, []),
        ({"content": "path"}, ["Web Path"]),
        ({"last_day": "2020-01-01"}, []),
        ({"first_day": "2020-01-01"}, ["Web Path", "Django Foundations"]),
    ],
    ids=str,
)
def test_a_filter_finds_uses_and_the_file_follows_it(bea, used, query, found):
    assert titles(bea.client.get(USED, query)) == found

    lines = csv_rows(bea.client.get(USED, {**query, "as": "csv"}))
    assert [line[3] for line in lines[1:]] == found


def test_one_row_has_what_several_grants_paid(bea, code, used):
    api.add_grant(code, 5, expires_at=timezone.now() + timedelta(days=9))
    lee = make_learner(email="lou@acme.example")
    place_order(lee, (make_training("SQL", credits=9).product, 1), text=TEXT)

    [row] = bea.client.get(USED, {"content": "SQL"}).context["uses"]

    assert (row.credits, row.learner) == (9, "lou@acme.example")
    page = words(text_of(bea.client.get(USED)))
    assert "Web Path 2 places ACME 30" in page


def test_what_is_held_is_listed_until_it_lapses(bea, code, used):
    held = hold(make_learner(first_name="Hal"), code, 7)

    assert "Hal, Held: 7 credits (until" in words(text_of(bea.client.get(USED)))
    type(held).objects.update(expires_at=timezone.now())
    assert "Held now" not in text_of(bea.client.get(USED))


def test_long_lists_have_pages(bea, used, monkeypatch):
    monkeypatch.setattr(credits_used, "PAGE", 1)

    second = bea.client.get(USED, {"page": 2, "learner": "e"})

    assert titles(second) == ["Django Foundations"]
    assert "Page 2 of 2" in words(text_of(second))
    assert "learner=e&amp;page=1" in text_of(second)


@pytest.mark.parametrize(
    "query",
    [
        {"first_day": "never"},
        {"first_day": "2026-02-01", "last_day": "2026-01-01"},
        {"last_day": "9999-12-31"},
        {"learner": "x" * 201},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["", "csv"])
def test_bad_filters_are_named(bea, used, query, kind):
    page = bea.client.get(USED, {**query, "as": kind})

    assert page.context["form"].errors
    assert "uses" not in page.context


def test_somebody_elses_code_is_not_there(bea, used, beta):
    for number in (beta.code.pk, 999_999, "x", "9" * 30):
        assert bea.client.get(USED, {"code": number}).status_code == 404
    assert titles(beta.client.get(USED)) == ["Django Foundations"]
    assert "Beta" not in text_of(bea.client.get(USED))


def test_the_sheet_is_sent_as_well(bea, used):
    response = bea.client.get(USED, {"as": "xlsx"})

    assert response.getvalue()[:2] == b"PK"
