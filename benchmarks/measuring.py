"""Rows of the table: who does the same work, round by round, one after the other."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Skipped(Exception):
    """Somebody can't take part here; the text says why."""


@dataclass(frozen=True)
class Contender:
    name: str
    worker: str
    case: str


@dataclass(frozen=True)
class Row:
    """One piece of work. The first contender is what the others are compared with."""

    title: str
    unit: str
    """What is measured: "/s" is better the higher, all others the lower."""
    contenders: tuple[Contender, ...]
    once: bool = False


@dataclass(frozen=True)
class Measured:
    """What one contender was measured at, and its ratios to the first, by round."""

    row: Row
    contender: Contender
    values: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    skipped: str = ""

    def cells(self) -> list[str]:
        name = self.contender.name
        if self.skipped:
            # Databases say more on further lines, which no table can hold.
            why = self.skipped.splitlines()[0]
            return [self.row.title, name, f"skipped: {why}", ""]
        value = f"{_number(statistics.median(self.values))} {self.row.unit}"
        return [self.row.title, name, value, self._compared()]

    def _compared(self) -> str:
        if not self.ratios:
            return ""
        low, high = min(self.ratios), max(self.ratios)
        return f"{statistics.median(self.ratios):.2f} ({low:.2f} to {high:.2f})"


class Worker:
    """A process of one environment, with its own database, that is asked for cases."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.questions, self.answers = self.process.stdin, self.process.stdout

    def ask(self, case: str) -> float:
        """Return what the case was measured at.

        Raises:
            Skipped: the worker can't do it here.
        """
        try:
            self.questions.write(f"{case}\n".encode())
        except BrokenPipeError:
            raise Skipped("it does not run here") from None
        line = self.answers.readline()
        if not line:
            raise Skipped("it does not run here")
        answer = json.loads(line)
        if "skipped" in answer:
            raise Skipped(answer["skipped"])
        return float(answer["value"])

    def stop(self) -> None:
        self.questions.close()
        self.process.wait()


def measure(
    row: Row, ask: Callable[[Contender], float], *, rounds: int
) -> Iterable[Measured]:
    """Let the contenders of a row take turns; whoever can't take part says why."""
    found = {each: Measured(row, each) for each in row.contenders}
    for _round in range(rounds):
        first = None
        for contender in list(found):
            measured = found[contender]
            if measured.skipped:
                continue
            try:
                value = ask(contender)
            except Skipped as skipped:
                found[contender] = Measured(row, contender, skipped=str(skipped))
                continue
            measured.values.append(value)
            if contender is row.contenders[0]:
                first = value
            elif first:
                measured.ratios.append(value / first)
    return found.values()


def table(rows: Iterable[list[str]]) -> str:
    """Return rows of cells as a table in Markdown."""
    lines = [["work", "who", "median", "ratio to the first"], ["---"] * 4, *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
