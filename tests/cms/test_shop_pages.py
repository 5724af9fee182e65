"""What the shop shows of a page, and what editors read before it leaves the shop."""

from __future__ import annotations

import json

import pytest
from bs4 import BeautifulSoup
from django.apps import apps
from django.core.checks import run_checks
from django.urls import reverse
from oscar.core.loading import get_model
from wagtail.images.models import Image
from wagtail.images.tests.utils import get_test_image_file

from oscar_training_credits import api
from oscar_training_credits.test.factories import make_learner, make_product
from sandbox.academy.models import CoursePage
from sandbox.academy.seed.pages import make_folder

from ..support.editors import Editor, admin, chooser, in_bulk
from ..support.pages import course_index, make_course
from ..support.shop import Learner, text_of, words

Product = get_model("catalogue", "Product")
ProductClass = get_model("catalogue", "ProductClass")
Partner = get_model("partner", "Partner")

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def editor():
    return Editor()


@pytest.fixture
def shop(db):
    made = ProductClass.objects.create(
        name="Course", requires_shipping=False, track_stock=False
    )
    return {"product_class": made.pk, "partner": Partner.objects.create(name="Us").pk}


# The title of a new product


def window(editor, **query):
    shown = text_of(editor.client.get(chooser("choose"), query))
    return BeautifulSoup(json.loads(shown)["html"], "html.parser")


def test_a_new_product_begins_with_the_title_of_the_page(editor, shop):
    form = window(editor, page_title="Databases & more").select_one("#tab-create form")

    assert form.select_one("[name=title]")["value"] == "Databases & more"
    assert "page_title=Databases" in form["action"]


def test_the_window_is_opened_with_the_title_of_the_page(editor):
    page = text_of(editor.client.get(admin("edit", make_course(None).pk)))

    assert "linkedFields" in page
    assert "#id_title" in page


def test_a_product_without_a_title_gets_the_page_s(editor, shop):
    address = f"{chooser('create')}?page_title=Databases"

    made = editor.client.post(address, {"title": " ", "price": "", **shop}).json()

    assert Product.objects.get(pk=made["result"]["id"]).title == "Databases"


def test_an_editor_s_own_title_counts(editor, shop):
    address = f"{chooser('create')}?page_title=Databases"

    made = editor.client.post(address, {"title": "SQL", "price": "", **shop}).json()

    assert Product.objects.get(pk=made["result"]["id"]).title == "SQL"


@pytest.mark.parametrize(
    "title", ["", " ", "x" * 256, "a\0b"], ids=["none", "blank", "long", "nul"]
)
def test_a_title_that_is_none_is_asked_for(editor, shop, title):
    data = {"title": "", "price": "", **shop}

    shown = editor.client.post(
        f"{chooser('create')}?" + "page_title=" + title.replace("\0", "%00"), data
    )

    assert "htmlFragment" in shown.json()
    assert not Product.objects.exists()


# The shop's page


@pytest.fixture
def picture(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    # Tests that empty the tables take Wagtail's own collection away.
    return Image.objects.create(
        title="A desk", file=get_test_image_file(), collection=make_folder()
    )


def publish(page, **fields):
    for name, value in fields.items():
        setattr(page, name, value)
    page.save_revision().publish()
    return Product.objects.get(pk=page.product_id)


def test_the_shop_shows_text_and_picture_of_the_page(course, picture):
    Product.objects.update(description="")

    product = publish(course, intro="SQL <fast> & well", image=picture)

    assert product.description == "SQL &lt;fast&gt; &amp; well"
    copied = product.images.get()
    assert copied.caption == "A desk"
    assert copied.original.size == picture.file.size
    page = text_of(Learner().client.get(product.get_absolute_url()))
    assert "SQL &lt;fast&gt; &amp; well" in page


def test_what_staff_wrote_in_the_shop_stays(picture):
    product = make_product()
    Product.objects.filter(pk=product.pk).update(description="<p>By staff</p>")
    product.refresh_from_db()
    own = product.images.create(original=get_test_image_file(), caption="Own")

    product = publish(make_course(product), intro="By the page", image=picture)

    assert product.description == "<p>By staff</p>"
    assert list(product.images.all()) == [own]


def test_what_was_copied_once_is_not_copied_again(course, picture):
    publish(course, intro="First", image=picture)

    product = publish(course, intro="Second")

    assert product.description == "What it is about."
    assert product.images.count() == 1


def test_a_page_without_words_or_picture_leaves_the_product_blank(course, monkeypatch):
    monkeypatch.setattr(CoursePage, "shop_text", "")
    Product.objects.update(description="")

    product = publish(course)

    assert (product.description, product.images.count()) == ("", 0)


def test_a_picture_that_is_lost_does_not_keep_a_page_from_being_published(
    course, picture
):
    picture.file.storage.delete(picture.file.name)

    product = publish(course, image=picture)

    assert course.live
    assert product.is_public
    assert not product.images.exists()


def test_the_shop_s_page_links_to_the_page_of_the_course(course):
    page = text_of(Learner().client.get(course.product.get_absolute_url()))

    (link,) = BeautifulSoup(page, "html.parser").find_all(
        "a", string="See what is in it"
    )
    assert link["href"] == course.url


def test_a_product_without_a_page_links_nowhere():
    product = make_product()

    page = text_of(Learner().client.get(product.get_absolute_url()))

    assert "See what is in it" not in page


# Before a page is unpublished


def give(course, number):
    for _each in range(number):
        api.give_access(make_learner(), course.training, reason="Goodwill")


def confirmation(editor, page):
    return words(text_of(editor.client.get(admin("unpublish", page.pk))))


def bulk_confirmation(editor, *pages):
    address = reverse("wagtail_bulk_action", args=["wagtailcore", "page", "unpublish"])
    query = "&".join(f"id={page.pk}" for page in pages)
    return words(text_of(editor.client.get(f"{address}?{query}&next=/")))


def test_the_confirmation_says_what_goes_off_sale_and_who_keeps_it(editor, course):
    give(course, 2)

    said = confirmation(editor, course)

    assert f"“{course.product}” goes off sale. 2 learners have access, and keep" in said


def test_a_page_that_sells_nothing_says_nothing(editor):
    assert "goes off sale" not in confirmation(editor, make_course(None))


def test_what_is_off_sale_already_says_nothing(editor, course):
    Product.objects.update(is_public=False)

    assert "goes off sale" not in confirmation(editor, course)


def test_subpages_are_counted(editor, course):
    other = make_course(make_product("Another"), credits=5)
    give(course, 2)
    learner = make_learner()
    for each in (course, other):
        api.give_access(learner, each.training, reason="Goodwill")

    said = confirmation(editor, course_index())

    assert (
        "If you unpublish the subpages too: 2 products go off sale. 3 learners have"
        " access, and keep it."
    ) in said


def test_the_confirmation_for_several_pages_says_so_too(editor, course):
    other = make_course(make_product("Another"), credits=5)
    give(course, 1)

    said = bulk_confirmation(editor, course, other)

    assert f"“{course.product}” goes off sale. 1 learner has access, and keeps" in said
    assert "“Another” goes off sale. 0 learners have access, and keep it." in said


def test_the_confirmation_for_several_pages_counts_subpages(editor, course):
    said = bulk_confirmation(editor, course_index())

    assert "If you unpublish the subpages too: 1 product goes off sale." in said


def test_what_was_unpublished_with_subpages_is_told(editor, course):
    make_course(make_product("Another"), credits=5)
    give(course, 1)

    response = editor.client.post(
        admin("unpublish", course_index().pk), {"include_descendants": "1"}, follow=True
    )

    said = words(text_of(response))
    assert "2 products are off sale now. 1 learner keeps access." in said


def test_what_was_unpublished_in_bulk_is_told(editor, course):
    give(course, 3)

    response = in_bulk(editor, "unpublish", course)

    said = words(text_of(response))
    assert f"“{course.product}” is off sale now. 3 learners keep access." in said


# The order of the apps


def ids():
    return {message.id for message in run_checks(tags=["training_credits"])}


def test_the_order_of_apps_is_checked(monkeypatch):
    assert "training_credits.W008" not in ids()
    labels = ["wagtailadmin", *(each for each in apps.app_configs)]

    monkeypatch.setattr(
        apps, "app_configs", {each: apps.app_configs[each] for each in labels}
    )

    assert "training_credits.W008" in ids()
