"""Kept apart and free of imports: Oscar's models load it while they are being made."""

from __future__ import annotations

from typing import Any

from ...mixins import Extension


class LineOfferConsumerMixin(Extension):
    """For Oscar's `basket.utils.LineDiscountRegistry`, a `LineOfferConsumer`.

    A line priced in credits counts for no offer: neither towards a condition (“3 for
    2”, a minimum value), nor as what a benefit makes cheaper.
    """

    _line: Any

    def available(self, offer: Any = None) -> int:
        if offer is not None and is_priced_in_credits(self._line):
            return 0
        units: int = super().available(offer)
        return units


def is_priced_in_credits(line: Any) -> bool:
    from ..prices import CreditPrice

    # Without a strategy a line has no price.
    priced = line.basket.has_strategy
    return priced and isinstance(line.purchase_info.price, CreditPrice)
