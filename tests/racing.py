"""Steps that are taken at the same moment, and races that cannot be missed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

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
