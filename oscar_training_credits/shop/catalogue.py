"""What products cost in credits, for the pages that show them.

Oscar's templates price each product up to three times, with a query each. What is
read here serves them too, so that no page costs a query more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch, prefetch_related_objects

from .pricing import CreditPrice
from .training import has_read_stock, read_with_stock, training_of


@dataclass(frozen=True, slots=True)
class ProductTerms:
    """What a product costs in credits, and what Oscar knows of it."""

    credits: int
    access_days: int | None
    info: Any
    """Oscar's purchase info: price, availability, stockrecord."""

    @property
    def credit_only(self) -> bool:
        return isinstance(self.info.price, CreditPrice)


def terms_of_product(product: Any, strategy: Any) -> ProductTerms | None:
    """Return what `product` costs in credits; None if it takes no credits.

    A parent product takes credits if its variants can be had for nothing else.
    """
    if product.is_parent:
        return _terms_of_parent(product, strategy)
    if not has_read_stock(product):
        read_with_stock(product)
    training = training_of(product)
    if training is None or training.credits is None:
        return None
    info = strategy.fetch_for_product(product)
    return ProductTerms(training.credits, training.access_days, info)


def any_credit_only(formset: Iterable[Any], strategy: Any) -> bool:
    """Tell whether any line in a formset of basket lines has no price in money."""
    terms = [terms_of_product(form.instance.product, strategy) for form in formset]
    return any(each.credit_only for each in terms if each)


def _terms_of_parent(product: Any, strategy: Any) -> ProductTerms | None:
    _read_children(product)
    if not any(map(training_of, product.get_public_children())):
        return None
    info = strategy.fetch_for_parent(product)
    if not isinstance(info.price, CreditPrice):
        return None
    return ProductTerms(info.price.credits, None, info)


def _read_children(product: Any) -> None:
    # As `ProductQuerySet.prefetch_public_children` does, where Oscar looks first.
    if hasattr(product, "_prefetched_public_children"):
        return
    children = type(product).objects.public().select_related("training")
    lookup = Prefetch(
        "children",
        queryset=children.prefetch_related("stockrecords"),
        to_attr="_prefetched_public_children",
    )
    prefetch_related_objects([product], lookup)
