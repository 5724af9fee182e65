"""The Wagtail side: the tree of pages and its pictures."""

from __future__ import annotations

import os

from django.conf import settings
from django.contrib.sites.models import Site as DjangoSite
from wagtail.coreutils import get_supported_content_language_variant
from wagtail.images import get_image_model
from wagtail.models import Collection, Locale, Page, Site

from ..models import (
    CourseIndexPage,
    CoursePage,
    HomePage,
    PathIndexPage,
    PathPage,
    PlanIndexPage,
    PlanPage,
)
from .artwork import picture
from .courses import HOME, INDEX, PATHS, PLANS, Bundle, Course

Image = get_image_model()


def make_home() -> HomePage:
    if home := HomePage.objects.first():
        return home
    root = make_root()
    home = publish(
        root,
        HomePage(
            title=settings.WAGTAIL_SITE_NAME,
            slug="northlight",
            image=make_image(
                "Northern lights",
                palette=["#0b1330", "#1f3a72", "#5fe0c2", "#8fb8ff", "#c9a6ff"],
                motif="lights",
            ),
            **HOME,
        ),
    )
    Site.objects.update_or_create(
        is_default_site=True,
        defaults={
            "hostname": "localhost",
            "site_name": settings.WAGTAIL_SITE_NAME,
            "root_page": home,
        },
    )
    # Wagtail's own welcome page, now that nothing points to it.
    for page in root.get_children().exact_type(Page):
        page.delete()
    return home


def make_root() -> Page:
    """Return the root of all pages; a flushed database has lost it."""
    if not Locale.objects.exists():
        Locale.objects.create(
            language_code=get_supported_content_language_variant(settings.LANGUAGE_CODE)
        )
    return Page.get_first_root_node() or Page.add_root(title="Root", slug="root")


def make_folder() -> Collection:
    """Return the folder of all pictures; a flushed database has lost it."""
    return Collection.get_first_root_node() or Collection.add_root(name="Root")


def set_addresses() -> None:
    """Let feeds and mails name the port that is served."""
    port = int(os.environ.get("PORT", 8000))
    DjangoSite.objects.update_or_create(
        pk=settings.SITE_ID,
        defaults={"domain": f"localhost:{port}", "name": settings.WAGTAIL_SITE_NAME},
    )
    site = Site.objects.get(is_default_site=True)
    if site.port != port:
        site.port = port
        site.save()


def make_index(home: HomePage) -> CourseIndexPage:
    return make_list(home, CourseIndexPage, "courses", INDEX)


def make_list(home: HomePage, model: type[Page], slug: str, texts: dict[str, str]):
    if index := model.objects.first():
        return index
    return publish(home, model(slug=slug, show_in_menus=True, **texts))


def make_course_page(index: CourseIndexPage, course: Course, *, product) -> None:
    if CoursePage.objects.filter(slug=course.slug).exists():
        return
    publish(
        index,
        CoursePage(
            title=course.title,
            slug=course.slug,
            intro=course.intro,
            search_description=course.intro,
            level=course.level,
            duration=course.duration,
            image=make_image(course.title, palette=course.palette, motif=course.motif),
            body=course.body,
            lessons=[
                ("text", course.lessons_intro),
                *(("lesson", vars(lesson)) for lesson in course.lessons),
            ],
            # Publishing makes these the terms on which the shop sells it.
            product=product,
            credits=course.credits,
            credit_only=course.price is None,
            access_days=course.access_days,
        ),
    )


def make_path_page(home: HomePage, path: Bundle, *, product, courses) -> None:
    """Sell `product` as a path through the products `courses`."""
    index = make_list(home, PathIndexPage, "paths", PATHS)
    listed = [("course", course.training) for course in courses]
    make_bundle_page(index, PathPage, path, product=product, path_courses=listed)


def make_plan_page(home: HomePage, plan: Bundle, *, product, content) -> None:
    """Sell `product` as a plan that opens the range `content`."""
    index = make_list(home, PlanIndexPage, "plans", PLANS)
    make_bundle_page(index, PlanPage, plan, product=product, plan_content=content)


def make_bundle_page(index: Page, model: type[Page], bundle: Bundle, **terms) -> None:
    if model.objects.filter(slug=bundle.slug).exists():
        return
    publish(
        index,
        model(
            title=bundle.title,
            slug=bundle.slug,
            intro=bundle.intro,
            search_description=bundle.intro,
            image=make_image(bundle.title, palette=bundle.palette, motif=bundle.motif),
            body=bundle.body,
            credits=bundle.credits,
            credit_only=bundle.price is None,
            access_days=bundle.access_days,
            **terms,
        ),
    )


def publish(parent: Page, page: Page) -> Page:
    parent.add_child(instance=page)
    page.save_revision().publish()
    return page


def make_image(title: str, *, palette: list[str], motif: str):
    return Image.objects.create(
        title=title,
        collection=make_folder(),
        file=picture(title.lower().replace(" ", "-"), palette=palette, motif=motif),
    )
