"""With wagtail-localize: translators translate texts, and nothing else."""

from __future__ import annotations

import pytest

pytest.importorskip("wagtail_localize")

from django.test import Client
from django.urls import reverse
from wagtail.models import Locale, Site
from wagtail_localize.models import (
    OverridableSegment,
    StringSegment,
    StringTranslation,
)

from oscar_training_credits.test.factories import (
    make_learner,
    make_product,
    make_training,
)
from sandbox.academy.models import CoursePage, HomePage

from ..support.editors import Editor, admin, streams, terms_of
from ..support.orders import place_order
from ..support.pages import SECRET, make_course, with_text_for_members
from ..support.shop import Learner, text_of

pytestmark = pytest.mark.django_db

HIDDEN = "The answer is forty-two"


@pytest.fixture
def editor():
    return Editor()


@pytest.fixture
def french(settings):
    settings.WAGTAIL_I18N_ENABLED = True
    settings.WAGTAIL_CONTENT_LANGUAGES = [("en-gb", "English"), ("fr", "French")]
    return Locale.objects.create(language_code="fr")


@pytest.fixture
def sold(course):
    """A course page with a text for everybody, and one for learners with access."""
    return with_text_for_members(course, HIDDEN)


@pytest.fixture
def translator(editor, french, django_capture_on_commit_callbacks):
    return Translator(editor, french, django_capture_on_commit_callbacks)


class Translator:
    """Somebody who puts "FR" in front of all texts that they are shown."""

    def __init__(self, editor, french, committed):
        self.editor, self.french, self.committed = editor, french, committed
        editor.user.is_superuser = True
        editor.user.save()

    def submit(self, page):
        self.make_aliases(page.get_ancestors())
        address = reverse("wagtail_localize:submit_page_translation", args=[page.pk])
        self.editor.client.post(address, {"locales": [self.french.pk]})
        return CoursePage.objects.get(locale=self.french)

    def make_aliases(self, pages):
        for page in pages.filter(depth__gt=1).specific():
            if not page.has_translation(self.french):
                page.copy_for_translation(self.french, alias=True)

    def texts(self):
        return set(StringSegment.objects.values_list("string__data", flat=True))

    def translate(self):
        for segment in StringSegment.objects.select_related("string", "context"):
            StringTranslation.objects.update_or_create(
                translation_of=segment.string,
                locale=self.french,
                context=segment.context,
                defaults={"data": f"FR {segment.string.data}"},
            )

    def publish(self, page):
        self.translate()
        with self.committed(execute=True):
            self.editor.client.post(admin("edit", page.pk), {"action": "publish"})
        return CoursePage.objects.get(pk=page.pk)


def test_only_texts_are_translated(translator, sold):
    translator.submit(sold)

    assert translator.texts() == {
        sold.title,
        sold.slug,
        sold.intro,
        "For everybody",
        HIDDEN,
        SECRET,
        "Read this.",
    }
    assert not OverridableSegment.objects.exists()


@pytest.mark.parametrize("is_alias", [False, True], ids=["new", "was an alias"])
def test_a_translation_sells_the_same_on_the_same_terms(translator, sold, is_alias):
    if is_alias:
        translator.make_aliases(sold.get_ancestors(inclusive=True))

    translated = translator.publish(translator.submit(sold))

    assert (translated.live, translated.alias_of) == (True, None)
    assert translated.title == f"FR {sold.title}"
    assert (translated.product, translated.terms) == (sold.product, sold.terms)
    assert terms_of(sold.product) == (20, False, None)


@pytest.mark.parametrize("was_live", [False, True], ids=["draft", "unpublished"])
def test_a_translation_puts_nothing_on_sale_while_its_source_is_not_live(
    translator, sold, was_live
):
    product = sold.product
    translation = translator.submit(sold)
    sold.unpublish()
    if not was_live:
        sold.product.training.delete()

    translated = translator.publish(translation)

    product.refresh_from_db()
    assert (translated.live, translated.product) == (True, product)
    assert not product.is_public
    translator.editor.publish(sold)
    product.refresh_from_db()
    assert product.is_public
    assert terms_of(product) == (20, False, None)


def test_what_is_restricted_is_translated_and_stays_restricted(
    translator, sold, settings
):
    member = Learner(make_learner())
    place_order(member.user, (sold.product, 1))

    translated = translator.publish(translator.submit(sold))
    site = Site.objects.get()
    site.root_page = HomePage.objects.get(locale=translator.french)
    site.save()
    settings.WAGTAIL_I18N_ENABLED = False  # it serves French pages, and no others

    closed, opened = (
        text_of(client.get(translated.url)) for client in (Client(), member.client)
    )
    assert "FR For everybody" in closed
    for text in (HIDDEN, SECRET):
        assert text not in closed
        assert f"FR {text}" in opened
        assert text not in text_of(Client().get(f"/api/v2/pages/{translated.pk}/"))


def test_a_translation_of_an_older_version_does_not_bring_its_terms_back(
    translator, sold
):
    translated = translator.publish(translator.submit(sold))
    translator.editor.publish(sold, credits="35")

    translated = translator.publish(translated)

    assert translated.credits == 35
    assert terms_of(sold.product) == (35, False, None)


def test_the_courses_of_a_path_are_its_sources(translator):
    first, second = make_training("First"), make_training("Second")
    path = make_course(make_product("A path"))
    editor = translator.editor
    editor.publish(path, kind="path", credits="60", **streams([second, first]))

    translated = translator.publish(translator.submit(path))

    assert translated.terms["path_courses"] == (second, first)
    assert not OverridableSegment.objects.exists()
    assert path.training.listed_courses() == (second, first)
