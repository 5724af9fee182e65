"""A basket merged at log-in, brought back to what may be bought."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.utils.translation import ngettext

from ...aliases import Basket, Request
from ...conf import settings
from ..catalogue.training import training_of


def trim_places(basket: Basket, *, request: Request) -> None:
    """Bring a merged basket back to what may be bought, and say so."""
    most = settings.MOST_PLACES
    left: dict[Any, int] = {}
    for line in basket.lines.select_related("product__training").order_by("pk"):
        if not training_of(line.product):
            continue
        allowed = left.get(line.product_id, most)
        left[line.product_id] = max(0, allowed - line.quantity)
        if line.quantity <= allowed:
            continue
        line.quantity = allowed
        if allowed:
            line.save(update_fields=["quantity"])
        else:
            line.delete()
        messages.info(request, _trimmed_text(line.product.get_title(), most))
    basket.reset_offer_applications()


def _trimmed_text(title: str, most: int) -> str:
    text = ngettext(
        "“%(title)s” is in your basket once: more can't be bought in one order.",
        "“%(title)s” is in your basket %(most)s times: more can't be bought in one"
        " order.",
        most,
    )
    return text % {"title": title, "most": most}
