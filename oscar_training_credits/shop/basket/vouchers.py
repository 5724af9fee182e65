"""Oscar's vouchers in a basket that credits pay for."""

from __future__ import annotations

from typing import Any

from ...aliases import Basket
from .quotes import quote_of


def read_vouchers(basket: Basket) -> None:
    """Let the vouchers in `basket` be read anew, once; `add` and `remove` drop them."""
    read = basket.__dict__.setdefault("_prefetched_objects_cache", {})
    read.pop("vouchers", None)
    read["vouchers"] = basket.vouchers.all()


def drop_read_vouchers(basket: Basket) -> None:
    """Let Oscar read the vouchers of an order under its lock, if there are any.

    It counts their use on what it has read.
    """
    read = getattr(basket, "_prefetched_objects_cache", {})
    if read.get("vouchers"):
        del read["vouchers"]


def idle_vouchers(basket: Basket) -> list[Any]:
    """Return the vouchers in `basket` that give nothing now, as credits pay.

    The order will not use them up. No query where offers have been applied before.
    """
    if not quote_of(basket).covered:
        return []
    busy = {
        application["voucher"]
        for application in basket.offer_applications
        if _gives(application, basket)
    }
    vouchers = basket.vouchers.all()
    return [each for each in vouchers if each not in busy and each.is_active()]


def _gives(application: dict[str, Any], basket: Basket) -> bool:
    result = application["result"]
    if result.affects_shipping:
        return bool(basket.is_shipping_required())
    return bool(result.affects_post_order or application["discount"] > 0)
