"""However a page becomes live, or stops being so, the shop sells what it should."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model
from wagtail.models import GroupApprovalTask, Locale, Page, Workflow, WorkflowTask

from oscar_training_credits import api
from oscar_training_credits.cms.receivers import follow_bare_page
from oscar_training_credits.credits.models import TermsChange, TrainingProduct
from oscar_training_credits.test.factories import (
    make_learner,
    make_product,
    make_training,
)
from sandbox.academy.models import CoursePage

from ..support.editors import Editor, admin, in_bulk, streams, terms_of
from ..support.pages import course_index, make_course
from ..support.shop import Learner, text_of, words

Product = get_model("catalogue", "Product")

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def editor():
    return Editor()


@pytest.fixture
def product():
    """A product as it is made in the page editor: it is not on sale yet."""
    return off_sale(make_product("Django Foundations", "240.00"))


def off_sale(product):
    Product.objects.filter(pk=product.pk).update(is_public=False)
    product.refresh_from_db()
    return product


def is_on_sale(product):
    """Tell whether a learner who knows the address can put it into a basket."""
    learner = Learner(make_learner())
    learner.add(product)
    return learner.client.get("/").wsgi_request.basket.num_items == 1


def add_form(editor, product, **typed):
    """Send Wagtail's form of a new page, and return the page."""
    address = admin("add", "academy", "coursepage", course_index().pk)
    form = {"title": "Django", "slug": "django", "intro": "Learn it."}
    terms = {"kind": "course", "product": product.pk, "credits": "20"}
    comments = {"comments-TOTAL_FORMS": "0", "comments-INITIAL_FORMS": "0"}
    editor.client.post(address, {**form, **terms, **comments, **streams(), **typed})
    return CoursePage.objects.get(slug="django")


def draft_of(product, **terms):
    """Return a page that was never live, with a draft that sells `product`."""
    page = CoursePage(
        title="A draft", intro="x", live=False, product=product, credits=20, **terms
    )
    course_index().add_child(instance=page)
    page.save_revision()
    return page


def schedule(page):
    past = timezone.now() - timedelta(minutes=1)
    page.revisions.filter(pk=page.latest_revision_id).update(approved_go_live_at=past)


def findings():
    """Return what the nightly command says."""
    said = []

    class Paper:
        def write(self, text):
            said.append(text)

    try:
        call_command("check_on_sale", stdout=Paper())
    except CommandError as error:
        said.append(str(error))
    return words(" ".join(said))


# Live


def with_the_add_form(editor, product):
    add_form(editor, product, **{"action-publish": "1"})


def with_the_edit_form(editor, product):
    page = draft_of(product)
    editor.client.post(
        admin("edit", page.pk), {**editor.form(page), "action-publish": "1"}
    )


def in_bulk_with_others(editor, product):
    in_bulk(editor, "publish", draft_of(product))


def on_schedule(editor, product):
    schedule(draft_of(product))
    call_command("publish_scheduled")


def by_moderation(editor, product):
    page = draft_of(product)
    workflow = Workflow.objects.create(name="Checked")
    task = GroupApprovalTask.objects.create(name="Check")
    task.groups.set(editor.user.groups.all())
    WorkflowTask.objects.create(workflow=workflow, task=task)
    state = workflow.start(page, editor.user)
    task_state = state.current_task_state.pk
    editor.client.post(admin("workflow_action", page.pk, "approve", task_state))


def by_a_script(editor, product):
    page = CoursePage(title="A", intro="x", product=product, credits=20)
    course_index().add_child(instance=page)


def by_a_script_that_publishes(editor, product):
    make_course(product, credits=20)


def by_a_script_that_saves(editor, product):
    page = draft_of(product)
    page.live = True
    page.save()


def by_a_script_that_saves_one_field(editor, product):
    page = draft_of(product)
    page.live = True
    page.save(update_fields=["live"])


def without_its_own_class(editor, product):
    page = Page.objects.get(pk=draft_of(product).pk)
    page.live = True
    page.save()


def by_going_back(editor, product):
    page = make_course(product, credits=20)
    first = page.latest_revision
    page.unpublish()
    first.publish(user=editor.user)


@pytest.mark.parametrize(
    "way",
    [
        with_the_add_form,
        with_the_edit_form,
        in_bulk_with_others,
        on_schedule,
        by_moderation,
        by_a_script,
        by_a_script_that_publishes,
        by_a_script_that_saves,
        by_a_script_that_saves_one_field,
        without_its_own_class,
        by_going_back,
    ],
)
def test_what_a_page_sells_is_on_sale_once_it_is_live(editor, product, way):
    way(editor, product)

    assert is_on_sale(product)
    assert terms_of(product) == (20, False, None)
    assert findings() == ""


def test_a_draft_is_published_by_the_api(editor, product):
    pytest.importorskip("wagtail.api.v3")
    from .test_api_v3 import caller

    page = draft_of(product)
    address = reverse("wagtailapi_v3:pages_actions_publish", args=[page.pk])

    answer = caller(editor.user).post(address)

    assert answer.status_code == 200
    assert is_on_sale(product)
    assert terms_of(product) == (20, False, None)


def restore(page):
    """Do what wagtail-trash does when it takes a page out of the trash can again."""
    bare = Page.objects.get(pk=page.pk)
    bare.has_unpublished_changes = False
    bare.live = True
    bare.save()


def test_a_page_out_of_the_trash_can_sells_again(course):
    Page.objects.filter(pk=course.pk).unpublish()
    assert not is_on_sale(course.product)

    restore(course)

    assert is_on_sale(course.product)


def test_terms_that_the_shop_set_meanwhile_are_those_of_a_restored_page(course):
    Page.objects.filter(pk=course.pk).unpublish()
    api.sell_as_training(course.product, credits=35)

    restore(course)

    assert terms_of(course.product) == (35, False, None)


def test_a_page_made_live_past_all_code_sells_once_it_is_published_again(
    editor, course
):
    course.unpublish()
    Page.objects.filter(pk=course.pk).update(live=True)

    editor.publish(course)

    assert is_on_sale(course.product)


@pytest.mark.parametrize("restored", [False, True], ids=["", "restored"])
def test_what_staff_took_off_sale_stays_so(editor, course, restored):
    if restored:
        Page.objects.filter(pk=course.pk).unpublish()
        restore(course)
    off_sale(course.product)

    editor.publish(course, intro="Now without a typing slip.")
    CoursePage.objects.get(pk=course.pk).save()
    Page.objects.get(pk=course.pk).save()

    assert not is_on_sale(course.product)


def test_who_publishes_a_new_page_is_on_record(editor, product):
    add_form(editor, product, **{"action-publish": "1"})

    changes = TermsChange.objects.all()
    assert {(each.term, each.changed_by) for each in changes} == {
        ("credits", editor.user)
    }


def test_a_new_page_that_is_scheduled_is_not_on_sale_yet(editor, product):
    tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%d %H:%M}"

    add_form(editor, product, go_live_at=tomorrow, **{"action-publish": "1"})

    product.refresh_from_db()
    assert not product.is_public
    assert not TrainingProduct.objects.exists()


def test_what_the_shop_sells_already_stays_on_sale_while_a_page_is_scheduled(editor):
    sold = make_training().product
    tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%d %H:%M}"

    add_form(editor, sold, go_live_at=tomorrow, **{"action-publish": "1"})

    assert is_on_sale(sold)


def test_a_fixture_is_loaded_as_it_is(course):
    course.unpublish()
    bare = Page.objects.get(pk=course.pk)
    bare.live = True

    bare.save_base(raw=True)

    assert not is_on_sale(course.product)


def test_other_pages_cost_no_query(course, django_assert_num_queries):
    home = Page.objects.get(pk=course.get_parent().get_parent().pk)
    assert home.specific_class

    with django_assert_num_queries(0):
        follow_bare_page(Page, instance=home)


# Not live any more


def unpublished(page, editor):
    editor.client.post(admin("unpublish", page.pk))


def trashed(page, editor):
    Page.objects.filter(pk=page.pk).unpublish()


def saved(page, editor):
    page.live = False
    page.save()


def saved_without_its_class(page, editor):
    bare = Page.objects.get(pk=page.pk)
    bare.live = False
    bare.save()


def sells_another(page, editor):
    editor.publish(page, product=make_product("Another").pk)


def sells_nothing(page, editor):
    editor.publish(page, product="")


@pytest.mark.parametrize(
    "way",
    [
        unpublished,
        trashed,
        saved,
        saved_without_its_class,
        sells_another,
        sells_nothing,
    ],
)
def test_what_no_live_page_sells_is_off_sale(editor, course, way):
    product = course.product

    way(course, editor)

    assert not is_on_sale(product)
    assert findings() == ""


def test_what_another_live_page_sells_stays_on_sale(editor, course):
    course.copy_for_translation(
        Locale.objects.create(language_code="fr"), copy_parents=True, alias=True
    )
    Product.objects.update(is_public=True)
    bare = Page.objects.get(pk=course.pk)

    bare.save()

    assert is_on_sale(course.product)


# Translations


@pytest.fixture
def french(settings):
    settings.WAGTAIL_I18N_ENABLED = True
    settings.WAGTAIL_CONTENT_LANGUAGES = [("en-gb", "English"), ("fr", "French")]
    return Locale.objects.create(language_code="fr")


@pytest.fixture
def translate(editor, french):
    """Return what makes a draft in French of a page, and lets the editor publish it."""
    root = Page.get_first_root_node() or course_index().get_root()
    editor.user.groups.first().page_permissions.update(page=root)

    def translated(page):
        for above in page.get_ancestors().filter(depth__gt=1).specific():
            if not above.has_translation(french):
                above.copy_for_translation(french, alias=True)
        return page.copy_for_translation(french)

    return translated


def published(page, editor):
    editor.publish(page)


def published_by_a_script(page, editor):
    page.save_revision().publish()


def published_in_bulk(page, editor):
    page.save_revision()
    in_bulk(editor, "publish", page)


def published_on_schedule(page, editor):
    page.save_revision()
    schedule(page)
    call_command("publish_scheduled")


def made_live(page, editor):
    restore(page)


publishing = pytest.mark.parametrize(
    "way",
    [
        published,
        published_by_a_script,
        published_in_bulk,
        published_on_schedule,
        made_live,
    ],
)


@publishing
@pytest.mark.parametrize("credit_only", [False, True], ids=["", "credit-only"])
def test_a_translation_before_its_source_puts_nothing_on_sale(
    editor, product, translate, way, credit_only
):
    source = draft_of(product, credit_only=credit_only)
    translation = translate(source)

    way(translation, editor)

    translation.refresh_from_db()
    product.refresh_from_db()
    assert (translation.live, product.is_public) == (True, False)
    assert not TrainingProduct.objects.exists()
    editor.publish(source, **({"credit_only": "on"} if credit_only else {}))
    assert is_on_sale(product)
    assert terms_of(product) == (20, credit_only, None)


@publishing
def test_a_translation_does_not_bring_back_what_its_source_took_off_sale(
    editor, course, translate, way
):
    translation = translate(course)
    course.unpublish()

    way(translation, editor)

    assert not is_on_sale(course.product)
    said = findings()
    assert "its terms are on" in said
    assert f"“{course.title}” ({course.pk}), which is not live" in said
    editor.publish(course)
    assert is_on_sale(course.product)


def test_an_editor_of_a_translation_is_told_that_its_source_is_not_live(
    editor, course, translate
):
    translation = translate(course)
    told = "nothing is on sale until it is published"

    live = words(text_of(editor.client.get(admin("edit", translation.pk))))
    course.unpublish()
    not_live = words(text_of(editor.client.get(admin("edit", translation.pk))))

    assert (told in live, told in not_live) == (False, True)


def test_a_translation_sells_nothing_whose_source_has_no_terms(
    editor, course, translate
):
    translation = translate(course)
    Product.objects.update(is_public=False)
    TrainingProduct.objects.all().delete()

    editor.publish(translation)

    assert not Product.objects.get().is_public


def test_a_live_alias_of_a_draft_puts_nothing_on_sale(editor, product):
    source = draft_of(product)
    alias = source.create_alias(update_slug="alias")

    restore(alias)

    product.refresh_from_db()
    assert not product.is_public
    assert not TrainingProduct.objects.exists()


def test_a_translation_sells_for_itself_once_its_source_is_gone(
    editor, product, translate
):
    source = draft_of(product)
    translation = translate(source)
    editor.publish(translation)
    source.delete()

    editor.publish(translation)

    assert is_on_sale(product)
    assert terms_of(product) == (20, False, None)


# What drifted


def test_nothing_is_said_of_what_is_right(course):
    draft_of(make_training("Sold by the shop alone").product)
    make_training("Without a page")
    course.unpublish()

    assert findings() == ""


def test_a_live_page_whose_product_is_not_on_sale_is_named(course):
    course.unpublish()
    Page.objects.filter(pk=course.pk).update(live=True)

    said = findings()

    assert f"“{course.title}” ({course.pk}) is live, but “{course.product}”" in said
    assert "1 thing differs" in said


def test_a_live_page_whose_product_is_no_training_is_named():
    page = make_course(None)
    CoursePage.objects.filter(pk=page.pk).update(product=make_product("Only money"))

    assert f"“{page.title}” ({page.pk}) is live" in (said := findings())
    assert "“Only money” is sold without training terms" in said


def test_what_staff_took_off_sale_is_named_and_is_no_fault(course):
    off_sale(course.product)

    said = findings()

    assert f"“{course.title}” ({course.pk}) is live" in said
    assert "taken off sale in the shop" in said
    assert "differs" not in said


def test_what_is_on_sale_without_a_live_page_is_named(course):
    Page.objects.filter(pk=course.pk).update(live=False)

    assert f"“{course.product}” is on sale, but “{course.title}” ({course.pk})" in (
        findings()
    )


def test_what_is_on_sale_before_its_page_has_ever_been_live_is_named(product):
    page = draft_of(product)
    Product.objects.update(is_public=True)

    assert f"“{product}” is on sale, but “{page.title}” ({page.pk})" in findings()


@pytest.mark.parametrize("live", [True, False], ids=["live", "not live"])
def test_what_drifted_can_be_mended(course, live):
    if live:
        course.unpublish()
    Page.objects.filter(pk=course.pk).update(live=live)
    assert is_on_sale(course.product) is not live

    call_command("check_on_sale", "--mend")

    assert is_on_sale(course.product) is live
    assert findings() == ""


def test_mending_leaves_what_staff_took_off_sale(course):
    off_sale(course.product)

    call_command("check_on_sale", "--mend")

    assert not is_on_sale(course.product)
