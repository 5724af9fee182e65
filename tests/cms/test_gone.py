"""A draft, a schedule or an old version of which the shop has something no longer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.utils import timezone
from oscar.core.loading import get_model
from wagtail.models import GroupApprovalTask, Locale, Workflow, WorkflowTask

from oscar_training_credits.cms.exceptions import NotPublished
from oscar_training_credits.credits.models import TrainingProduct
from oscar_training_credits.test.factories import make_product, make_training
from sandbox.academy.models import CoursePage

from ..support.editors import Editor, admin, complaints, in_bulk, streams, terms_of
from ..support.pages import course_index, make_course
from ..support.shop import text_of, words

Product = get_model("catalogue", "Product")
Range = get_model("offer", "Range")

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

PRODUCT_GONE = "The product that this version sells has been deleted from the shop."
RANGE_GONE = "The range that this version opens has been deleted from the shop."
COURSE_GONE = "A course on the list is not sold as training any more."


@pytest.fixture
def editor():
    return Editor()


@pytest.fixture
def everything():
    return Range.objects.create(name="Everything", includes_all_products=True)


def draft(**terms):
    """Return a page whose draft has these terms, and whose live version has none."""
    page = make_course(None)
    page.unpublish()
    page.refresh_from_db()
    for name, value in terms.items():
        setattr(page, name, value)
    page.is_unfinished = True
    page.save_revision()
    return CoursePage.objects.get(pk=page.pk)


def draft_without_product():
    """Return a page whose draft sells a product that is gone."""
    product = make_product("Gone")
    page = draft(product=product, credits=20)
    product.delete()
    return page


def draft_without_range(everything):
    page = draft(
        product=make_product(), credits=9, kind="plan", plan_content=everything
    )
    everything.delete()
    return page


def draft_without_course():
    course = make_training("Gone")
    listed = [("course", make_training("Kept")), ("course", course)]
    page = draft(product=make_product(), credits=9, kind="path", path_courses=listed)
    course.delete()
    return page


@pytest.fixture(params=["product", "range", "course"])
def lacking(request, everything):
    """A draft that lacks something, and what an editor is told."""
    if request.param == "product":
        return draft_without_product(), PRODUCT_GONE, "product"
    if request.param == "range":
        return draft_without_range(everything), RANGE_GONE, "plan_content"
    return draft_without_course(), COURSE_GONE, "path_courses"


def schedule(page):
    past = timezone.now() - timedelta(minutes=1)
    page.revisions.filter(pk=page.latest_revision_id).update(approved_go_live_at=past)


def is_live(page):
    return CoursePage.objects.get(pk=page.pk).live


def workflow_of(page, editor):
    workflow = Workflow.objects.create(name="Checked")
    task = GroupApprovalTask.objects.create(name="Check")
    task.groups.set(editor.user.groups.all())
    WorkflowTask.objects.create(workflow=workflow, task=task)
    return workflow.start(page, editor.user)


# Looking


def test_a_page_opens_with_the_field_empty_and_says_so(editor, lacking):
    page, told, _field = lacking

    shown = editor.client.get(admin("edit", page.pk))

    assert shown.status_code == 200
    assert told in words(text_of(shown))


def test_the_field_of_a_product_that_is_gone_is_empty(editor):
    page = draft_without_product()

    form = editor.client.get(admin("edit", page.pk)).context["form"]

    assert form["product"].value() is None


def test_nothing_is_said_where_all_is_there(editor, course):
    shown = words(text_of(editor.client.get(admin("edit", course.pk))))

    assert "has been deleted" not in shown


@pytest.mark.parametrize(
    "view", ["edit", "view_draft", "history", "workflow_history", "usage", "delete"]
)
def test_screens_of_such_a_page_open(editor, lacking, view):
    page = lacking[0]

    assert editor.client.get(admin(view, page.pk)).status_code == 200


def test_such_a_page_is_listed_while_it_is_scheduled(editor, lacking):
    page = lacking[0]
    future = timezone.now() + timedelta(days=1)
    page.revisions.filter(pk=page.latest_revision_id).update(approved_go_live_at=future)

    assert editor.client.get(admin("edit", page.pk)).status_code == 200
    listed = editor.client.get(f"/cms/pages/{page.get_parent().pk}/")
    assert listed.status_code == 200


def test_versions_can_be_compared(editor, lacking):
    page = lacking[0]
    first = page.revisions.earliest("pk").pk
    newest = page.latest_revision_id
    for one, two in ((first, newest), (newest, first), ("earliest", "latest")):
        answer = editor.client.get(admin("revisions_compare", page.pk, one, two))
        assert answer.status_code == 200


def old_version(page):
    """Return the version that lacks something, with a newer one on top."""
    old = page.latest_revision
    newest = CoursePage.objects.get(pk=page.pk)
    newest.save_revision()
    return old


def revert_form(editor, page, old):
    address = admin("revisions_revert", page.pk, old.pk)
    return editor.client.get(address)


def test_an_old_version_opens_and_says_what_is_gone(editor, lacking):
    page, told, _field = lacking
    old = old_version(page)

    shown = revert_form(editor, page, old)

    assert shown.status_code == 200
    assert told in words(text_of(shown))
    viewed = editor.client.get(admin("revisions_view", page.pk, old.pk))
    assert viewed.status_code == 200


def test_a_preview_shows_such_a_draft(editor):
    page = draft_without_product()

    assert page.title in editor.preview(page)


# Publishing


def test_publishing_complains_at_the_field(editor):
    page = draft_without_product()

    response = editor.publish(page)

    assert list(complaints(response)) == ["product"]
    assert PRODUCT_GONE in complaints(response)["product"][0]
    assert not is_live(page)


def test_publishing_complains_at_the_field_of_a_range(editor, everything):
    page = draft_without_range(everything)

    response = editor.publish(page)

    assert RANGE_GONE in complaints(response)["plan_content"][0]
    assert not is_live(page)


def test_an_old_version_is_not_published_without_what_it_sold(editor):
    page = draft_without_product()
    old = old_version(page)
    data = editor.read_form(revert_form(editor, page, old))
    again = {**data, "action-publish": "1", "revision": old.pk}

    response = editor.client.post(admin("edit", page.pk), again)

    assert list(complaints(response)) == ["product"]
    assert not is_live(page)


def test_another_product_is_chosen_and_published(editor):
    page = draft_without_product()
    other = make_product("Another")

    editor.publish(page, product=other.pk)

    assert is_live(page)
    assert terms_of(other) == (20, False, None)


def test_who_means_it_publishes_without_a_product(editor):
    page = draft_without_product()
    editor.save(page)

    response = editor.publish(page)

    assert response.status_code == 302
    assert is_live(page)


def test_bulk_publishing_leaves_such_a_page_out_and_says_why(editor, lacking):
    page, told, _field = lacking
    fine = make_course(None)
    fine.unpublish()

    response = in_bulk(editor, "publish", page, fine)

    assert (is_live(page), is_live(fine)) == (False, True)
    said = words(text_of(response))
    assert f"“{page.get_latest_revision_as_object().title}” is not published" in said
    assert told in said


def test_the_scheduler_goes_on(editor, lacking, caplog):
    page, told, field = lacking
    fine = make_course(None)
    fine.unpublish()
    for each in (page, fine):
        schedule(each)

    for _hour in range(2):
        call_command("publish_scheduled")

    assert (is_live(page), is_live(fine)) == (False, True)
    assert f"page {page.pk} is not published: {field}" in caplog.text
    history = words(text_of(editor.client.get(admin("history", page.pk))))
    assert history.count(told) == 1


def test_the_scheduler_leaves_a_live_page_as_it_is(course):
    product = make_product("Gone")
    course.product = product
    course.save_revision()
    schedule(course)
    product.delete()

    call_command("publish_scheduled")

    course = CoursePage.objects.get(pk=course.pk)
    assert course.live
    assert course.product.title == "Django Foundations"
    assert course.product.is_public


def test_the_scheduler_goes_on_whatever_terms_a_draft_has():
    page = draft(product=make_product(), kind="plan")
    fine = make_course(None)
    fine.unpublish()
    for each in (page, fine):
        schedule(each)

    call_command("publish_scheduled")

    assert (is_live(page), is_live(fine)) == (False, True)


def test_a_moderator_can_not_approve_such_a_page(editor, lacking):
    page = lacking[0]
    state = workflow_of(page, editor)
    address = admin("workflow_action", page.pk, "approve", state.current_task_state.pk)

    assert editor.client.get(address).status_code in (200, 302)
    response = editor.client.post(address)

    assert response.status_code == 302
    assert not is_live(page)


def test_code_that_publishes_such_a_page_is_told(lacking):
    page, told, field = lacking

    with pytest.raises(NotPublished) as refused:
        page.get_latest_revision().publish()

    assert told in refused.value.message_dict[field][0]
    assert isinstance(refused.value, ValidationError)


def test_a_translation_follows_its_source_and_not_what_is_gone(editor, course):
    gone = make_product("Gone")
    french = Locale.objects.create(language_code="fr")
    translation = course.copy_for_translation(french, copy_parents=True)
    revision = translation.latest_revision or translation.save_revision()
    revision.content["product"] = gone.pk
    revision.save()
    gone.delete()

    revision.publish()

    translation.refresh_from_db()
    assert (translation.live, translation.product) == (True, course.product)


def test_such_a_page_is_copied_with_its_history(editor):
    page = draft_without_product()
    form = {
        "new_title": "A copy",
        "new_slug": "copy",
        "new_parent_page": course_index().pk,
    }

    response = editor.client.post(admin("copy", page.pk), form)

    assert response.status_code == 302
    assert CoursePage.objects.get(slug="copy").product is None


def test_a_course_that_is_gone_is_taken_off_the_list(editor):
    page = draft_without_course()
    product = page.get_latest_revision_as_object().product
    kept = TrainingProduct.objects.get(product__title="Kept")

    response = editor.publish(page, **streams([kept]))

    assert response.status_code == 302
    path = TrainingProduct.objects.get(product=product)
    assert path.listed_courses() == (kept,)
