"""Django's admin for the terms of training products, also without course pages."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from .credits.models import TrainingProduct
from .credits.terms import PLAIN
from .shop.catalogue.training import sell_as_training


@admin.register(TrainingProduct)
class TrainingProductAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["product", "credits", "credit_only", "access_days"]
    list_filter = ["credit_only"]
    list_select_related = ["product"]
    search_fields = ["product__title", "=product__upc"]
    raw_id_fields = ["product"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["product"] if obj else []

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        # Through the service, which also puts the product's money prices by.
        terms = {name: getattr(obj, name) for name in PLAIN}
        saved = sell_as_training(
            obj.product,
            by=request.user,
            path_courses=obj.listed_courses(),
            **terms,
        )
        obj.pk = saved.pk

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
