"""Oscar's own offers, for tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from oscar.core.loading import get_class, get_model

Benefit: Any = get_model("offer", "Benefit")
Condition: Any = get_model("offer", "Condition")
PostOrderAction: Any = get_class("offer.results", "PostOrderAction")


class Points(Benefit):
    """A benefit after the order: points for a customer."""

    description = "100 points"

    class Meta:
        app_label = "offer"
        proxy = True
        managed = False

    def apply(self, basket: Any, condition: Any, offer: Any, **kwargs: Any) -> Any:
        condition.consume_items(offer, basket, ())
        return PostOrderAction("You get 100 points")

    def apply_deferred(self, basket: Any, order: Any, application: Any) -> str:
        return "You got 100 points"


def everything() -> Any:
    Range = get_model("offer", "Range")
    return Range.objects.get_or_create(name="All", includes_all_products=True)[0]


def make_offer(
    condition: tuple[str, int],
    benefit: tuple[str, int | None],
    *,
    offer_type: str = "Site",
    of: Any = None,
    proxy_class: str | None = None,
) -> Any:
    """Return an offer over everything: (type, value) of its condition and benefit."""
    products = of or everything()
    (asked, number), (given, value) = condition, benefit
    amount = None if value is None else Decimal(value)
    return get_model("offer", "ConditionalOffer").objects.create(
        name=f"{given} for {asked} {number}",
        offer_type=offer_type,
        condition=Condition.objects.create(range=products, type=asked, value=number),
        benefit=Benefit.objects.create(
            range=None if "Shipping" in given else products,
            type="" if proxy_class else given,
            value=amount,
            proxy_class=proxy_class,
        ),
    )
