"""What keeps training in a basket from being ordered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from django.utils.translation import gettext as _

from ...aliases import Basket
from ...credits.access import buying_again, granting, status
from ...credits.access.granting import Grounds
from ...credits.ledger.quoting import Item, Quote
from ...credits.models import CreditPack
from ...credits.terms import MOST_GRANTED
from ..catalogue.content_links import closed_content, closed_to_visitor
from ..catalogue.packs import pack_of
from ..catalogue.training import lines_with_terms, training_of, trainings_of
from .quotes import end_of_codes, quote_of


def unavailable_reasons(
    basket: Basket,
    *,
    grounds: Grounds | None = None,
    quote: Quote | None = None,
    is_locked: bool = False,
) -> dict[Any, str]:
    """Return what keeps lines of `basket` from being ordered, by their product.

    What is bought for several is not for its owner, who must be able to open it all
    the same. With `grounds` and `quote`, what has been read under the locks of an
    order is not asked again; once it `is_locked`, what this request asked before is.
    """
    quantities: Counter[Any] = Counter()
    trainings = {}
    too_many = {}
    for line in lines_with_terms(basket):
        if training := training_of(line.product):
            quantities[line.product] += line.quantity
            trainings[line.product] = training
        elif (pack := pack_of(line.product)) and not pack.may_be(line.quantity):
            too_many[line.product] = _too_many_packs(pack)
    if not trainings:
        return too_many
    own = [trainings[each] for each, quantity in quantities.items() if quantity == 1]
    again = (
        buying_again.refusals_again(basket.owner, own) if basket.owner and own else {}
    )
    closed = closed_in(basket, anew=is_locked)
    found = {
        product: buying_again.unavailable_reason(trainings[product], quantity)
        or closed.get(product.pk)
        or again.get(trainings[product].pk, "")
        for product, quantity in quantities.items()
    }
    idle = products_gaining_nothing(
        basket, grounds=grounds, quote=quote or quote_of(basket)
    )
    ordered = buying_again.ordered_already(basket.owner, own) if idle else {}
    for product in idle & found.keys():
        why = ordered.get(trainings[product].pk) or buying_again.nothing_gained()
        found[product] = found[product] or why
    return too_many | {product: text for product, text in found.items() if text}


def _too_many_packs(pack: CreditPack) -> str:
    text = _("One code can be given %(most)s of these at most.")
    return text % {"most": MOST_GRANTED // pack.credits}


def closed_in(basket: Basket, *, anew: bool = False) -> dict[int, str]:
    """Return why the owner of `basket` could not open what is sold, by product.

    Asked once for each request, or `anew`.
    """
    if not basket.has_strategy:
        return closed_content(basket.owner)
    strategy = basket.strategy
    if basket.owner == strategy.user and not anew:
        return closed_to_visitor(strategy)
    return closed_content(basket.owner, request=strategy.request)


def products_gaining_nothing(
    basket: Basket, *, grounds: Grounds | None, quote: Quote
) -> frozenset[Any]:
    """Return the products that its owner would pay for and gain nothing by.

    Without `grounds` they are read; no query for those who have no training yet, and
    for training that nothing else in the basket opens.
    """
    wanted = [
        (line.product, (training, end_of_codes(quote, line_id=line.pk)))
        for line in lines_with_terms(basket)
        if line.quantity == 1 and (training := training_of(line.product))
    ]
    if not (basket.owner and wanted):
        return frozenset()
    if grounds is None:
        mine = [training for _product, (training, _until) in wanted]
        grounds = {}
        if may_have(basket, quote.items):
            held = status.grounds(basket.owner, mine)
            grounds = granting.with_due(held, basket.owner, mine)
    idle = granting.gaining_nothing((each for _product, each in wanted), grounds)
    return frozenset(
        product for product, (training, _until) in wanted if training.pk in idle
    )


def may_have(basket: Basket, items: Collection[Item]) -> bool:
    """Tell, without a query, whether some of the basket may be its owner's already.

    `items` are the lines that accept credits.
    """
    if any(item.has_training for item in items):
        return True
    # Of training that takes no credits they know nothing.
    return len(trainings_of(basket)) > len(items)


def unavailable_texts(basket: Basket, **known: Any) -> list[str]:
    """Return for each product that can't be ordered what the learner can do.

    `known` is what `unavailable_reasons` need not ask again.
    """
    text = _("“%(title)s” can't be ordered as it is. %(reason)s Change the basket.")
    return [
        text % {"title": product.get_title(), "reason": reason}
        for product, reason in unavailable_reasons(basket, **known).items()
    ]
