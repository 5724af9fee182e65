"""What a range of the shop contains: asked here alone, and of the range itself.

Oscar answers the question twice: `Range.objects.contains_product(product)` leaves out
children whose parent is of the range's product type, and knows no ranges that code
computes. Oscar's own offers ask the range, and so do plans and codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .models import TrainingProduct
from .terms import ProductKind


def products_in(content: Any, product_ids: Iterable[int]) -> frozenset[int]:
    """Return those of `product_ids` that the range `content` contains."""
    wanted = frozenset(product_ids)
    if content.proxy_class:
        # What code computes need not have a queryset.
        products = _products().filter(pk__in=wanted)
        return frozenset(each.pk for each in products if content.contains_product(each))
    inside = content.all_products().filter(pk__in=wanted).order_by()
    return frozenset(inside.values_list("pk", flat=True))


def courses_in(content: Any) -> list[TrainingProduct]:
    """Return the courses that the range `content` contains, by their titles."""
    every = TrainingProduct.objects.filter(kind=ProductKind.COURSE)
    courses = every.select_related("product").order_by("product__title", "pk")
    if content.proxy_class:
        return [each for each in courses if content.contains_product(each.product)]
    inside = content.all_products().order_by().values("pk")
    return list(courses.filter(product__in=inside))


def _products() -> Any:
    Product: Any = TrainingProduct._meta.get_field("product").related_model
    return Product._default_manager
