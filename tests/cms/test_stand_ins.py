"""A page that is shown instead of another sells and opens what that one does."""

from __future__ import annotations

import pytest
from django.test import Client

from oscar_training_credits.test.factories import make_code, make_learner
from sandbox.academy.models import CoursePage

from ..support.editors import Editor, admin
from ..support.orders import place_order
from ..support.pages import SECRET, with_text_for_members
from ..support.shop import Learner, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

HIDDEN = "The answer is forty-two"
SLUG = "for-teams"


@pytest.fixture
def variant(course, monkeypatch):
    """A copy of a course page, that the site shows instead of it."""
    course = with_text_for_members(course, HIDDEN)
    own = CoursePage.stands_in_for

    def stands_in_for(page):
        return CoursePage.objects.get(pk=course.pk) if page.slug == SLUG else own(page)

    monkeypatch.setattr(CoursePage, "stands_in_for", stands_in_for)
    copy = course.copy(update_attrs={"slug": SLUG, "title": "For teams"})
    copy.save_revision().publish()
    return CoursePage.objects.get(pk=copy.pk)


def test_a_stranger_is_offered_what_the_original_sells(course, variant):
    answer = Client().get(variant.url)

    text = text_of(answer)
    assert "Purchase with 20 Credits" in text
    assert "private" in answer.headers["Cache-Control"]
    for secret in (SECRET, HIDDEN):
        assert secret not in text


def test_a_buyer_of_the_original_reads_the_lessons(course, variant):
    member = Learner(make_learner())
    place_order(member.user, (course.product, 1))

    text = text_of(member.client.get(variant.url))

    for secret in (SECRET, HIDDEN):
        assert secret in text


def test_it_is_bought_where_it_is_shown(course, variant):
    learner = Learner(make_learner())
    make_code(100, text="ACME-TEAM")
    learner.add(course.product)
    learner.apply("ACME-TEAM")
    learner.place()

    assert SECRET in text_of(learner.client.get(variant.url))


def test_it_has_no_product_of_its_own(course, variant):
    variant.follow_original()
    assert variant.product == course.product

    variant.save()
    variant.save_revision().publish()

    assert CoursePage.objects.get(pk=variant.pk).product is None
    assert variant.training == course.training


def test_it_follows_the_original_to_other_terms(course, variant):
    Editor().publish(course, credits="35")

    assert "Purchase with 35 Credits" in text_of(Client().get(variant.url))


def test_its_editor_is_told_where_the_terms_are(course, variant):
    editor = Editor()

    text = text_of(editor.client.get(admin("edit", variant.pk)))
    editor.publish(variant, title="Better")

    assert f"This page is shown instead of “{course.title}”." in text
    assert 'name="credits"' not in text
    assert CoursePage.objects.get(pk=variant.pk).title == "Better"
    assert "Purchase with 20 Credits" in editor.preview(variant)


def test_unpublishing_it_leaves_the_original_on_sale(course, variant):
    variant.unpublish()

    course.product.refresh_from_db()
    assert course.product.is_public
