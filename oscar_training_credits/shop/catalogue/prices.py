"""What products cost in credits, for the pages that show them.

Oscar's templates price each product up to three times, with a query each. What is
read here serves them too, so that no page costs a query more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch, prefetch_related_objects
from django.utils.translation import gettext as _

from ...aliases import Product
from ...credits import wording
from ..prices import CreditPrice
from .training import TERMS, read_with_stock, training_of


@dataclass(frozen=True, slots=True)
class ProductCredits:
    """What a product costs in credits, and what Oscar knows of it."""

    credits: int
    """What it costs, or the cheapest of its variants that take credits."""
    access_days: int | None
    info: Any
    """Oscar's purchase info: price, availability, stockrecord."""
    is_from: bool = False
    """Some of its variants cost more credits."""

    @property
    def credit_only(self) -> bool:
        return isinstance(self.info.price, CreditPrice)

    @property
    def amount(self) -> str:
        """The credits in words: “20 credits”, or “from 20 credits”."""
        amount = wording.in_words(self.credits)
        return _("from %(amount)s") % {"amount": amount} if self.is_from else amount


def credits_of_product(product: Product, strategy: Any) -> ProductCredits | None:
    """Return what `product` costs in credits; None if it takes no credits.

    A parent product takes the credits of its variants, of whichever take any.
    """
    if product.is_parent:
        return _terms_of_parent(product, strategy)
    read_with_stock([product])
    training = training_of(product)
    if training is None or training.credits is None:
        return None
    info = strategy.fetch_for_product(product)
    return ProductCredits(training.credits, training.access_days, info)


def any_credit_only(formset: Iterable[Any], strategy: Any) -> bool:
    """Tell whether any line in a formset of basket lines has no price in money."""
    terms = [credits_of_product(form.instance.product, strategy) for form in formset]
    return any(each.credit_only for each in terms if each)


def _terms_of_parent(product: Product, strategy: Any) -> ProductCredits | None:
    _read_children(product)
    trainings = map(training_of, product.get_public_children())
    amounts = {each.credits for each in trainings if each and each.credits is not None}
    if not amounts:
        return None
    info = strategy.fetch_for_parent(product)
    return ProductCredits(min(amounts), None, info, is_from=len(amounts) > 1)


def _read_children(product: Product) -> None:
    # As `ProductQuerySet.prefetch_public_children` does, where Oscar looks first.
    if hasattr(product, "_prefetched_public_children"):
        return
    children = type(product).objects.public().select_related(*TERMS)
    lookup = Prefetch(
        "children",
        queryset=children.prefetch_related("stockrecords"),
        to_attr="_prefetched_public_children",
    )
    prefetch_related_objects([product], lookup)
