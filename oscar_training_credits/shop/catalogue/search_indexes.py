"""Oscar's search index of products, with credits."""

from __future__ import annotations

from typing import Any

from ...mixins import Extension
from .prices import credits_of_product


class ProductIndexMixin(Extension):
    """For Oscar's `search.search_indexes.ProductIndex`.

    What is sold for credits alone has no price in money: by a price of 0 it would be
    sorted before all else, as if it were free.
    """

    def prepare_price(self, obj: Any) -> Any:
        price = super().prepare_price(obj)
        if price:
            return price
        terms = credits_of_product(obj, self.get_strategy())
        return None if terms and terms.credit_only else price

    def get_strategy(self) -> Any:
        return super().get_strategy()
