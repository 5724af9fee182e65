"""Codes put on a basket and taken off it, for its owner."""

from __future__ import annotations

from django.views.decorators.debug import sensitive_variables

from ...aliases import Basket
from ...credits.codes import applying
from ...credits.codes.throttling import Requester
from ...credits.models import CreditCode
from .quotes import items_of


@sensitive_variables("text")
def apply_code(basket: Basket, text: str, *, requester: Requester | None) -> CreditCode:
    """Apply the code with this text to a saved basket for its owner, and return it.

    Nothing is spent, and the basket is priced anew when it is asked next. A code that
    is too small is applied all the same, as another one may make up the rest. Wrong
    codes are counted for `requester`, as by `read_code`.

    Raises:
        CreditCodeRefused: with the reason; nothing was applied.
    """
    code = applying.apply_code(
        text,
        basket=basket,
        items=items_of(basket),
        requester=requester,
        learner=basket.owner,
    )
    basket.reset_offer_applications()
    return code


def remove_code(basket: Basket, code: CreditCode) -> bool:
    """Take `code` off a basket, which is priced anew then; tell if it was on it."""
    is_removed = applying.remove_code(code.pk, basket=basket)
    basket.reset_offer_applications()
    return is_removed
