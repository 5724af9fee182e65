"""The quote of an Oscar basket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from django.db.models import F, Value
from oscar.core.loading import get_model

from ...aliases import Basket
from ...conf import settings
from ...credits.codes.applying import applied_codes
from ...credits.codes.rules import Purchase
from ...credits.has_row import HasRow
from ...credits.ledger import quoting, redemption
from ...credits.ledger.quoting import Item, Quote
from ...credits.models import Access, CreditCode, DueAccess, Redemption


def quote_of(basket: Basket) -> Quote:
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


def is_frozen(basket: Basket) -> bool:
    """Tell whether `basket` is being paid, so that credits may be held for it."""
    return bool(basket.status == basket.FROZEN)


def codes_of(basket: Basket) -> list[CreditCode]:
    """Return the codes applied to `basket`: one query, two if there are any."""
    if basket.pk is None:
        return []
    return cast("list[CreditCode]", _remembered(basket, "codes", applied_codes))


def items_of(basket: Basket) -> list[Item]:
    """Return the lines of `basket` that accept credits, read in one query."""
    quantities = {line.pk: line.quantity for line in basket.all_lines()}
    lines = get_model("basket", "Line")._default_manager.filter(pk__in=list(quantities))
    rows = lines.order_by("pk").values("pk", "product_id", **_terms(basket.owner_id))
    return [
        _item(quantity=quantities[row["pk"]], **row)
        for row in rows
        if quantities[row["pk"]] and row["unit_credits"] is not None
    ]


def latest_basket(lines: Any, *, owner: Any) -> Any:
    """Return the latest basket of a queryset of lines, which has all lines of each.

    None if there is none. One query, also for what the lines accept and what is held.
    """
    held = HasRow(
        Redemption, basket_id=F("basket"), state=Value(Redemption.State.HELD.value)
    )
    terms = _terms(owner.pk)
    lines = lines.select_related("basket").order_by("basket_id", "pk")
    lines = lines.annotate(**terms, is_held=held)
    if not lines:
        return None
    if lines[0].basket_id != (latest := list(lines)[-1].basket_id):
        lines = lines.filter(basket=latest)
    basket = lines[0].basket
    basket.owner = owner
    for line in lines:
        line.basket = basket
    # Where Oscar keeps the lines that it has read.
    basket._lines = lines
    items = [
        _item(
            pk=line.pk,
            product_id=line.product_id,
            quantity=line.quantity,
            **{name: getattr(line, name) for name in terms},
        )
        for line in lines
        if line.quantity and line.unit_credits is not None
    ]
    _memory(basket).update(items=items, may_be_held=lines[0].is_held)
    return basket


def _terms(learner_id: int | None) -> dict[str, Any]:
    """Return what a query of basket lines reads of their terms."""
    return {
        "unit_credits": F("product__training__credits"),
        "credit_only": F("product__training__credit_only"),
        "choice": F("money_choice__pk"),
        "has_training": _has_training(learner_id),
    }


def _item(*, pk: int, choice: int | None, has_training: Any, **terms: Any) -> Item:
    return Item(
        key=pk, in_money=choice is not None, has_training=bool(has_training), **terms
    )


def _has_training(learner_id: int | None) -> Any:
    held = HasRow(Access, learner=Value(learner_id))
    if not settings.PAID_STATUSES:
        return held
    return held | HasRow(DueAccess, learner=Value(learner_id))


def end_of_codes(quote: Quote, *, line_id: int | None = None) -> datetime | None:
    """Return when the first code ends that pays, and ends access, for a line or all."""
    takes = [take for take in quote.takes if line_id in (None, take.key)]
    ends = [take.grant.code.expires_at for take in takes if take.grant.code.ends_access]
    return min(filter(None, ends), default=None)


def quote_with(codes: list[CreditCode], basket: Basket) -> Quote:
    """Return how these `codes` alone would settle `basket`: no query more."""
    return quoting.quote(quote_of(basket).items, codes, Purchase(basket.owner))


@contextmanager
def suppose_codes(basket: Basket, codes: list[CreditCode]) -> Iterator[None]:
    """Let `basket` cost meanwhile what it would with these `codes`."""
    basket.reset_offer_applications()
    _memory(basket)["codes"] = codes
    yield
    basket.reset_offer_applications()


def _quote(basket: Basket) -> Quote:
    items: list[Item] = _remembered(basket, "items", items_of)
    may_be_held = _remembered(basket, "may_be_held", is_frozen)
    if may_be_held and (held := redemption.held_quote(items, basket=basket)):
        return held
    purchase = Purchase(basket.owner)
    quote = quoting.quote(items, codes_of(basket), purchase)
    codes = [code.pk for code in codes_of(basket)]
    if quote.missing and redemption.recover(codes, at=purchase.at):
        return quoting.quote(items, applied_codes(basket), purchase)
    return quote


def _remembered(basket: Basket, name: str, compute: Any) -> Any:
    memory = _memory(basket)
    if name not in memory:
        memory[name] = compute(basket)
    return memory[name]


def _memory(basket: Basket) -> dict[str, Any]:
    # Kept with the lines that Oscar has in memory, as their prices depend on it: what
    # makes Oscar read them anew drops both.
    memory: dict[str, Any] = vars(basket.all_lines()).setdefault("training_credits", {})
    return memory
