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

from ..aliases import Basket, Order, Product, Request
from ..credits import wording
from ..credits.codes import managing
from ..credits.ledger.quoting import Quote
from ..credits.models import TrainingProduct
from ..shop import boxes, personal, totals
from ..shop.basket import answers, typed_codes
from ..shop.basket.quotes import quote_of
from ..shop.catalogue import prices
from ..shop.catalogue import training as training_products
from ..shop.catalogue.content_links import closed_to_visitor, page_of
from ..shop.catalogue.prices import ProductCredits
from ..shop.catalogue.training import takes_part
from ..shop.order import confirmed, packs_bought, places_bought, settlements
from ..shop.order.packs_bought import PackBought
from ..shop.order.places_bought import LinePlaces
from ..shop.order.settlements import OrderContent, OrderSettlement
from ..shop.prices import CreditPrice

register = template.Library()


@register.filter
def in_credits(credits: int | None) -> str:
    """Put a number of credits into the site's own words: “20 credits”."""
    return wording.in_words(credits or 0)


@register.filter
def name_of(user: Any) -> str:
    """Return the name of a user, else the e-mail address, else the username."""
    return wording.name_of(user)


@register.filter
def last_day(moment: datetime | None) -> str:
    """Return the last day of what ends at `moment`: at midnight, the day before."""
    return wording.last_day(moment) if moment else ""


@register.filter
def end_in_words(moment: datetime | None) -> str:
    """Return for staff when something ends: its last day, or to the minute."""
    return wording.end_in_words(moment) if moment else ""


@register.simple_tag
def training_of(product: Product) -> TrainingProduct | None:
    """Return the terms on which a product is sold as training, or None."""
    return training_products.training_of(product) if product else None


@register.simple_tag
def basket_quote(basket: Basket) -> Quote | None:
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
def credits_of_basket(basket: Basket) -> int:
    """Return the credits that the lines of a basket cost; 0 if all cost money."""
    return totals.basket_credits(basket)


@register.simple_tag
def basket_total(
    basket: Basket, *, with_tax: bool = True, with_discounts: bool = True
) -> str:
    """Put what a basket costs into words: “£90.00 + 35 credits”."""
    return totals.basket_total(basket, with_tax=with_tax, with_discounts=with_discounts)


@register.simple_tag
def total_in_words(price: Any, basket: Basket) -> str:
    """Put the order total of a basket, Oscar's `order_total`, into words."""
    return totals.price_and_credits(price, basket)


@register.simple_tag
def credit_only_lines(formset: Any, strategy: Any) -> bool:
    """Tell whether a saved basket holds products that have no price in money."""
    return prices.any_credit_only(formset, strategy)


@register.simple_tag
def credits_of_product(product: Product, request: Request) -> ProductCredits | None:
    """Return what a product costs in credits; None if it takes no credits.

    Costs no query: Oscar's templates, which price the product as well, ask less.
    """
    return prices.credits_of_product(product, request.strategy) if request else None


@register.inclusion_tag("training_credits/page_link.html")
def page_link(product: Product) -> dict[str, str]:
    """Link to the page of what a product opens as training, if it has one."""
    return {"link": page_of(product) if product else ""}


@register.simple_tag
def closed_text(product: Product, request: Request) -> str:
    """Return why a visitor is not sold training that they could not open, if so.

    Costs no query for what is no training.
    """
    if not (product and request and training_of(product)):
        return ""
    return closed_to_visitor(request.strategy).get(product.pk, "")


@register.simple_tag
def settlement_of(order: Order, *, or_money: bool = False) -> OrderSettlement | None:
    """Return how an order was paid in credits; None if it was not.

    With `or_money` also of an order that took no credits.
    """
    return settlements.settlement_of(order, or_money=bool(or_money))


@register.simple_tag
def credits_of_order_line(line: Any) -> int | None:
    """Return the credits that an order line was paid in, if it was."""
    return settlements.line_credits(line)


@register.simple_tag
def contents_of(order: Order, *, domain: str = "") -> list[OrderContent]:
    """Return what the training in an order opens, with links to it.

    With the site's `domain` the links are absolute, for a mail.
    """
    return settlements.contents_of(order, domain=domain)


@register.simple_tag
def packs_of(order: Order, *, domain: str = "") -> list[PackBought]:
    """Return the packs of credits that an order has bought, with links to their code.

    With the site's `domain` the links are absolute, for a mail.
    """
    return packs_bought.packs_of(order, domain=domain)


@register.inclusion_tag("training_credits/packs.html", takes_context=True)
def credit_packs(context: Context) -> dict[str, Any]:
    """List the packs of credits on sale, with buttons that put them in the basket."""
    request = context["request"]
    return {"request": request, "offered": packs_bought.packs_on_sale(request)}


@register.simple_tag(takes_context=True)
def looks_after_codes(context: Context) -> bool:
    """Tell whether the user looks after a code, and so has *My credits*."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if not (user and user.is_authenticated):
        return False
    return managing.codes_of(user).exists()


@register.simple_tag(takes_context=True)
def places_of(context: Context, order: Order) -> list[LinePlaces]:
    """Return the places of an order, with their links, for its buyer alone."""
    return places_bought.places_of(order, request=context.get("request"))


@register.simple_tag
def paid_in_credits(orders: Any) -> bool:
    """Tell whether any order of a list was paid in credits."""
    return totals.any_in_credits(orders)


@register.simple_tag
def order_total(order: Order) -> str:
    """Put the total of an order in a list into words."""
    return totals.order_total(order)


@register.simple_tag
def total_spent(record: Any) -> str:
    """Put what a user spent, as Oscar's report counts it, into words."""
    return totals.total_spent(record)


@register.simple_tag
def credits_of_price(price: Any) -> int | None:
    """Return the credits of one unit, if this is a price in credits."""
    return price.credits if isinstance(price, CreditPrice) else None


@register.inclusion_tag("training_credits/code_box.html", takes_context=True)
def code_box(
    context: Context,
    *,
    editable: bool = True,
    is_main: bool = True,
    form_id: str = "",
) -> dict[str, Any]:
    """Show the box for codes of a shopping basket, and the exact split.

    With `editable=False` only the split, for a page that asks to confirm. With
    `is_main=False` its button never stands out, for a page with another one that does.
    `form_id` is the `id` of its form: Oscar's basket page calls it `voucher_form`.
    """
    request = context["request"]
    basket = context.get("basket") or request.basket
    box = boxes.basket_box(basket, total=context.get("order_total"))
    if box:
        personal.mark(request)
    return {
        "request": request,
        "basket": basket,
        "box": box,
        "answer": answers.pop(request) if editable else None,
        "ask_url": boxes.ask_url(box, request) if editable else "",
        "editable": editable,
        "is_main": is_main,
        "form_id": form_id,
        "typed": retry.typed if (retry := typed_codes.retry_of(request)) else None,
        "next": typed_codes.page_of(request, request.get_full_path()),
    }


@register.inclusion_tag("training_credits/ask_link.html", takes_context=True)
def ask_link(context: Context) -> dict[str, Any]:
    """Lead to the form that asks for credits, where a basket lacks any.

    `code_box` has the link as well: this is for a page that shows a refusal without it.
    """
    request = context["request"]
    basket = context.get("basket") or request.basket
    takes = basket.pk and takes_part(basket)
    box = boxes.basket_box(basket, total=None) if takes else None
    return {"ask_url": boxes.ask_url(box, request)}


@register.inclusion_tag("training_credits/basket_notes.html")
def basket_notes(basket: Basket) -> dict[str, Any]:
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
    return {
        "name": confirmed.FIELD,
        "value": confirmed.write(confirmed.price_of(basket, total)),
    }


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
