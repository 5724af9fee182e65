"""Credits held for a basket while other money is taken for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from ...aliases import Basket
from ...conf import settings
from ...credits.isolation import own_transaction
from ...credits.ledger import redemption
from ...credits.ledger.quoting import Quote
from ..basket.quotes import codes_of, is_frozen, items_of, quote_of
from ..basket.wording import needs_account
from ..exceptions import OrderRefused
from ..order.creator import (
    lock_unordered,
    refuse_obstacles,
    refuse_unless_priced_so,
    refuse_unless_shown,
)


def hold_credits(order_number: Any, basket: Basket) -> None:
    """Hold the credits that pay for `basket`, before other money is taken for it.

    Raises:
        BasketAlreadyOrdered: with the order that the basket has become.
        OrderRefused: it could not be ordered as it stands.
    """
    with own_transaction():
        lock_unordered(basket)
        hold_in_locked(basket, order_number)


def hold_in_locked(basket: Basket, order_number: Any) -> None:
    """Hold the credits that pay for a basket whose row is locked.

    Raises:
        OrderRefused: it could not be ordered as it stands.
    """
    quote = quote_in_locked(basket, str(order_number))
    if quote.holds:
        return
    if basket.owner is None:
        raise OrderRefused(needs_account())
    refuse_unless_priced_so(basket, quote)
    refuse_unless_shown(basket, quote)
    refuse_obstacles(basket)
    if quote.covered:
        minutes = timedelta(minutes=settings.HOLD_MINUTES)
        redemption.hold(
            quote,
            basket=basket,
            order_number=str(order_number),
            learner=basket.owner,
            until=timezone.now() + minutes,
        )


def quote_in_locked(basket: Basket, order_number: str) -> Quote:
    """Return how a basket whose row is locked is settled until the transaction ends."""
    if not is_frozen(basket) and not codes_of(basket):
        return quote_of(basket)
    return redemption.lock_and_quote(
        items_of(basket),
        basket=basket,
        learner=basket.owner,
        order_number=order_number,
    )
