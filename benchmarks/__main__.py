"""Measure all rows of the table, interleaved: `make bench`.

python -m benchmarks [--quick] [--only WORDS] [--without WORDS]
    [--rounds 5] [--write FILE]

DATABASE_URL names a PostgreSQL whose role may create databases and is a superuser;
`make bench` starts one otherwise. With --quick each row is tried once, small and on
SQLite, which shows that it runs and nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from .measuring import Contender, Row, Skipped, Worker, measure, table
from .rows import rows

BEGIN, END = "<!-- last run -->", "<!-- end of last run -->"
PACKAGES = ("Django", "django-oscar", "wagtail", "psycopg")
PEERS = {
    "accounts": ["django-oscar-accounts"],
    # The newest that Python 3.11 gets runs on no newer Django.
    "openedx": ["openedx-ledger", "Django<5"],
}
# openedx-ledger asks for it, and it needs a compiler; PostgreSQL does not need it.
LEFT_OUT = "mysqlclient; python_version < '3'"
ENVIRONMENTS = {
    "site": {},
    "million": {},
    "academy": {},
    "shop": {"BENCHMARK_SITE": "shop", "WITH_CREDITS": "1"},
    "oscar": {"BENCHMARK_SITE": "shop", "WITH_CREDITS": ""},
}
MODULES = {"oscar": "shop"}


@dataclass
class Workers:
    """Starts each worker when it is first asked, and ends them all."""

    folder: Path
    quick: bool
    running: dict[str, Worker]
    missing: dict[str, str]

    def ask(self, contender: Contender) -> float:
        name = contender.worker
        if name in self.missing:
            raise Skipped(self.missing[name])
        if name not in self.running:
            try:
                self.running[name] = self._started(name)
            except Skipped as skipped:
                self.missing[name] = str(skipped)
                raise
        return self.running[name].ask(contender.case)

    def stop(self, name: str) -> None:
        if worker := self.running.pop(name, None):
            worker.stop()
            _drop_database(name)

    def _started(self, name: str) -> Worker:
        if name in PEERS and self.quick:
            raise Skipped("peers take part in a whole run")
        python = self._peer(name) if name in PEERS else sys.executable
        environment = {
            "BENCHMARK_DATABASE": self._database(name),
            "BENCHMARK_QUICK": "1" if self.quick else "",
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "PYTHONWARNINGS": "ignore",
            **ENVIRONMENTS.get(name, {}),
        }
        module = f"benchmarks.{MODULES.get(name, name)}"
        return Worker([python, "-m", module], environment)

    def _database(self, name: str) -> str:
        if self.quick:
            return f"sqlite:///{self.folder}/{name}.sqlite3"
        return _create_database(name)

    def _peer(self, name: str) -> str:
        """Return the Python of an environment that has the peer, or say why not."""
        folder = self.folder / name
        python = str(folder / "bin" / "python")
        install = [sys.executable, "-m", "uv", "pip", "install", "--python", python]
        left_out = self.folder / "left_out.txt"
        left_out.write_text(LEFT_OUT)
        for command in (
            [sys.executable, "-m", "venv", "--without-pip", str(folder)],
            [*install, "--override", str(left_out), *PEERS[name], "psycopg[binary]"],
        ):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise Skipped(f"{PEERS[name][0]} can't be installed here")
        return python


def _url(name: str) -> str:
    base, _slash, _name = os.environ["DATABASE_URL"].rpartition("/")
    return f"{base}/training_credits_benchmark_{name}"


def _create_database(name: str) -> str:
    _drop_database(name)
    _run_sql(f"CREATE DATABASE training_credits_benchmark_{name}")
    return _url(name)


def _drop_database(name: str) -> None:
    if os.environ.get("DATABASE_URL", "").startswith("postgres"):
        gone = f"DROP DATABASE IF EXISTS training_credits_benchmark_{name}"
        _run_sql(f"{gone} WITH (FORCE)")


def _run_sql(sql: str) -> None:
    import psycopg

    # The database of the URL need not be there.
    base, _slash, _name = os.environ["DATABASE_URL"].rpartition("/")
    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        connection.execute(sql.encode())


def main() -> int:
    options = _parser().parse_args()
    if not options.quick and "DATABASE_URL" not in os.environ:
        sys.exit("DATABASE_URL must name a PostgreSQL; `make bench` starts one.")
    lines: list[list[str]] = []
    with _workers(quick=options.quick) as workers:
        chosen = [row for row in rows(options.quick) if _is_asked(row, options)]
        for number, row in enumerate(chosen):
            rounds = 1 if options.quick or row.once else options.rounds
            for measured in measure(row, workers.ask, rounds=rounds):
                lines.append(measured.cells())
                print(" | ".join(lines[-1]), flush=True)
            later = {
                who.worker for row in chosen[number + 1 :] for who in row.contenders
            }
            for name in set(workers.running) - later:
                workers.stop(name)
    report = f"{_circumstances()}\n\n{table(lines)}"
    print(f"\n{report}")
    if options.write:
        _write(options.write, report)
    return 0


def _is_asked(row: Row, options: argparse.Namespace) -> bool:
    left_out = any(words in row.title for words in options.without)
    return options.only in row.title and not left_out


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="rows whose title has these words")
    parser.add_argument("--without", action="append", default=[], help="the opposite")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, help="puts the table into this file")
    return parser


@contextlib.contextmanager
def _workers(*, quick: bool) -> Iterator[Workers]:
    with TemporaryDirectory(prefix="benchmark-") as folder:
        workers = Workers(Path(folder), quick, {}, {})
        try:
            yield workers
        finally:
            for name in list(workers.running):
                workers.stop(name)


def _circumstances() -> str:
    now = datetime.now(timezone.utc)
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{now:%d %B %Y}, {os.cpu_count()} cores, Python {platform.python_version()},"
        f" {versions}. Load of the machine over 1, 5 and 15 minutes at the end: {load}."
    )


def _write(file: Path, report: str) -> None:
    text = file.read_text()
    before, _begin, rest = text.partition(BEGIN)
    _last, _end, after = rest.partition(END)
    file.write_text(f"{before}{BEGIN}\n\n{report}\n\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
