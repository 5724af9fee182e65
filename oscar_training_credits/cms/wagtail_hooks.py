from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from wagtail import hooks

from .choosers import (
    product_chooser_viewset,
    range_chooser_viewset,
    training_chooser_viewset,
)


@hooks.register("register_admin_viewset")
def register_choosers() -> list[Any]:
    return [product_chooser_viewset, training_chooser_viewset, range_chooser_viewset]


@hooks.register("register_permissions")
def register_permission_to_create_products() -> QuerySet[Permission]:
    return Permission.objects.filter(
        content_type__app_label="catalogue", codename="add_product"
    )
