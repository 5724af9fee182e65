"""The life of a training page, and what becomes of what it sells."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_model
from wagtail.models import GroupApprovalTask, Locale, Page, Workflow, WorkflowTask

from oscar_training_credits import api
from oscar_training_credits.cms.content import course_pages
from oscar_training_credits.cms.exceptions import AlreadySold
from oscar_training_credits.credits.models import TermsChange, TrainingProduct
from oscar_training_credits.shop.catalogue.content_links import content_links
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)
from sandbox.academy.models import CourseIndexPage, CoursePage

from ..support.editors import (
    Editor,
    admin,
    chooser,
    complaints,
    in_bulk,
    product_form,
    streams,
    terms_of,
)
from ..support.pages import make_course
from ..support.racing import at_once
from ..support.shop import Learner, text_of, words

Product = get_model("catalogue", "Product")
ProductClass = get_model("catalogue", "ProductClass")
Partner = get_model("partner", "Partner")
Range = get_model("offer", "Range")

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def editor():
    return Editor()


@pytest.fixture
def everything():
    return Range.objects.create(name="Everything", includes_all_products=True)


def is_on_sale(product):
    """Tell whether a learner who knows the address can put it into a basket."""
    learner = Learner(make_learner())
    learner.add(product)
    return learner.client.get("/").wsgi_request.basket.num_items == 1


# Paths and plans


def test_an_editor_sells_a_path(editor):
    first, second = make_training("First"), make_training("Second")
    page = make_course(make_product("A path"))

    editor.publish(page, kind="path", credits="60", **streams([second, first]))

    path = TrainingProduct.objects.get(product=page.product)
    assert path.kind == "path"
    assert path.listed_courses() == (second, first)


def test_an_editor_sells_a_plan(editor, everything):
    page = make_course(make_product("A plan"))

    editor.publish(page, kind="plan", plan_content=everything.pk, credits="120")

    plan = TrainingProduct.objects.get(product=page.product)
    assert (plan.kind, plan.plan_content) == ("plan", everything)


def test_what_only_another_kind_needs_is_dropped(editor, course, everything):
    listed = streams([make_training()])

    editor.publish(course, plan_content=everything.pk, **listed)

    assert course.training.plan_content is None
    assert (course.plan_content, len(course.path_courses)) == (None, 0)


def test_the_list_of_a_path_is_a_draft_until_it_is_published(editor):
    first, second = make_training("First"), make_training("Second")
    page = make_course(make_product("A path"))
    editor.publish(page, kind="path", credits="60", **streams([first]))

    editor.save(page, **streams([second]))

    assert page.training.listed_courses() == (first,)
    draft = page.get_latest_revision_as_object()
    assert draft.terms["path_courses"] == (second,)


def test_a_path_can_not_contain_itself(editor, course):
    response = editor.publish(course, kind="path", **streams([course.training]))

    assert complaints(response) == {"path_courses": ["A path can't contain itself."]}


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"kind": "plan"}, "plan_content"),
        ({"kind": "path"}, "path_courses"),
        ({"access_days": "3", "access_until": "2027-01-01"}, "access_days"),
        (
            {"access_from": "2027-01-02", "access_until": "2027-01-01"},
            "access_until",
        ),
        ({"access_from": "soon"}, "access_from"),
        ({"kind": "bundle"}, "kind"),
        ({"credit_only": "on", "credits": ""}, "credits"),
    ],
    ids=str,
)
def test_terms_that_make_no_sense_are_refused_at_their_field(
    editor, course, typed, field
):
    response = editor.publish(course, **typed)

    assert list(complaints(response)) == [field]
    assert terms_of(course.product) == (20, False, None)


def test_a_course_of_a_path_can_not_become_a_path(editor, course):
    make_training("A path", kind="path", path_courses=(course.training,))
    listed = streams([make_training("Another")])

    response = editor.publish(course, kind="path", **listed)

    assert list(complaints(response)) == ["kind"]


def test_a_draft_may_be_unfinished(editor, course):
    response = editor.save(course, kind="plan", credit_only="on", credits="")

    assert response.status_code == 302
    assert terms_of(course.product) == (20, False, None)


# On sale and off


def test_a_scheduled_page_sells_nothing_until_it_is_live(editor):
    product = make_product()
    page = make_course(None)
    page.unpublish()
    tomorrow = timezone.now() + timedelta(days=1)

    editor.publish(
        page,
        product=product.pk,
        credits="20",
        go_live_at=f"{tomorrow:%Y-%m-%d %H:%M}",
    )

    assert not TrainingProduct.objects.exists()


def test_publishing_is_on_record_with_who_did_it(editor, course):
    TermsChange.objects.all().delete()

    editor.publish(course, credits="35")

    change = TermsChange.objects.get()
    assert (change.term, change.before, change.after) == ("credits", "20", "35")
    assert change.changed_by == editor.user


def test_an_unpublished_page_takes_its_product_off_sale(editor, course):
    learner = Learner(make_learner())
    api.give_access(learner.user, course.training, reason="Goodwill")

    editor.client.post(admin("unpublish", course.pk))

    assert not is_on_sale(course.product)
    assert api.has_access(learner.user, course.training)
    assert terms_of(course.product) == (20, False, None)


def test_unpublishing_says_that_it_is_off_sale_and_who_keeps_it(editor, course):
    for _each in range(2):
        api.give_access(make_learner(), course.training, reason="Goodwill")

    response = editor.client.post(admin("unpublish", course.pk), follow=True)

    said = words(text_of(response))
    assert f"“{course.product}” is off sale now. 2 learners keep access." in said


def test_unpublishing_says_nothing_of_what_another_page_sells_on(
    editor, course, translation
):
    editor.publish(translation)

    response = editor.client.post(admin("unpublish", course.pk), follow=True)

    assert "is off sale now" not in words(text_of(response))


def test_whoever_has_what_is_off_sale_is_sent_to_a_page_that_is_there(editor, course):
    learner = Learner(make_learner())
    api.give_access(learner.user, course.training, reason="Goodwill")
    editor.client.post(admin("unpublish", course.pk))

    training = TrainingProduct.objects.get()
    link = course_pages([training])[training.pk]

    assert learner.client.get(link).status_code == 200


@pytest.fixture
def page_outside_every_site(course):
    """Live, and sells, but no site's root is above it."""
    root = Page.objects.get(depth=1)
    outside = root.add_child(instance=Page(title="Old", slug="old"))
    course.move(outside, pos="last-child")
    return CoursePage.objects.get(pk=course.pk)


def test_a_page_outside_every_site_gives_way_to_the_products_own(
    page_outside_every_site, course, mailoutbox, django_capture_on_commit_callbacks
):
    learner = Learner(make_learner())
    make_code(100, text="ACME-TEAM")
    learner.add(course.product)
    learner.apply("ACME-TEAM")
    with django_capture_on_commit_callbacks(execute=True):
        learner.place()

    thanked = text_of(learner.client.get(reverse("checkout:thank-you")))
    order = reverse("customer:order", args=[learner.order().number])
    listed = text_of(learner.client.get(reverse("training_credits:my-training")))
    ordered = text_of(learner.client.get(order))

    mailed = str(mailoutbox[0].alternatives[0][0])
    for page in (thanked, listed, ordered, mailed):
        assert f'{course.product.get_absolute_url()}"' in page
        assert 'None"' not in page


def test_the_sandbox_lists_no_page_outside_every_site(page_outside_every_site, client):
    call_command("wagtail_update_index", verbosity=0)
    feed = client.get(reverse("course_feed"))
    found = client.get(reverse("site_search"), {"q": page_outside_every_site.title})

    assert feed.status_code == 200
    assert "None" not in text_of(feed)
    assert 'href="None"' not in text_of(found)


@pytest.mark.parametrize("locator", ["knows_none", "knows_nothing"])
def test_where_a_locator_has_no_address_it_is_the_products_own(
    settings, course, locator
):
    settings.TRAINING_CREDITS_CONTENT_LOCATOR = f"{__name__}.{locator}"

    links = content_links([course.training])

    assert links == {course.training.pk: course.product.get_absolute_url()}


def knows_none(trainings):
    return {each.pk: None for each in trainings}


def knows_nothing(trainings):
    return {}


def test_the_list_of_training_does_not_link_to_itself(editor, course):
    learner = Learner(make_learner())
    api.give_access(learner.user, course.training, reason="Goodwill")
    editor.client.post(admin("unpublish", course.pk))

    page = text_of(learner.client.get(reverse("training_credits:my-training")))

    row = page.partition('<th scope="row">')[2].partition("</th>")[0]
    assert row == course.product.title


def test_what_is_in_a_basket_can_not_be_bought_once_it_is_off_sale(editor, course):
    learner = Learner(make_learner())
    make_code(100, text="ACME-TEAM")
    learner.add(course.product)
    learner.apply("ACME-TEAM")
    shown = learner.preview()

    editor.client.post(admin("unpublish", course.pk))
    learner.place(shown)

    assert learner.order() is None


def test_publishing_again_puts_it_on_sale_again(editor, course):
    editor.client.post(admin("unpublish", course.pk))

    editor.publish(course)

    assert is_on_sale(course.product)


def test_what_staff_took_off_sale_stays_off_when_a_word_is_corrected(editor, course):
    Product.objects.update(is_public=False)

    editor.publish(course, intro="Now without a typing slip.")

    assert not is_on_sale(course.product)


@pytest.mark.parametrize("way", ["expires", "is deleted"])
def test_a_page_that_goes_takes_its_product_off_sale(editor, course, way):
    if way == "expires":
        past = timezone.now() - timedelta(minutes=1)
        CoursePage.objects.filter(pk=course.pk).update(expire_at=past)
        call_command("publish_scheduled")
    else:
        editor.client.post(admin("delete", course.pk))

    assert not is_on_sale(course.product)


def test_a_deleted_draft_leaves_what_the_shop_sells(editor):
    product = make_training().product
    draft = make_course(None)
    draft.unpublish()
    editor.save(draft, product=product.pk)

    editor.client.post(admin("delete", draft.pk))

    assert is_on_sale(product)


def test_moving_a_page_changes_nothing(editor, course):
    TermsChange.objects.all().delete()
    home = course.get_parent().get_parent()
    elsewhere = home.add_child(instance=CourseIndexPage(title="More", intro="More"))

    editor.client.post(admin("move_confirm", course.pk, elsewhere.pk))

    course.refresh_from_db()
    assert course.get_parent().pk == elsewhere.pk
    assert is_on_sale(course.product)
    assert not TermsChange.objects.exists()


# Copies and aliases


def copy(editor, page, **options):
    editor.client.post(
        admin("copy", page.pk),
        {
            "new_title": "A copy",
            "new_slug": "copy",
            "new_parent_page": page.get_parent().pk,
            **options,
        },
    )
    return CoursePage.objects.get(slug="copy")


def test_a_copy_begins_without_the_product(editor, course):
    copied = copy(editor, course, publish_copies="on")

    assert copied.live
    assert copied.product is None
    assert copied.get_latest_revision_as_object().product is None
    assert (copied.credits, terms_of(course.product)) == (20, (20, False, None))


def test_a_product_is_not_sold_on_two_live_pages(editor, course):
    other = make_course(None)

    response = editor.publish(other, product=course.product_id, credits="50")

    assert list(complaints(response)) == ["product"]
    link = f'<a href="{admin("edit", course.pk)}">{course.title}</a>'
    assert f"The page “{link}” sells this product already" in text_of(response)
    assert terms_of(course.product) == (20, False, None)


def test_a_draft_may_have_the_product_of_another_page(editor, course):
    other = make_course(None)

    response = editor.save(other, product=course.product_id)

    assert response.status_code == 302


def test_a_product_moves_to_another_page(editor, course):
    other = make_course(None)
    editor.client.post(admin("unpublish", course.pk))

    editor.publish(other, product=course.product_id, credits="50")

    assert terms_of(course.product) == (50, False, None)
    assert is_on_sale(course.product)


def test_an_alias_follows_its_page(editor, course):
    alias = copy(editor, course, alias="on")
    assert alias.alias_of_id == course.pk

    response = editor.publish(course, credits="35")

    alias.refresh_from_db()
    assert response.status_code == 302
    assert (alias.product, alias.credits) == (course.product, 35)
    assert terms_of(course.product) == (35, False, None)


def test_an_alias_is_not_on_sale_without_its_page(editor, course):
    copy(editor, course, alias="on")

    editor.client.post(admin("unpublish", course.pk))

    assert not is_on_sale(course.product)


# Translations


@pytest.fixture
def french(settings):
    settings.WAGTAIL_I18N_ENABLED = True
    settings.WAGTAIL_CONTENT_LANGUAGES = [("en-gb", "English"), ("fr", "French")]
    return Locale.objects.create(language_code="fr")


@pytest.fixture
def translation(editor, course, french):
    """A French page, made by the editor's own button, and still a draft."""
    for page in course.get_ancestors().filter(depth__gt=1).specific():
        page.copy_for_translation(french, alias=True)
    address = reverse("simple_translation:submit_page_translation", args=[course.pk])
    response = editor.client.post(address, {"locales": [french.pk]})
    page = CoursePage.objects.get(locale=french)
    assert response.url == admin("edit", page.pk)
    editor.user.groups.first().page_permissions.update(page=page.get_root())
    return page


def test_a_translation_sells_the_same_on_the_same_terms(editor, course, translation):
    assert (translation.product, translation.credits) == (course.product, 20)

    response = editor.publish(translation, title="Fondations")

    assert response.status_code == 302
    assert translation.live
    assert terms_of(course.product) == (20, False, None)


def test_the_terms_of_a_translation_are_edited_at_its_source(
    editor, course, translation
):
    shown = text_of(editor.client.get(admin("edit", translation.pk)))

    assert "sells the same product on the same terms as" in words(shown)
    assert f'href="{admin("edit", course.pk)}"' in shown
    assert "credits" not in editor.form(translation)
    assert "It sells the same" not in text_of(
        editor.client.get(admin("edit", course.pk))
    )


def test_publishing_a_translation_changes_no_terms(editor, course, translation):
    editor.save(translation)
    editor.publish(course, credits="35")

    editor.publish(translation, credits="99")

    assert terms_of(course.product) == (35, False, None)
    assert translation.credits == 35


def test_a_translation_follows_its_source(editor, course, translation):
    editor.publish(translation)
    other = make_product("Another")

    editor.publish(course, credits="35", product=other.pk)

    translation.refresh_from_db()
    assert (translation.product, translation.credits) == (other, 35)


def test_learners_are_sent_to_the_page_in_their_language(editor, course, translation):
    editor.publish(translation, slug="fondations")

    links = []
    for language in ("en-gb", "fr"):
        with override(language):
            links += course_pages([course.training]).values()

    assert links == [course.url, translation.url]


def test_a_product_is_on_sale_while_a_translation_sells_it(editor, course, translation):
    editor.publish(translation)

    editor.client.post(admin("unpublish", course.pk))
    assert is_on_sale(course.product)
    editor.client.post(admin("unpublish", translation.pk))

    assert not is_on_sale(course.product)


def test_a_translation_whose_source_is_gone_has_terms_of_its_own(
    editor, course, translation
):
    editor.publish(translation)
    editor.client.post(admin("delete", course.pk))
    assert is_on_sale(translation.product)

    editor.publish(translation, credits="35")

    assert terms_of(translation.product) == (35, False, None)


# Two editors at once


def test_what_another_editor_published_meanwhile_is_not_undone(editor, course):
    stale = editor.form(course)
    Editor().publish(course, credits="35")

    response = editor.client.post(
        admin("edit", course.pk), {**stale, "action-publish": "1", "intro": "Mine"}
    )

    assert "Somebody has changed this to “35”" in complaints(response)["credits"][0]
    assert terms_of(course.product) == (35, False, None)
    again = editor.read_form(response)
    editor.client.post(admin("edit", course.pk), {**again, "action-publish": "1"})
    assert terms_of(course.product) == (20, False, None)


def test_a_stale_draft_is_refused_as_well(editor, course):
    stale = editor.form(course)
    api.sell_as_training(course.product, credits=20, credit_only=True)

    response = editor.client.post(admin("edit", course.pk), stale)

    assert list(complaints(response)) == ["credit_only"]


def test_editors_who_change_the_same_to_the_same_are_not_bothered(editor, course):
    stale = editor.form(course)
    Editor().publish(course, credits="35")

    response = editor.client.post(
        admin("edit", course.pk), {**stale, "action-publish": "1", "credits": "35"}
    )

    assert response.status_code == 302


def test_an_editor_is_told_by_wagtail_that_another_has_saved_the_page(editor, course):
    opened = editor.client.get(admin("edit", course.pk))
    known = {"revision_id": course.latest_revision_id}
    Editor().save(course, intro="Theirs")

    told = editor.client.post(opened.context["editing_sessions"].ping_url, known)

    [session] = told.json()["other_sessions"]
    assert session["revision_id"] == course.latest_revision_id


@pytest.mark.parametrize("way", ["in bulk", "by the scheduler", "by code"])
def test_terms_that_the_shop_changed_are_not_undone_by_a_version_that_has_others(
    editor, course, way
):
    editor.save(course, intro="Better", access_days="7")
    api.sell_as_training(course.product, credits=35)

    if way == "in bulk":
        in_bulk(editor, "publish", course)
    elif way == "by the scheduler":
        schedule(course)
        call_command("publish_scheduled")
    else:
        course.get_latest_revision().publish()

    course.refresh_from_db()
    assert (course.intro, course.credits, course.access_days) == ("Better", 35, 7)
    assert terms_of(course.product) == (35, False, 7)


@pytest.mark.parametrize("changed", [{"intro": "Better"}, {"credits": "35"}], ids=str)
def test_the_form_of_a_draft_shows_what_the_shop_changed_meanwhile(
    editor, course, changed
):
    editor.save(course, **changed)
    api.sell_as_training(course.product, credits=20, access_days=60)

    assert editor.form(course)["access_days"] == "60"
    editor.publish(course, title="Another title")

    credits = int(changed.get("credits", 20))
    assert terms_of(course.product) == (credits, False, 60)


def test_a_draft_that_followed_the_shop_once_follows_it_again(editor, course):
    for days in (45, 60):
        api.sell_as_training(course.product, credits=20, access_days=days)
        editor.save(course, intro=f"After {days} days")
    api.sell_as_training(course.product, credits=20, access_days=80)

    editor.publish(course, intro="At last")

    assert terms_of(course.product) == (20, False, 80)


def test_who_was_told_of_a_change_and_comes_back_does_not_undo_it(editor, course):
    editor.save(course, intro="Better")
    stale = editor.form(course)
    api.sell_as_training(course.product, credits=80)
    editor.client.post(admin("edit", course.pk), stale)

    assert editor.form(course)["credits"] == "80"


def test_an_editor_can_go_back_to_what_the_page_had_before_the_shop_changed_it(
    editor, course
):
    api.sell_as_training(course.product, credits=35)
    assert editor.form(course)["credits"] == "35"

    editor.save(course, credits="20")
    assert terms_of(course.product) == (35, False, None)
    in_bulk(editor, "publish", course)

    assert terms_of(course.product) == (20, False, None)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("-1", "Ensure this value is greater than or equal to 1."),
        ("0", "Ensure this value is greater than or equal to 1."),
        ("9" * 30, "Ensure this value is less than or equal to 1000000."),
        ("a few", "Enter a whole number."),
        ("", "Say how many credits it costs: it is credit-only."),
    ],
)
@pytest.mark.parametrize("credit_only", [True, False])
def test_one_thing_is_said_of_what_it_costs(editor, course, typed, said, credit_only):
    ticked = {"credit_only": "on"} if credit_only else {}

    response = editor.publish(course, credits=typed, **ticked)

    if typed or credit_only:
        assert complaints(response)["credits"] == [said]
    else:
        assert response.status_code == 302


# Making a product in the page editor


def create(editor, **typed):
    response = editor.client.post(chooser("create"), typed)
    return response.json() if response.status_code == 200 else response


@pytest.fixture
def shop(db):
    made = ProductClass.objects.create(
        name="Course", requires_shipping=False, track_stock=False
    )
    ProductClass.objects.create(name="Book", requires_shipping=True)
    return {"product_class": made.pk, "partner": Partner.objects.create(name="Us").pk}


def test_an_editor_makes_a_product_that_is_sold_once_published(editor, shop):
    page = make_course(None)

    made = create(editor, title="New", price="240.00", **shop)

    product = Product.objects.get(pk=made["result"]["id"])
    record = product.stockrecords.get()
    assert (str(record.price), record.price_currency) == ("240.00", "GBP")
    assert not product.is_shipping_required
    assert not product.is_public
    editor.publish(page, product=product.pk, credits="20")
    assert is_on_sale(product)


def test_a_product_for_credits_alone_is_made_without_a_price(editor, shop):
    page = make_course(None)
    made = create(editor, title="New", price="", **shop)

    editor.publish(page, product=made["result"]["id"], credits="20", credit_only="on")

    assert is_on_sale(page.product)


@pytest.fixture
def creation_form(editor, shop):
    """What the window for a new product holds, as it opens."""

    def opened():
        window = json.loads(text_of(editor.client.get(chooser("choose"))))["html"]
        return BeautifulSoup(window, "html.parser").select_one("#tab-create form")

    return opened


def chosen(form, name):
    """Return the text of what a list of choices begins with."""
    options = form.select(f"[name={name}] option[selected]")
    return "".join(option.text.strip() for option in options)


def test_a_product_made_by_an_editor_is_saved_in_the_dashboard(editor, shop, client):
    client.force_login(make_learner(is_staff=True, is_superuser=True))
    category = create_from_breadcrumbs("Courses")
    made = create(editor, title="New", price="", category=category.pk, **shop)
    product = Product.objects.get(pk=made["result"]["id"])
    address = reverse("dashboard:catalogue-product", args=[product.pk])
    form = product_form(text_of(client.get(address)))

    response = client.post(address, {**form, "title": "Newer", "action": "save"})

    assert response.status_code == 302
    product.refresh_from_db()
    assert product.title == "Newer"
    assert list(product.categories.all()) == [category]


def test_what_there_is_only_one_of_is_chosen_already(shop, creation_form):
    create_from_breadcrumbs("Courses")

    form = creation_form()

    names = ("product_class", "category", "partner")
    assert [chosen(form, name) for name in names] == ["Course", "Courses", "Us"]


def test_of_several_categories_an_editor_chooses_one(editor, shop, creation_form):
    create_from_breadcrumbs("Courses > Databases")

    form = creation_form()
    answer = create(editor, title="New", price="", **shop)

    assert chosen(form, "category").strip("-") == ""
    assert "\N{EN DASH} Databases" in form.text
    assert "This field is required." in words(answer["htmlFragment"])
    assert not Product.objects.exists()


def test_a_shop_without_categories_asks_for_none(shop, creation_form):
    assert "Category" not in creation_form().text


def test_categories_take_no_query_each(shop, creation_form, django_assert_num_queries):
    create_from_breadcrumbs("Courses > Databases")
    creation_form()
    with CaptureQueriesContext(connection) as few:
        creation_form()
    for number in range(8):
        create_from_breadcrumbs(f"Courses > Databases > Volume {number}")

    with django_assert_num_queries(len(few)):
        creation_form()


def test_the_chooser_names_the_page_that_sells_a_product(
    editor, django_assert_num_queries
):
    course = make_course(make_product("On a page"))
    draft = make_course(make_product("On a draft"))
    draft.unpublish()
    make_product("On none")
    address = chooser("choose_results")

    editor.client.get(address)
    with CaptureQueriesContext(connection) as few:
        shown = words(text_of(editor.client.get(address)))
    for number in range(8):
        make_course(make_product(f"More {number}"))

    assert "Sold on" in shown
    assert shown.count(course.title) == 1
    assert draft.title not in shown.replace(course.title, "")
    with django_assert_num_queries(len(few)):
        editor.client.get(address)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"title": ""}, "This field is required."),
        ({"price": "-1"}, "greater than or equal to 0"),
        ({"price": "9" * 30}, "no more than 12 digits"),
        ({"price": "ten"}, "Enter a number."),
        ({"product_class": ""}, "This field is required."),
        ({"product_class": "999"}, "Select a valid choice"),
    ],
    ids=str,
)
def test_a_product_that_can_not_be_made_is_answered(editor, shop, typed, said):
    answer = create(editor, **{"title": "New", "price": "1.00", **shop, **typed})

    assert answer["step"] == "reshow_creation_form"
    assert said in words(answer["htmlFragment"])
    assert not Product.objects.exists()


def test_a_shop_without_product_class_and_partner_says_what_is_lacking(editor):
    answer = create(editor, title="New")

    assert 'id="id_title"' not in answer["htmlFragment"]  # which the page has
    said = words(answer["htmlFragment"])
    assert "The shop has no product type that needs no shipping" in said
    assert "The shop has no partner" in said


def test_only_who_may_add_products_makes_them(editor, shop):
    editor.user.groups.first().permissions.filter(codename="add_product").delete()

    assert create(editor, title="New", **shop).status_code == 302
    assert not Product.objects.exists()


def test_a_path_lists_courses_only(editor):
    make_training("A course")
    make_training("A path", kind="path", path_courses=(make_training("Listed"),))
    make_product("A book")

    shown = editor.client.get(reverse("training_course_chooser:choose_results"))

    assert {"A course", "Listed"} == {
        title
        for title in ("A course", "A path", "Listed", "A book")
        if title in words(text_of(shown))
    }


def test_a_plan_is_a_range_that_is_not_computed(editor, everything):
    Range.objects.create(name="Computed", proxy_class="somewhere.Range")

    shown = editor.client.get(
        reverse("training_range_chooser:choose_results"), {"q": "e"}
    )

    assert "Everything" in words(text_of(shown))
    assert "Computed" not in words(text_of(shown))


# One product, one live page: on every way by which a page becomes live


@pytest.fixture
def rival(editor, course):
    """A page that is no longer live and would sell what `course` sells, for 50."""
    page = make_course(None)
    page.unpublish()
    editor.save(page, product=course.product_id, credits="50")
    return page


def is_live(page):
    return CoursePage.objects.get(pk=page.pk).live


def test_what_is_published_in_bulk_leaves_out_a_page_and_says_why(
    editor, course, rival
):
    fine = make_course(None)
    fine.unpublish()

    response = in_bulk(editor, "publish", rival, fine)

    assert (is_live(rival), is_live(fine)) == (False, True)
    assert terms_of(course.product) == (20, False, None)
    said = words(text_of(response))
    assert "1 page has been published" in said
    assert f"“{rival.title}” is not published" in said
    assert f"“{course.title}” sells its product already" in said


def test_of_two_pages_published_at_once_the_first_sells_the_product(editor):
    product = make_product()
    pages = [make_course(None), make_course(None)]
    for page in pages:
        page.unpublish()
        editor.save(page, product=product.pk, credits="20")

    response = in_bulk(editor, "publish", *pages)

    assert [is_live(page) for page in pages] == [True, False]
    assert f"“{pages[0].title}” sells its product already" in words(text_of(response))


def test_drafts_below_a_page_are_left_out_as_well(editor, course, rival):
    fine = make_course(None)
    fine.unpublish()
    index = course.get_parent()

    response = in_bulk(editor, "publish", index, include_descendants="on")

    assert (is_live(rival), is_live(fine)) == (False, True)
    assert f"“{rival.title}” is not published" in words(text_of(response))


def schedule(page):
    past = timezone.now() - timedelta(minutes=1)
    page.revisions.filter(pk=page.latest_revision_id).update(approved_go_live_at=past)


def test_the_scheduler_leaves_a_page_out_and_says_so(editor, course, rival, caplog):
    fine = make_course(None)
    fine.unpublish()
    for page in (rival, fine):
        schedule(page)

    for _hour in range(2):
        call_command("publish_scheduled")

    assert (is_live(rival), is_live(fine)) == (False, True)
    assert terms_of(course.product) == (20, False, None)
    assert f"page {rival.pk} is not published: page {course.pk} sells" in caplog.text
    history = text_of(editor.client.get(admin("history", rival.pk)))
    assert words(history).count(f"“{course.title}” sells its product already") == 1


def test_a_scheduled_page_comes_when_the_other_is_gone(course, rival):
    schedule(rival)
    call_command("publish_scheduled")
    course.unpublish()

    call_command("publish_scheduled")

    assert is_live(rival)
    assert terms_of(course.product) == (50, False, None)
    assert is_on_sale(course.product)


def test_code_that_publishes_a_second_page_is_told(course, rival):
    with pytest.raises(AlreadySold, match=f"“{course.title}” sells"):
        rival.get_latest_revision().publish()

    assert not is_live(rival)


def test_code_that_makes_a_second_live_page_is_told(course):
    with pytest.raises(AlreadySold):
        course.get_parent().add_child(
            instance=CoursePage(title="Again", intro="x", product=course.product)
        )

    assert CoursePage.objects.filter(product=course.product).count() == 1


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_of_pages_published_at_the_same_moment_one_sells():
    product = make_product()
    pages = [make_course(None) for _ in range(6)]
    for page in pages:
        page.unpublish()
        page.product = product
        page.save_revision()

    def publish(page):
        with suppress(AlreadySold):
            page.get_latest_revision().publish()

    at_once([partial(publish, page) for page in pages])

    assert CoursePage.objects.filter(product=product, live=True).count() == 1


def test_a_moderator_can_not_approve_a_second_page(editor, course, rival):
    workflow = Workflow.objects.create(name="Checked")
    task = GroupApprovalTask.objects.create(name="Check")
    task.groups.set(editor.user.groups.all())
    WorkflowTask.objects.create(workflow=workflow, task=task)
    state = workflow.start(rival, editor.user)
    address = admin("workflow_action", rival.pk, "approve", state.current_task_state.pk)

    response = editor.client.post(address)

    assert response.status_code == 302
    assert not is_live(rival)
    state.refresh_from_db()
    assert state.status == state.STATUS_IN_PROGRESS
    assert "sells this product already" in text_of(
        editor.save(
            rival,
            **{
                "action-workflow-action": "1",
                "workflow-action-name": "approve",
            },
        )
    )


def test_an_alias_that_is_made_a_page_leaves_the_product_to_its_source(editor, course):
    alias = copy(editor, course, alias="on")

    editor.client.post(admin("convert_alias", alias.pk))

    alias.refresh_from_db()
    assert (alias.alias_of, alias.live, alias.product) == (None, True, None)
    assert alias.get_latest_revision_as_object().product is None
    assert is_on_sale(course.product)
    assert editor.publish(course, credits="35").status_code == 302


def test_an_alias_in_another_language_that_is_made_a_page_sells_on(
    editor, course, french
):
    for page in course.get_ancestors().filter(depth__gt=1).specific():
        page.copy_for_translation(french, alias=True)
    alias = course.copy_for_translation(french, alias=True)
    editor.user.groups.first().page_permissions.update(page=course.get_root())

    editor.client.post(admin("convert_alias", alias.pk))

    alias.refresh_from_db()
    assert (alias.alias_of, alias.product) == (None, course.product)


# Trees of pages


@pytest.fixture(params=["delete", "unpublish"])
def way(request, editor):
    may = Permission.objects.get(codename="bulk_delete_page")
    root = Page.get_first_root_node()
    editor.user.groups.first().page_permissions.create(page=root, permission=may)
    return request.param


def test_a_tree_takes_what_a_page_and_its_alias_sell_off_sale(editor, course, way):
    alias = copy(editor, course, alias="on")
    assert alias.live

    in_bulk(editor, way, course.get_parent(), include_descendants="on")

    assert not CoursePage.objects.filter(live=True).exists()
    assert not is_on_sale(course.product)


def test_a_tree_takes_what_a_page_and_its_translation_sell_off_sale(
    editor, course, translation, way
):
    editor.publish(translation, slug="fondations")
    translation.move(course.get_parent(), pos="last-child")

    in_bulk(editor, way, course.get_parent(), include_descendants="on")

    assert not CoursePage.objects.filter(live=True).exists()
    assert not is_on_sale(course.product)


def test_a_tree_leaves_on_sale_what_a_page_elsewhere_sells(
    editor, course, translation, way
):
    editor.publish(translation)

    in_bulk(editor, way, course.get_parent(), include_descendants="on")

    assert is_on_sale(course.product)


def test_pages_that_go_together_take_their_product_off_sale(
    editor, course, translation, way
):
    editor.publish(translation)

    in_bulk(editor, way, course, translation)

    assert not is_on_sale(course.product)


def test_moving_pages_in_bulk_changes_nothing(editor, course):
    TermsChange.objects.all().delete()
    alias = copy(editor, course, alias="on")
    home = course.get_parent().get_parent()
    elsewhere = home.add_child(instance=CourseIndexPage(title="More", intro="More"))

    in_bulk(editor, "move", course, alias, chooser=elsewhere.pk)

    course.refresh_from_db()
    assert course.get_parent().pk == elsewhere.pk
    assert is_on_sale(course.product)
    assert not TermsChange.objects.exists()
