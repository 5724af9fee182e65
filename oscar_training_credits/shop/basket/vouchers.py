"""Oscar's vouchers in a basket that credits pay for."""

from __future__ import annotations

from typing import Any

from django.db.models import prefetch_related_objects

from .quotes import quote_of


def read_vouchers(basket: Any) -> None:
    """Read the vouchers in `basket`, anew; `add` and `remove` drop them again."""
    getattr(basket, "_prefetched_objects_cache", {}).pop("vouchers", None)
    prefetch_related_objects([basket], "vouchers")


def idle_vouchers(basket: Any) -> list[Any]:
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


def _gives(application: dict[str, Any], basket: Any) -> bool:
    result = application["result"]
    if result.affects_shipping:
        return bool(basket.is_shipping_required())
    return bool(result.affects_post_order or application["discount"] > 0)
