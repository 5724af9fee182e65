"""`{% load training_credits %}`: credits in a site's own templates.

The tags compute nothing: each asks one function and renders one small template.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.template import Context
from django.template.base import NodeList, Parser, Token
from django.template.loader_tags import ExtendsNode

from ..credits import wording
from ..credits.models import TrainingProduct
from ..credits.quoting import Quote
from ..shop import (
    boxes,
    catalogue,
    flash,
    places_bought,
    settlements,
    shown,
    totals,
)
from ..shop.catalogue import ProductTerms
from ..shop.places_bought import LinePlaces
from ..shop.pricing import CreditPrice
from ..shop.quotes import quote_of
from ..shop.settlements import OrderContent, OrderSettlement
from ..shop.training import takes_part, training_of

register = template.Library()


@register.filter
def in_credits(credits: int | None) -> str:
    """Put a number of credits into the site's own words: “20 credits”."""
    return wording.in_words(credits or 0)


@register.filter
def last_day(moment: datetime | None) -> str:
    """Return the last day of what ends at `moment`: at midnight, the day before."""
    return wording.last_day(moment) if moment else ""


@register.filter
def end_in_words(moment: datetime | None) -> str:
    """Return for staff when something ends: its last day, or to the minute."""
    return wording.end_in_words(moment) if moment else ""


@register.simple_tag
def training_terms(product: Any) -> TrainingProduct | None:
    """Return the terms on which a product is sold as training, or None."""
    return training_of(product) if product else None


@register.simple_tag
def basket_quote(basket: Any) -> Quote | None:
    """Return how the applied codes settle a basket; None if no line takes credits."""
    if not basket or not basket.pk or not takes_part(basket):
        return None
    quote = quote_of(basket)
    return quote if quote.items or quote.codes else None


@register.simple_tag
def credits_of_line(line: Any) -> int | None:
    """Return the credits that a basket line costs, if it is not paid with money."""
    return totals.line_credits(line)


@register.simple_tag
def credits_of_basket(basket: Any) -> int:
    """Return the credits that the lines of a basket cost; 0 if all cost money."""
    return totals.basket_credits(basket)


@register.simple_tag
def basket_total(basket: Any, *, with_tax: bool = True) -> str:
    """Put what a basket costs into words: “£90.00 + 35 credits”."""
    return totals.basket_total(basket, with_tax=with_tax)


@register.simple_tag
def total_in_words(price: Any, basket: Any) -> str:
    """Put the order total of a basket, Oscar's `order_total`, into words."""
    return totals.price_and_credits(price, basket)


@register.simple_tag
def credit_only_lines(formset: Any, strategy: Any) -> bool:
    """Tell whether a saved basket holds products that have no price in money."""
    return catalogue.any_credit_only(formset, strategy)


@register.simple_tag
def product_terms(product: Any, request: Any) -> ProductTerms | None:
    """Return what a product costs in credits; None if it takes no credits.

    Costs no query: Oscar's templates, which price the product as well, ask less.
    """
    return catalogue.terms_of_product(product, request.strategy) if request else None


@register.simple_tag
def settlement_of(order: Any) -> OrderSettlement | None:
    """Return how an order was paid in credits; None if it was not."""
    return settlements.settlement_of(order)


@register.simple_tag
def credits_of_order_line(line: Any) -> int | None:
    """Return the credits that an order line was paid in, if it was."""
    return settlements.line_credits(line)


@register.simple_tag
def contents_of(order: Any, *, domain: str = "") -> list[OrderContent]:
    """Return what the training in an order opens, with links to it.

    With the site's `domain` the links are absolute, for a mail.
    """
    return settlements.contents_of(order, domain=domain)


@register.simple_tag(takes_context=True)
def places_of(context: Context, order: Any) -> list[LinePlaces]:
    """Return the places of an order, with their links, for its buyer alone."""
    return places_bought.places_of(order, request=context.get("request"))


@register.simple_tag
def paid_in_credits(orders: Any) -> bool:
    """Tell whether any order of a list was paid in credits."""
    return totals.any_in_credits(orders)


@register.simple_tag
def order_total(order: Any) -> str:
    """Put the total of an order in a list into words."""
    return totals.order_total(order)


@register.simple_tag
def credits_of_price(price: Any) -> int | None:
    """Return the credits of one unit, if this is a price in credits."""
    return price.credits if isinstance(price, CreditPrice) else None


@register.inclusion_tag("training_credits/code_box.html", takes_context=True)
def code_box(context: Context, *, editable: bool = True) -> dict[str, Any]:
    """Show the box for codes of a shopping basket, and the exact split.

    With `editable=False` only the split, for a page that asks to confirm.
    """
    request = context["request"]
    basket = context.get("basket") or request.basket
    return {
        "request": request,
        "basket": basket,
        "box": boxes.basket_box(basket, total=context.get("order_total")),
        "answer": flash.pop(request) if editable else None,
        "editable": editable,
        "next": request.get_full_path(),
    }


@register.inclusion_tag("training_credits/already_yours.html")
def already_yours(basket: Any) -> dict[str, Any]:
    """Say what of a basket's training the learner has already, or buys for several."""
    takes = basket and basket.pk and takes_part(basket)
    return {"rows": boxes.notes_on(basket) if takes else []}


@register.inclusion_tag("training_credits/purchase.html", takes_context=True)
def training_purchase(context: Context, source: Any) -> dict[str, Any]:
    """Offer a training product for purchase in place.

    `source` is a training page or an Oscar product.
    """
    return boxes.purchase_box(source, request=context["request"])


@register.inclusion_tag("training_credits/shown.html", takes_context=True)
def shown_terms(context: Context) -> dict[str, Any]:
    """Put what the learner is shown into the form that confirms an order.

    Without it a price that rises at that very moment would go unnoticed, and the
    same form sent twice would not lead to the first order.
    """
    basket, total = context.get("basket"), context.get("order_total")
    if not basket or total is None or not takes_part(basket):
        return {}
    return {"name": shown.FIELD, "value": shown.write(shown.terms_of(basket, total))}


@register.tag
def next_template(parser: Parser, token: Token) -> NextTemplateNode:
    """Render the template of the same name that this one stands in front of.

    For a template without blocks, where `extends` has nothing to fill. Blocks that a
    site fills in front of this template are filled in the next one as well.
    """
    name = parser.origin.template_name  # type: ignore[union-attr]
    return NextTemplateNode(NodeList(), parser.compile_filter(f'"{name!s}"'))


class NextTemplateNode(ExtendsNode):
    """`extends` in the middle of a template, so that it can depend on something."""

    must_be_first = False
