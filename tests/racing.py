"""Steps that are taken at the same moment, and races that cannot be missed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

from oscar_training_credits.credits import ledger, redemption
from oscar_training_credits.credits.models import CreditCode, LedgerEntry

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
