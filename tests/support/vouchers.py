"""Oscar's own vouchers, for tests."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from oscar.core.loading import get_model


def make_voucher(code: str, percent: int = 10) -> Any:
    """Return a voucher that takes so many percent off everything."""
    Benefit, Condition = _offer("Benefit"), _offer("Condition")
    everything = _offer("Range").objects.create(
        name=f"Everything for {code}", includes_all_products=True
    )
    offer = _offer("ConditionalOffer").objects.create(
        name=f"{percent} % off with {code}",
        offer_type="Voucher",
        benefit=Benefit.objects.create(
            range=everything, type=Benefit.PERCENTAGE, value=Decimal(percent)
        ),
        condition=Condition.objects.create(
            range=everything, type=Condition.COUNT, value=1
        ),
    )
    now = timezone.now()
    voucher = get_model("voucher", "Voucher").objects.create(
        name="Spring sale",
        code=code,
        start_datetime=now - timedelta(days=1),
        end_datetime=now + timedelta(days=1),
    )
    voucher.offers.add(offer)
    return voucher


def _offer(name: str) -> Any:
    return get_model("offer", name)
