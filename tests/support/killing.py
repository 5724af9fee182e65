"""Processes that die at a chosen moment of what they do, as if by `kill -9`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.mail.backends import locmem
from django.db import connection

from .racing import at_once_in_processes, fork, without_connections

NEVER = -1


class Life:
    """What a process has done since it was born, and when it is to die."""

    def __init__(self, *, dies_at: int = NEVER) -> None:
        self.dies_at = dies_at
        self.moments: list[str] = []

    def moment(self, name: str) -> None:
        if len(self.moments) == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.moments.append(name)

    def statement(self, execute: Any, sql: str, *args: Any) -> Any:
        self.moment(sql)
        return execute(sql, *args)

    @contextmanager
    def lived(self) -> Iterator[None]:
        """Have a moment before each statement, and around each commit."""
        global current
        commit = connection._commit

        def committed() -> None:
            self.moment("before COMMIT")
            commit()
            self.moment("after COMMIT")

        current, connection._commit = self, committed
        with connection.execute_wrapper(self.statement):
            yield
        self.moment("before the response")


current = Life()


def moment(name: str) -> None:
    """Say that something happens that no database sees."""
    current.moment(name)


class EmailBackend(locmem.EmailBackend):
    def send_messages(self, messages: Any) -> Any:
        moment("before the mail")
        return super().send_messages(messages)


def moments_of(step: Callable[[], Any]) -> list[str]:
    """Take a step to its end, in a process of its own; return all its moments."""

    def live() -> list[str]:
        life = Life()
        with life.lived():
            step()
        return life.moments

    (moments,) = at_once_in_processes([live])
    return moments


def kill_at(number: int, step: Callable[[], Any]) -> None:
    """Take a step in a process that is killed at this moment of it."""

    def live() -> None:
        connection.ensure_connection()  # so that its own statements do not count
        with Life(dies_at=number).lived():
            step()

    child = fork.Process(target=live)
    with without_connections():
        child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL


def spread(moments: list[str], count: int) -> list[int]:
    """Return the numbers of so many moments, and among them all that no SQL is."""
    numbers = range(len(moments))
    special = [n for n in numbers if moments[n].startswith(("before", "after"))]
    others = [n for n in numbers if n not in special]
    rest = count - len(special)
    return sorted([*special, *(others[n * len(others) // rest] for n in range(rest))])
