from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet
from wagtail import hooks

from . import publishing, reports
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
def add_training_to_summary(request: Any, summary_items: list[Any]) -> None:
    summary_items.append(reports.TrainingSummaryItem(request))


@hooks.register("register_permissions")
def register_permissions_of_editors() -> QuerySet[Permission]:
    """Offer groups the reports, and making a product from a page."""
    reported = ["view_trainingproduct", "view_termschange"]
    return Permission.objects.filter(
        Q(content_type__app_label="training_credits", codename__in=reported)
        | Q(content_type__app_label="catalogue", codename="add_product")
    )


@hooks.register("before_bulk_action")
def leave_out_of_bulk(
    request: Any, action_type: str, objects: list[Any], action: Any
) -> None:
    publishing.leave_out_of_bulk(request, action_type, objects, action)


@hooks.register("register_log_actions")
def register_left_out(actions: Any) -> None:
    actions.register_action(publishing.LEFT_OUT)(publishing.LeftOut)
