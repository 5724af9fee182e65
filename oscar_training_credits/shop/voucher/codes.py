"""A credit code that can be asked what an Oscar voucher is asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from ...aliases import Basket
from ...credits.codes.refusals import Reason, Refusal, public_text
from ...credits.codes.rules import Purchase, first_refusal, refusals
from ...credits.models import CreditCode
from ..basket.quotes import items_of


class VoucherLike:
    """Answers the questions of Oscar's `AbstractVoucher` for a credit code.

    Same names, arguments and return values; the answers come from the rules.
    """

    def __init__(self, code: CreditCode) -> None:
        self.code = code

    def is_active(self, test_datetime: datetime | None = None) -> bool:
        """Tell whether anybody can use the code at that moment (now by default)."""
        broken = refusals(self.code, Purchase(at=test_datetime or timezone.now()))
        return all(refusal.reason is Reason.NOT_LOGGED_IN for refusal in broken)

    def is_expired(self) -> bool:
        """Tell whether the code, or the last credits on it, have expired."""
        broken = refusals(self.code, Purchase())
        return any(refusal.reason is Reason.EXPIRED for refusal in broken)

    def is_available_to_user(self, user: Any = None) -> tuple[bool, str]:
        """Return whether this user may use the code, and the message if not."""
        return _answer(first_refusal(self.code, Purchase(_learner(user))))

    def is_available_for_basket(self, basket: Basket) -> tuple[bool, str]:
        """Return whether the code can pay for a line of `basket`, and the message."""
        items = items_of(basket)
        product_ids = frozenset(item.product_id for item in items)
        refusal = first_refusal(self.code, Purchase(basket.owner, product_ids))
        if not refusal and not items:
            refusal = Refusal(Reason.NOT_NEEDED)
        return _answer(refusal)


def _learner(user: Any) -> Any:
    return user if user is not None and user.is_authenticated else None


def _answer(refusal: Refusal | None) -> tuple[bool, str]:
    return (False, public_text(refusal)) if refusal else (True, "")
