"""What a code may pay for."""

from __future__ import annotations

from collections.abc import Iterable

from ...models import CreditCode, CreditRequest, CreditRequestLine
from ...ranges import products_in
from ..refusals import Reason, Refusal
from .asking import Purchase


def opens_content(code: CreditCode, purchase: Purchase) -> Refusal | None:
    if purchase.product_ids and not payable_products(code, purchase.product_ids):
        return Refusal(Reason.WRONG_CONTENT)
    return None


def payable_products(code: CreditCode, product_ids: Iterable[int]) -> frozenset[int]:
    """Return those of `product_ids` that the code's content allows."""
    product_ids = frozenset(product_ids)
    if code.parent_id and code.one_order_only:
        product_ids = _asked_for(code, product_ids)
    if not code.content:
        return product_ids
    return products_in(code.content, product_ids)


def _asked_for(code: CreditCode, product_ids: frozenset[int]) -> frozenset[int]:
    """Return what of `product_ids` a code is for that answers a request; else all."""
    lines = CreditRequestLine.objects.filter(request__child=code.pk)
    wanted = frozenset(lines.values_list("training__product_id", flat=True))
    if not wanted and not CreditRequest.objects.filter(child=code.pk).exists():
        return product_ids
    # With nothing left of what was asked for, it is for nothing.
    return product_ids & wanted
