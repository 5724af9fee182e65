"""Where the content of training products is: the live page that sells them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import IntegerField, QuerySet, Value
from wagtail.models import Locale

from ..aliases import Request
from ..credits.access import status
from ..credits.access.status import NO_ACCESS, AccessStatus
from ..credits.models import TrainingProduct
from ..credits.ranges import courses_in
from ..credits.terms import ProductKind
from ..shop.catalogue.content_links import product_pages
from .selling import training_page_models


def course_pages(trainings: Iterable[TrainingProduct]) -> dict[int, str]:
    """Return the address of the page, or of the product where it has none.

    Of a page and its translations that is the one in the language of the moment. A
    page that stands outside every site has no address.
    One query for each page model that has the mixin; two for the page of one training.
    """
    trainings = list(trainings)
    by_product = {each.product_id: each.pk for each in trainings}
    links = product_pages(trainings)
    here = _language()
    for pages in _live_pages(by_product):
        # The last one wins: in this language, and the oldest of them.
        for page in sorted(pages, key=lambda page: (page.locale_id == here, -page.pk)):
            # None where no site's root is above it: nobody can open it.
            if link := page.get_url():
                links[by_product[page.product_id]] = link
    return links


def _live_pages(product_ids: Collection[int]) -> list[QuerySet[Any]]:
    """Return the live pages that sell these products, by their model."""
    found = [
        model._default_manager.filter(product_id__in=product_ids, live=True)
        for model in training_page_models()
    ]
    if len(product_ids) > 1 or len(found) < 3:
        return found
    # One is on pages of one model, as a rule, and a page has many columns.
    first, *others = (
        pages.order_by().values_list(Value(number, IntegerField()))
        for number, pages in enumerate(found)
    )
    return [found[number] for (number,) in first.union(*others)]


def _language() -> int | None:
    if not getattr(settings, "WAGTAIL_I18N_ENABLED", False):
        return None
    return cast("int", Locale.get_active().pk)


@dataclass(frozen=True, slots=True)
class OpenedCourse:
    """A course that a path or a plan opens, and how a learner stands with it."""

    training: TrainingProduct
    link: str
    """The address of its page; empty if it is off sale."""
    access_status: AccessStatus

    @property
    def title(self) -> str:
        return str(self.training.product.get_title())


def opened_courses(page: Any, request: Request) -> list[OpenedCourse]:
    """Return the courses that a path's or a plan's page sells, for its visitor.

    Those of a path are in its order, those of a plan in that of their titles. They
    are as this page has them, so that its preview shows the draft's. On a page that
    everybody shares they are a stranger's.
    """
    learner = request.user if page.is_personal(request) else AnonymousUser()
    trainings = list(_trainings_in(page))
    links = course_pages(trainings)
    access_statuses = status.access_statuses(learner, trainings)
    return [
        OpenedCourse(
            each,
            links[each.pk] if each.product.is_public else "",
            access_statuses.get(each.pk, NO_ACCESS),
        )
        for each in trainings
    ]


def _trainings_in(page: Any) -> Iterable[TrainingProduct]:
    if page.kind == ProductKind.PATH:
        listed: tuple[TrainingProduct, ...] = page.terms["path_courses"]
        return listed
    if page.kind != ProductKind.PLAN or not page.plan_content:
        return ()
    return courses_in(page.plan_content)
