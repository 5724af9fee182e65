"""The other end of a worker: it does the cases that it is asked for.

Peers run it in environments of their own, so it needs the standard library alone.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

QUICK = bool(os.environ.get("BENCHMARK_QUICK"))
CLIENTS = 2 if QUICK else 16
SECONDS = 0.1 if QUICK else 2.0

Case = Callable[[], float]
Spend = Callable[[], None]


class CannotRun(Exception):
    """This case can't be done here; the text says why."""


def serve(cases: dict[str, Case]) -> None:
    """Answer each name on standard input with a line of JSON, until it is closed."""
    # What the cases print must not come between.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(_answer(cases, line.strip())) + "\n")


def database() -> dict[str, object]:
    """Return the settings of the PostgreSQL that a peer is to use."""
    url = urlsplit(os.environ["BENCHMARK_DATABASE"])
    user, _at, address = url.netloc.rpartition("@")
    host, _colon, port = address.rpartition(":")
    name, _colon, password = user.partition(":")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.removeprefix("/"),
        "HOST": unquote(host),
        "PORT": port,
        "USER": unquote(name),
        "PASSWORD": unquote(password),
    }


def milliseconds(call: Callable[[], object], *, times: int = 5) -> float:
    """Return how long a call takes at best, when it has been called before."""
    call()
    return min(once(call) for _time in range(1 if QUICK else times))


def once(call: Callable[[], object]) -> float:
    """Return how many milliseconds a call takes, without those of the garbage.

    To look through all that a worker holds takes longer than to place an order, and
    would happen in the same row of each round.
    """
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        call()
        return (time.perf_counter() - began) * 1000
    finally:
        gc.enable()


def spends_a_second(prepare: Callable[[int], Spend]) -> float:
    """Let sixteen processes spend at once; `prepare` makes each of them its spend."""
    from django.db import connections

    # Or all of them, and this process, would share one.
    connections.close_all()
    context = multiprocessing.get_context("fork")
    start = context.Barrier(CLIENTS)
    rates: multiprocessing.SimpleQueue[float] = context.SimpleQueue()
    clients = [
        context.Process(target=_spend, args=(prepare, number, start, rates))
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return sum(rates.get() for _client in clients)


def _spend(
    prepare: Callable[[int], Spend], number: int, start: Any, rates: Any
) -> None:
    rate = 0.0
    try:
        spend = prepare(number)
        start.wait(60)
        began, done = time.monotonic(), 0
        while time.monotonic() < began + SECONDS:
            spend()
            done += 1
        rate = done / (time.monotonic() - began)
    except BaseException:
        traceback.print_exc()
        start.abort()
    finally:
        rates.put(rate)


def _answer(cases: dict[str, Case], name: str) -> dict[str, object]:
    try:
        return {"value": cases[name]()}
    except CannotRun as error:
        return {"skipped": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {"skipped": f"{type(error).__name__}: {error}"}
