"""A restricted value is in nothing that reads a page for a visitor, and never lost."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from django.core import serializers
from django.core.management import call_command
from django.db.models import Model
from django.forms import model_to_dict, modelform_factory
from rest_framework.serializers import ModelSerializer
from wagtail.models import Comment

from oscar_training_credits.cms.exceptions import RestrictedFieldClosed
from oscar_training_credits.cms.restricted import (
    restricted_fields_closed,
    restricted_fields_open,
)
from oscar_training_credits.test.factories import make_learner
from sandbox.academy.models import CoursePage, HomePage
from sandbox.academy.seed.pages import make_image

from ..support.editors import Editor
from ..support.orders import place_order
from ..support.pages import SECRET, course_index
from ..support.shop import Learner
from ..support.visits import visit

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.any_database,
    # Wagtail leaves the temporary file of each picture that it scales open.
    pytest.mark.filterwarnings(
        "ignore:.*(SpooledTemporaryFile|_io.FileIO):pytest.PytestUnraisableExceptionWarning"
    ),
]

SECRET_LEVEL = "Secret level"


@pytest.fixture
def sold(course, monkeypatch):
    """A course page whose lessons, level, picture and remarks are restricted."""
    names = ("lessons", "level", "image", "wagtail_admin_comments")
    monkeypatch.setattr(CoursePage, "restricted_fields", names)
    course.level = SECRET_LEVEL
    course.image = make_image(
        "Jars", palette=["#ffffff", "#000000"] * 3, motif="lights"
    )
    course.save_revision().publish()
    remark = {"text": SECRET, "contentpath": "title"}
    Comment.objects.create(page=course, user=make_learner(), **remark)
    course.refresh_from_db()
    course.hide_restricted_fields()  # as any page that was served has done
    return CoursePage.objects.get()


def found(**lookups):
    return CoursePage.objects.get(**lookups)


def stored():
    """Return what the database holds of a course's restricted fields."""
    row = CoursePage.objects.values("level", "image", "lessons").get()
    rows = list(Comment.objects.values_list("text", flat=True))
    lessons = json.dumps(row["lessons"].get_prep_value())
    return row["level"], row["image"] is not None, SECRET in lessons, rows


WHOLE = (SECRET_LEVEL, True, True, [SECRET])


class PageSerializer(ModelSerializer):
    class Meta:
        model = CoursePage
        fields = ["title", "lessons", "level", "image", "wagtail_admin_comments"]


def by_hand(page):
    remarks = [each.text for each in page.wagtail_admin_comments.all()]
    values = page.level, page.image, page.image_id, page.lessons, remarks
    return f"{values} {page.lessons.render_as_block()} {list(page.lessons.raw_data)}"


READERS = {
    "attributes": by_hand,
    "model_to_dict": lambda page: str(model_to_dict(page)),
    "Django's serializer": lambda page: serializers.serialize("json", [page]),
    "DRF": lambda page: str(PageSerializer(page).data),
    "serializable_data": lambda page: page.to_json(),
    "value_to_string": lambda page: "".join(
        field.value_to_string(page) for field in page._meta.concrete_fields
    ),
}

PAGES = {
    "read": found,
    "deferred": lambda: CoursePage.objects.defer("lessons", "level", "image").get(),
    "specific": lambda: found().page_ptr.specific,
    "specific_deferred": lambda: found().page_ptr.specific_deferred,
    "the last draft": lambda: found().get_latest_revision_as_object(),
    "read again": lambda: [page := found(), page.refresh_from_db()][0],
    "a copy": lambda: copy.deepcopy(found()),
    "from a cache": lambda: pickle.loads(pickle.dumps(found())),  # noqa: S301
    "an alias": lambda: CoursePage.objects.exclude(alias_of=None).get(),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_no_reader_of_a_page_gets_what_is_restricted(sold, read, page, request):
    if "alias" in request.node.callspec.id:
        sold.create_alias(update_slug="again")

    text = visit(lambda request: read(page()))
    told = read(page())

    for secret in (SECRET, SECRET_LEVEL):
        assert secret not in text
        assert secret in told or "alias" in request.node.callspec.id


def test_what_a_command_has_read_is_not_shown_to_a_visitor(sold):
    """As by a page that is kept in memory."""
    page = found()
    assert page.level == SECRET_LEVEL

    assert SECRET not in visit(lambda request: by_hand(page))


def test_who_has_access_asks_by_the_page(sold):
    member, stranger = Learner(make_learner()), Learner(make_learner())
    place_order(member.user, (sold.product, 1))

    def lessons(request):
        page = found()
        return page.open_for(request).has_access, by_hand(page)

    has_access, text = visit(lessons, member.client)
    assert has_access
    assert SECRET in text
    has_access, text = visit(lessons, stranger.client)
    assert not has_access
    assert SECRET not in text


def test_commands_read_what_is_there(sold, tmp_path):
    dump = tmp_path / "pages.json"
    call_command("dumpdata", "academy.CoursePage", output=str(dump))

    assert SECRET in dump.read_text()
    assert SECRET_LEVEL in by_hand(found())


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_command_for_the_public_reads_what_a_visitor_reads(sold, read):
    with restricted_fields_closed():
        text = read(found())

    for secret in (SECRET, SECRET_LEVEL):
        assert secret not in text


# What is stored stays


def through_bulk_update(page):
    CoursePage.objects.bulk_update([page], ["lessons", "level", "image"])


def raw(page):
    Model.save_base(page, raw=True)


WRITERS = {
    "save": lambda page: page.save(),
    "save of one field": lambda page: page.save(update_fields=["level", "lessons"]),
    "save without checks": lambda page: page.save(clean=False),
    "save_base": raw,
    "bulk_update": through_bulk_update,
    "publish": lambda page: page.save_revision().publish(),
    "publish the draft": lambda page: page.get_latest_revision().publish(),
    "unpublish": lambda page: page.unpublish(),
    "full_clean": lambda page: [page.full_clean(), page.save()],
    "move": lambda page: page.move(HomePage.objects.get(), pos="last-child"),
    "read again": lambda page: [page.refresh_from_db(), page.save()],
    "draft": lambda page: [
        draft := page.get_latest_revision_as_object(),
        draft.save_revision().publish(),
    ],
}


@pytest.mark.parametrize("before", [None, by_hand], ids=["", "after a look"])
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_page_that_is_saved_keeps_what_is_restricted(sold, write, before):
    def save(request):
        page = found()
        if before:
            before(page)
        write(page)

    visit(save)

    assert stored() == WHOLE
    assert SECRET in found().get_latest_revision_as_object().to_json()


def test_a_page_that_was_served_keeps_what_is_restricted(sold):
    def serve(request):
        page = found()
        page.serve(request).render()
        page.save_revision().publish()

    visit(serve)

    assert stored() == WHOLE


def test_a_copy_and_an_alias_have_what_is_restricted(sold):
    def make(request):
        home = HomePage.objects.get()
        found().copy(to=home, update_attrs={"slug": "copy"})
        found(alias_of=None, slug=sold.slug).create_alias(
            parent=home, update_slug="alias"
        )

    visit(make)

    for slug in ("copy", "alias"):
        assert SECRET in by_hand(found(slug=slug))


FORM = modelform_factory(CoursePage, fields=["title", "slug", "level", "intro"])


def by_form(page):
    initial = FORM(instance=page).initial
    assert initial.pop("level") == ""
    form = FORM({**initial, "level": ""}, instance=page)
    assert form.is_valid(), form.errors
    form.save()


def by_serializer(page):
    written = {**PageSerializer(page).data, "title": "New"}
    fresh = found()
    serializer = PageSerializer(fresh, {"level": written["level"]}, partial=True)
    serializer.is_valid(raise_exception=True)
    serializer.save()


def add_to(page):
    page.level += " and more"


def add_lesson(page):
    page.lessons = [*page.lessons, ("text", "more")]


CHANGES = {
    "append": lambda page: page.lessons.append(("text", "more")),
    "extend": lambda page: page.lessons.extend([("text", "more")]),
    "assignment": add_lesson,
    "text": add_to,
    "empty": lambda page: setattr(page, "lessons", []),
    "nothing": lambda page: setattr(page, "image", None),
    "rows": lambda page: page.wagtail_admin_comments.add(Comment()),
    "no rows": lambda page: page.wagtail_admin_comments.clear(),
    "rows set": lambda page: setattr(page, "wagtail_admin_comments", []),
    "a form": by_form,
    "DRF": by_serializer,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_was_not_seen_is_not_changed_by_mistake(sold, change):
    def try_it(request):
        page = found()
        with pytest.raises(RestrictedFieldClosed):
            change(page)
        page.save()

    visit(try_it)

    assert stored() == WHOLE


def test_what_is_set_without_a_look_is_stored_and_read(sold):
    def change(request):
        page = found()
        page.level = "Beginners"
        page.save()
        return page.level

    assert visit(change) == "Beginners"
    assert stored() == ("Beginners", *WHOLE[1:])


@pytest.mark.parametrize("way", ["the page", "all pages"])
def test_code_that_asks_changes_it(sold, way):
    def change(request):
        page = found()
        if way == "the page":
            page.show_restricted_fields()
            page.lessons.append(("text", "<p>more</p>"))
        else:
            with restricted_fields_open():
                page.lessons.append(("text", "<p>more</p>"))
        page.save()

    visit(change)

    assert stored() == WHOLE
    assert len(found().lessons) == 2


def test_a_command_appends(sold):
    page = found()

    page.lessons.append(("text", "<p>more</p>"))
    page.save()

    assert stored() == WHOLE
    assert len(found().lessons) == 2


def test_a_page_is_made_in_a_request(sold):
    def make(request):
        page = CoursePage(title="New", intro="New.", lessons=[("text", SECRET)])
        course_index().add_child(instance=page)
        return by_hand(page)

    assert SECRET in visit(make)
    assert SECRET in by_hand(found(title="New"))


def test_an_editor_sees_and_keeps_it(sold):
    editor = Editor()

    editor.publish(sold, title="Better")

    assert found().title == "Better"
    assert stored()[2]


def test_a_preview_leaves_the_next_code_as_it_was(sold):
    """Wagtail's own test case makes such requests, and doesn't end them."""
    sold.make_preview_request()

    assert SECRET in by_hand(found())
