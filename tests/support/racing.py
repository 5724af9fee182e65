"""Steps that are taken at the same moment, and races that cannot be missed."""

from __future__ import annotations

import multiprocessing
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, connections

from oscar_training_credits.credits.ledger import entries, postgresql, redemption
from oscar_training_credits.credits.models import CreditCode, LedgerEntry
from oscar_training_credits.shop.checkout import holds, mixins
from oscar_training_credits.shop.order import creator

from .shop import errors

PATIENCE = 30  # seconds
WAITING = {
    "mysql": "SELECT COUNT(*) FROM information_schema.innodb_trx"
    " JOIN information_schema.processlist ON id = trx_mysql_thread_id"
    " WHERE db = DATABASE() AND trx_state = 'LOCK WAIT'",
    "postgresql": "SELECT COUNT(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'",
}
LOOK_AGAIN = 0.15  # seconds; MariaDB shows what is old to whoever asks more often

# A child goes on where its parent stood, with all that was patched and prepared.
fork = multiprocessing.get_context("fork")


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


@dataclass(frozen=True, slots=True)
class Told:
    """What a learner is told by a response; unlike that, it crosses processes."""

    status_code: int
    url: str
    errors: str


def told(response: Any) -> Told:
    status_code = response.status_code
    return Told(status_code, getattr(response, "url", ""), errors(response))


def at_once_in_processes(steps: list[Callable[[], Any]]) -> list[Any]:
    """Take all steps at the same moment, each in a process of its own.

    What they return, or raise, comes back pickled.
    """
    barrier = fork.Barrier(len(steps))

    def run(step: Callable[[], Any], answer: Any) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=PATIENCE)
            outcome = (step(), None)
        except Exception as error:
            outcome = (None, error)
        connection.close()
        answer.send(outcome)

    pipes = [fork.Pipe(duplex=False) for _ in steps]
    children = [
        fork.Process(target=run, args=(step, answer))
        for step, (_result, answer) in zip(steps, pipes, strict=True)
    ]
    with without_connections():
        for child in children:
            child.start()
    for _result, answer in pipes:
        answer.close()
    outcomes = [result.recv() for result, _answer in pipes]
    for child in children:
        child.join()
    for _value, error in outcomes:
        if error:
            raise error
    return [value for value, _error in outcomes]


@contextmanager
def without_connections() -> Any:
    """Fork in here: a child must not inherit what its parent talks to a server with."""
    connections.close_all()
    with warnings.catch_warnings():
        # From 3.12 on; what other threads there may be hold no lock of ours.
        warnings.filterwarnings("ignore", ".*use of fork", DeprecationWarning)
        yield


class Meeting:
    """Where the racers of a negative control wait for each other, once each.

    A control shows what happens when all have read before any of them writes. Left
    to chance, a busy machine runs them one after the other and nothing goes wrong.
    """

    def __init__(self, parties: int) -> None:
        self.barrier = fork.Barrier(parties)  # good for threads, too
        self.met = threading.local()

    def __call__(self) -> int | None:
        """Wait, and return a number that none of the others gets."""
        if getattr(self.met, "once", False):
            return None
        self.met.once = True
        return self.barrier.wait(timeout=PATIENCE)


def read_unlocked(code_ids: Any) -> list[CreditCode]:
    """Read codes with their grants as `lock_codes` does, without a lock."""
    codes = CreditCode.objects.filter(pk__in=list(code_ids))
    return list(codes.prefetch_related("grants"))


def take_locks_away(monkeypatch: Any, *, parties: int) -> None:
    """Let all parties read the codes before any of them writes what it has read."""
    everybody_has_read = Meeting(parties)

    def read_together(code_ids: Any) -> list[CreditCode]:
        read = read_unlocked(code_ids)
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

    lock_codes_by(monkeypatch, read_together)
    monkeypatch.setattr(entries, "redeem_credits", take_what_was_read)


def lock_codes_by(monkeypatch: Any, lock: Callable[[Any], list[CreditCode]]) -> None:
    """Let orders lock their codes by this function, and take credits by the ORM."""
    monkeypatch.setattr(postgresql, "is_used", lambda: False)
    monkeypatch.setattr(redemption, "lock_codes", lock)


def take_basket_lock_away(monkeypatch: Any, *, parties: int) -> None:
    """Let all parties find the basket open, then no order, before any one writes."""
    all_found_it_open, all_found_no_order = Meeting(parties), Meeting(parties)

    def read_basket_first(basket: Any) -> Any:
        read = creator.basket_rows().get(pk=basket.pk)
        all_found_it_open()
        return read

    def read_basket(basket: Any) -> Any:
        read = creator.basket_rows().get(pk=basket.pk)
        assert not read.has_order
        all_found_no_order()
        return read

    monkeypatch.setattr(mixins, "lock_unordered", read_basket_first)
    monkeypatch.setattr(holds, "lock_unordered", read_basket_first)
    monkeypatch.setattr(creator, "lock_basket", read_basket)
    monkeypatch.setattr(creator, "refuse_ordered", lambda basket: None)
    monkeypatch.setattr(mixins, "placed_order", lambda basket: None)


def until_somebody_waits() -> None:
    """Go on when a transaction of somebody else waits for a lock."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(WAITING[connection.vendor])
            if cursor.fetchone()[0]:
                return
        time.sleep(LOOK_AGAIN)
    raise AssertionError("nobody waits")
