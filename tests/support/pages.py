"""Pages of the sandbox, for tests."""

from __future__ import annotations

from itertools import count
from typing import Any

from wagtail.models import Locale, Page, Site
from wagtail.rich_text import RichText

from sandbox.academy.models import (
    CourseIndexPage,
    CoursePage,
    HomePage,
    PathIndexPage,
    PathPage,
    PlanIndexPage,
    PlanPage,
)
from sandbox.academy.seed.pages import make_list, publish

numbers = count(1)
SECRET = "the first lesson"


def course_index() -> Any:
    """Return the page under which courses are, with all that Wagtail needs above."""
    if found := CourseIndexPage.objects.first():
        return found
    Locale.objects.get_or_create(language_code="en-gb")
    root = Page.get_first_root_node() or Page.add_root(title="Root", slug="root")
    home = root.add_child(
        instance=HomePage(title="Home", slug="academy", headline="Hi", intro="Hello")
    )
    Site.objects.update_or_create(
        is_default_site=True,
        defaults={"hostname": "testserver", "port": 80, "root_page": home},
    )
    return home.add_child(
        instance=CourseIndexPage(title="Courses", slug="courses", intro="All courses")
    )


def make_course(product: Any, **terms: Any) -> Any:
    """Return a course page, published, with a lesson that holds SECRET."""
    page = CoursePage(
        title=f"Course {next(numbers)}",
        intro="What it is about.",
        product=product,
        lessons=[("lesson", lesson())],
        **terms,
    )
    course_index().add_child(instance=page)
    page.save_revision().publish()
    page.refresh_from_db()
    return page


def with_text_for_members(course: Any, hidden: str) -> Any:
    """Return a course page, published anew, with a restricted block in its body."""
    course.body = [
        ("text", "<p>For everybody</p>"),
        ("members", [("text", f"<p>{hidden}</p>")]),
    ]
    course.save_revision().publish()
    return CoursePage.objects.get(pk=course.pk)


def lesson() -> dict[str, Any]:
    block = CoursePage._meta.get_field("lessons").stream_block.child_blocks["lesson"]
    values = {name: child.get_default() for name, child in block.child_blocks.items()}
    text = RichText("<p>Read this.</p>")
    return {**values, "title": SECRET, "minutes": 5, "text": text}


def make_path(product: Any, *courses: Any, **terms: Any) -> Any:
    """Return a page, published, that sells a path of the `courses` of these pages."""
    listed = [("course", course.training) for course in courses]
    page = PathPage(
        title="A path", intro="In order.", product=product, path_courses=listed, **terms
    )
    return publish(course_list(PathIndexPage, "paths"), page)


def make_plan(product: Any, content: Any, **terms: Any) -> Any:
    """Return a page, published, that sells a plan for the range `content`."""
    page = PlanPage(
        title="A plan", intro="All.", product=product, plan_content=content, **terms
    )
    return publish(course_list(PlanIndexPage, "plans"), page)


def course_list(model: Any, slug: str) -> Any:
    home = course_index().get_parent()
    return make_list(home, model, slug, {"title": slug.title(), "intro": "All."})
