"""Steps that are taken at the same moment, and races that cannot be missed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection
from oscar.core.loading import get_model

from oscar_training_credits.credits import ledger, redemption
from oscar_training_credits.credits.models import CreditCode, LedgerEntry
from oscar_training_credits.shop import orders, placement

PATIENCE = 30  # seconds


def at_once(steps: list[Callable[[], Any]]) -> list[Any]:
    """Take all steps at the same moment, each in a thread with its own connection."""
    barrier = threading.Barrier(len(steps))

    def run(step: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=PATIENCE)
            return step()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(run, steps))


class Meeting:
    """Where the threads of a negative control wait for each other, once each.

    A control shows what happens when all have read before any of them writes. Left
    to chance, a busy machine runs them one after the other and nothing goes wrong.
    """

    def __init__(self, parties: int) -> None:
        self.barrier = threading.Barrier(parties)
        self.met = threading.local()

    def __call__(self) -> None:
        if not getattr(self.met, "once", False):
            self.met.once = True
            self.barrier.wait(timeout=PATIENCE)


def take_locks_away(monkeypatch: Any, *, parties: int) -> None:
    """Let all parties read the codes before any of them writes what it has read."""
    everybody_has_read = Meeting(parties)

    def unlocked_codes(code_ids: Any) -> list[CreditCode]:
        codes = CreditCode.objects.filter(pk__in=list(code_ids))
        read = list(codes.prefetch_related("grants"))
        everybody_has_read()
        return read

    def take_what_was_read(
        grant: Any, credits: int, *, redemption: Any, kind: str
    ) -> LedgerEntry:
        grant.remaining -= credits
        grant.save(update_fields=["remaining"])
        return LedgerEntry.objects.create(
            grant=grant,
            redemption=redemption,
            kind=kind,
            credits=-credits,
            balance=grant.remaining,
        )

    monkeypatch.setattr(redemption, "locked_codes", unlocked_codes)
    monkeypatch.setattr(ledger, "take", take_what_was_read)


def take_basket_lock_away(monkeypatch: Any, *, parties: int) -> None:
    """Let all parties find the basket open, then no order, before any one writes."""
    all_found_it_open, all_found_no_order = Meeting(parties), Meeting(parties)
    Basket = get_model("basket", "Basket")
    refuse_ordered = orders.refuse_ordered

    def read_basket_first(basket: Any) -> Any:
        read = Basket.objects.get(pk=basket.pk)
        all_found_it_open()
        return read

    def read_basket(basket: Any) -> Any:
        read = Basket.objects.get(pk=basket.pk)
        refuse_ordered(basket)
        all_found_no_order()
        return read

    monkeypatch.setattr(placement, "lock_basket", read_basket_first)
    monkeypatch.setattr(orders, "lock_basket", read_basket)
    monkeypatch.setattr(orders, "refuse_ordered", lambda basket: None)
    monkeypatch.setattr(placement, "placed_order", lambda basket: None)
