"""Orders begun and not finished: their payment was left, or the server died."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Max
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from ...aliases import Basket
from ...converters import number_in
from ...credits.models import Redemption

PATIENCE = timedelta(minutes=1)
"""How long a click is taken to be at work: longer than a server lets one take."""


def waiting_url(basket: Basket, *, is_over: bool = False) -> str:
    """Return the page that waits for the order of a frozen basket.

    Its address says since when, as Oscar does not note when a basket was frozen: since
    its credits were held, or from now on. If it `is_over`, nobody need wait for it.
    """
    page = reverse("training_credits:under-way", args=[basket.pk])
    if is_over:
        return f"{page}?since=0"
    held = Redemption.objects.filter(basket_id=basket.pk)
    begun = held.aggregate(last=Max("created_at"))["last"] or timezone.now()
    return f"{page}?since={int(begun.timestamp())}"


def has_taken_too_long(since: str) -> bool:
    """Tell whether who waits since then, as the address says, need not wait longer."""
    if (begun := number_in(since)) is None:
        return False
    return timezone.now().timestamp() - begun >= PATIENCE.total_seconds()


def unfinished_basket(learner: Any) -> Any:
    """Return the learner's last basket that credits are still held for, or None."""
    Basket = get_model("basket", "Basket")
    held = Redemption.objects.filter(
        learner_id=learner.pk,
        state=Redemption.State.HELD,
        basket__status=Basket.FROZEN,
    )
    last = held.select_related("basket").order_by("pk").last()
    return last.basket if last else None
