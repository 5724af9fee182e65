"""What a code may pay for."""

from __future__ import annotations

from collections.abc import Iterable

from ...models import CreditCode
from ...ranges import products_in
from ..refusals import Reason, Refusal
from .asking import Purchase


def opens_content(code: CreditCode, purchase: Purchase) -> Refusal | None:
    if purchase.product_ids and not payable_products(code, purchase.product_ids):
        return Refusal(Reason.WRONG_CONTENT)
    return None


def payable_products(code: CreditCode, product_ids: Iterable[int]) -> frozenset[int]:
    """Return those of `product_ids` that the code's content allows."""
    if not code.content:
        return frozenset(product_ids)
    return products_in(code.content, product_ids)
