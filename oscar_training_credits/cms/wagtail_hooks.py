from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet
from wagtail import hooks

from ..aliases import Request
from ..shop import personal
from . import leaving, privacy, publishing, reports
from .choosers import (
    product_chooser_viewset,
    range_chooser_viewset,
    training_chooser_viewset,
)


@hooks.register("register_admin_viewset")
def register_choosers() -> list[Any]:
    return [product_chooser_viewset, training_chooser_viewset, range_chooser_viewset]


@hooks.register("register_admin_urls")
def register_reports() -> list[Any]:
    return reports.urls()


@hooks.register("register_admin_menu_item")
def register_training_menu() -> Any:
    return reports.menu()


@hooks.register("construct_homepage_summary_items")
def add_training_to_summary(request: Request, summary_items: list[Any]) -> None:
    summary_items.append(reports.TrainingSummaryItem(request))


@hooks.register("on_serve_page")
def keep_personal_pages_out_of_caches(serve_next: Any) -> Any:
    """Let nobody keep a page of any model that has a box for codes."""

    def serve(page: Any, request: Request, args: Any, kwargs: Any) -> Any:
        response = serve_next(page, request, args, kwargs)
        return personal.guard(response, request)

    return serve


@hooks.register("register_permissions")
def register_permissions_of_editors() -> QuerySet[Permission]:
    """Offer groups the reports, and making a product from a page."""
    reported = ["view_trainingproduct", "view_termschange"]
    return Permission.objects.filter(
        Q(content_type__app_label="training_credits", codename__in=reported)
        | Q(content_type__app_label="catalogue", codename="add_product")
    )


# Before Wagtail's own, which asks for the restrictions of the page.
@hooks.register("on_serve_page", order=-1)
def open_to_learners(serve: Any) -> Any:
    return privacy.open_to_learners(serve)


@hooks.register("before_bulk_action")
def leave_out_of_bulk(
    request: Request, action_type: str, objects: list[Any], action: Any
) -> None:
    publishing.leave_out_of_bulk(request, action_type, objects, action)


@hooks.register("before_unpublish_page")
def note_sold(request: Request, page: Any) -> None:
    with_subpages = bool(request.POST.get("include_descendants"))
    leaving.note_sold(request, [page], with_subpages=with_subpages)


@hooks.register("after_unpublish_page")
def tell_off_sale(request: Request, page: Any) -> None:
    leaving.tell_off_sale(request)


@hooks.register("before_bulk_action")
def note_sold_in_bulk(
    request: Request, action_type: str, objects: list[Any], action: Any
) -> None:
    if action_type == "unpublish" and all(map(publishing.is_page, objects)):
        chosen = action.cleaned_form.cleaned_data
        with_subpages = bool(chosen.get("include_descendants"))
        leaving.note_sold(request, objects, with_subpages=with_subpages)


@hooks.register("after_bulk_action")
def tell_off_sale_in_bulk(
    request: Request, action_type: str, objects: list[Any], action: Any
) -> None:
    leaving.tell_off_sale(request)


@hooks.register("register_log_actions")
def register_left_out(actions: Any) -> None:
    actions.register_action(publishing.LEFT_OUT)(publishing.LeftOut)
