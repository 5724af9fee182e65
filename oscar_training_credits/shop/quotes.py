"""The quote of an Oscar basket."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import Exists, F

from ..credits import quoting, redemption
from ..credits.applying import applied_codes
from ..credits.models import Access, CreditCode, TrainingProduct
from ..credits.quoting import Item, Quote
from ..credits.rules import Purchase


def quote_of(basket: Any) -> Quote:
    """Return how the codes applied to `basket` settle its lines.

    Three queries at any number of lines, once for the lines that the basket holds
    in memory: `basket.reset_offer_applications()` drops both.
    """
    if basket.pk is None:
        return quoting.NOTHING
    return cast("Quote", _remembered(basket, "quote", _quote))


def is_settled(line: Any) -> bool:
    """Tell whether the codes applied to the line's basket pay for this line."""
    return settled_item(line) is not None


def settled_item(line: Any) -> Item | None:
    """Return what a basket line costs in credits, if the applied codes pay for it."""
    basket = line.basket
    if not is_frozen(basket) and not codes_of(basket):
        return None
    quote = quote_of(basket)
    if line.pk not in quote.covered:
        return None
    return next(item for item in quote.items if item.key == line.pk)


def is_frozen(basket: Any) -> bool:
    """Tell whether `basket` is being paid, so that credits may be held for it."""
    return bool(basket.status == basket.FROZEN)


def codes_of(basket: Any) -> list[CreditCode]:
    """Return the codes applied to `basket`: one query, two if there are any."""
    if basket.pk is None:
        return []
    return cast("list[CreditCode]", _remembered(basket, "codes", applied_codes))


def items_of(basket: Any) -> list[Item]:
    """Return the lines of `basket` that accept credits, read in one query."""
    quantities = {line.pk: line.quantity for line in basket.all_lines()}
    rows = TrainingProduct.objects.filter(
        credits__isnull=False, product__basket_lines__in=list(quantities)
    ).values_list(
        "product__basket_lines__pk",
        "product_id",
        "credits",
        "credit_only",
        F("product__basket_lines__money_choice__pk"),
        Exists(Access.objects.filter(learner_id=basket.owner_id)),
    )
    return [
        Item(
            key=line_pk,
            product_id=product_id,
            unit_credits=credits,
            quantity=quantities[line_pk],
            credit_only=credit_only,
            in_money=choice is not None,
            has_training=bool(has_training),
        )
        for line_pk, product_id, credits, credit_only, choice, has_training in sorted(
            rows
        )
        if quantities[line_pk]
    ]


def _quote(basket: Any) -> Quote:
    items = items_of(basket)
    if is_frozen(basket) and (held := redemption.held_quote(items, basket=basket)):
        return held
    purchase = Purchase(basket.owner)
    quote = quoting.quote(items, codes_of(basket), purchase)
    codes = [code.pk for code in codes_of(basket)]
    if quote.missing and redemption.release_lapsed(codes, at=purchase.at):
        return quoting.quote(items, applied_codes(basket), purchase)
    return quote


def _remembered(basket: Any, name: str, compute: Any) -> Any:
    # Valid as long as the basket keeps these very lines, whose prices depend on it.
    lines = basket.all_lines()
    memory: dict[str, Any]
    remembered_for, memory = getattr(basket, "_training_credits", (None, {}))
    if remembered_for is not lines:
        memory = {}
        basket._training_credits = (lines, memory)
    if name not in memory:
        memory[name] = compute(basket)
    return memory[name]
