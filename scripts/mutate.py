"""Change the rules' code, one small piece at a time, and list what no test noticed.

    python scripts/mutate.py --record                   which test runs which line
    python scripts/mutate.py --record tests/credits/codes     after a change there
    python scripts/mutate.py credits/ledger/entries.py --sample 80
    python scripts/mutate.py credits/ledger/entries.py --again printed.txt

Each mutant is a fork of one warm process, in which the changed code takes the place of
the function's own; then come the tests that run the changed line. Only the bodies and
decorators of functions are changed. Runs on SQLite, without browsers and races.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest
from django.db import connections
from mutants import Mutant, apply, fatal, functions_of, mutants

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "oscar_training_credits"
RECORD = ROOT / ".cache" / "mutation.json"
TESTS = ["-s", "-p", "no:xdist", "-m", "not browser and not races"]
TIME_OUT = 20  # seconds, for one test
SLOW = 5  # seconds; such a test only repeats what quick ones show


def digest(module: str) -> str:
    return hashlib.sha256((PACKAGE / module).read_bytes()).hexdigest()


class Recorder:
    """Notes which lines of the rules each test runs, and how long it takes."""

    def __init__(self) -> None:
        self.coverage = coverage.Coverage(
            data_file=None, config_file=False, source=[str(PACKAGE / "credits")]
        )
        self.seconds: Counter[str] = Counter()
        self.failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.start()
        self.coverage.switch_context(item.nodeid)
        result = yield
        self.coverage.stop()
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        makes_the_database = not self.seconds
        self.seconds[report.nodeid] += 0 if makes_the_database else report.duration
        if report.failed:
            self.failed.add(report.nodeid)

    def tests(self) -> dict[str, Any]:
        data = self.coverage.get_data()
        lines: dict[str, Any] = {test: {} for test in self.seconds}
        for file in data.measured_files():
            module = str(Path(file).relative_to(PACKAGE))
            for line, tests in data.contexts_by_lineno(file).items():
                for test in filter(None, tests):
                    lines[test].setdefault(module, []).append(line)
        return {
            test: {"seconds": seconds, "lines": lines[test]}
            for test, seconds in self.seconds.items()
            if test not in self.failed
        }


def record(chosen: list[str]) -> int:
    modules = [str(f.relative_to(PACKAGE)) for f in PACKAGE.glob("credits/**/*.py")]
    files = {module: digest(module) for module in modules}
    recorder = Recorder()
    status = pytest.main([*TESTS, "-q", *chosen], plugins=[recorder])
    # Of other files the old record stands, and of the code that it was made with.
    whole = {"files": files, "tests": {}}
    partial = chosen and RECORD.exists()
    known = json.loads(RECORD.read_text()) if partial else whole
    known["tests"] |= recorder.tests()
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(known))
    return status


SCRATCH = tempfile.TemporaryDirectory(prefix="mutants-")
RESULTS = ["survived", "killed", "impossible", "error"]
SURVIVED, KILLED, IMPOSSIBLE, ERROR = range(4)


class Hunter:
    """Runs in place of the tests: one fork for each mutant."""

    def __init__(
        self, modules: list[str], *, sample: int, seconds: float, again: Path | None
    ) -> None:
        self.modules = modules
        self.sample = sample
        self.seconds = seconds
        self.again = again.read_text() if again else None
        self.known = json.loads(RECORD.read_text())
        self.reach = {
            test: sum(map(len, noted["lines"].values()))
            for test, noted in self.known["tests"].items()
        }
        self.kills: Counter[str] = Counter()
        self.failed = ""

    def pytest_collection(self) -> None:
        # After conftest.py has chosen its own, before the tests are read.
        import hypothesis

        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile(
            "mutants", deadline=None, database=None, derandomize=True, phases=phases
        )
        hypothesis.settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = report.nodeid

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        session.config.pluginmanager.unregister(name="terminalreporter")
        self.items = {item.nodeid: item for item in session.items}
        # The first makes the database; the other's module differs, so that nothing
        # but the session's fixtures stays.
        first, other = session.items[0], session.items[-1]
        first.ihook.pytest_runtest_protocol(item=first, nextitem=other)
        for module in self.modules:
            self.hunt(module)
        return True

    def hunt(self, module: str) -> None:
        if self.known["files"][module] != digest(module):
            raise pytest.UsageError(f"{module} has changed: --record again.")
        self.kills.clear()
        gc.unfreeze()
        self.functions = functions_of(PACKAGE / module)
        gc.freeze()  # or each fork would copy all that there is
        found = list(mutants(PACKAGE / module))
        chosen = self.chosen(module, found)
        print(f"{module}: {len(chosen)} of {len(found)} mutants", flush=True)
        unchanged = self.fork(module, None)
        if unchanged != "survived":
            print(f"  Unchanged code was {unchanged}, by {self.killer}: no result.")
            return
        failing = fatal(
            found, by=lambda mutant: len(self.running(module, mutant.lines))
        )
        if self.fork(module, failing) != "killed":
            print("  Code that always fails was not killed: no result.")
            return
        results: Counter[str] = Counter()
        for mutant in chosen:
            result = self.fork(module, mutant)
            results[result] += 1
            if result not in ("killed", "impossible"):
                print(f"  {result:8} {mutant}", flush=True)
        print(f"{module}: {dict(results)}", flush=True)

    def chosen(self, module: str, found: list[Mutant]) -> list[Mutant]:
        """Return which mutants to try, in the order of the file."""
        if self.again is not None:
            # What was printed of this module follows its heading.
            heading = f"{module}: "
            _, _, printed = self.again.partition(heading)
            lines = printed.partition(heading)[0].splitlines()
            return [m for m in found if any(line.endswith(f" {m}") for line in lines)]
        shuffled = random.Random(module).sample(found, len(found))  # noqa: S311
        return sorted(shuffled[: self.sample], key=lambda mutant: mutant.lines[0])

    def tests(self, module: str, lines: range) -> list[pytest.Item]:
        """Return the tests of these lines, the likeliest to notice a mistake first.

        Those that noticed most in little time; then the quickest, those that run
        least else, one of each file, and those in a file of the module's name, in turn.
        """
        seconds = self.running(module, lines)
        quick = sorted(seconds, key=seconds.__getitem__)
        focused = sorted(quick, key=lambda test: self.reach[test])
        nth: Counter[str] = Counter()
        in_turn = []
        for test in quick:
            nth[file_of(test)] += 1
            in_turn.append((nth[file_of(test)], test))
        namesakes = [test for test in quick if Path(module).stem in file_of(test)]
        ranks: dict[str, int] = {}
        for order in (quick, focused, [test for _, test in sorted(in_turn)], namesakes):
            for rank, test in enumerate(order):
                ranks[test] = min(rank, ranks.get(test, rank))

        def likeliest(test: str) -> tuple[bool, float, int, int]:
            late = is_transactional(self.items[test])
            by_second = self.kills[test] / (seconds[test] + 0.01)
            return late, -by_second, -self.kills[file_of(test)], ranks[test]

        return [self.items[test] for test in sorted(ranks, key=likeliest)]

    def running(self, module: str, lines: range) -> dict[str, float]:
        """Return the tests that run one of these lines, and how long each takes."""
        return {
            test: known["seconds"]
            for test, known in self.known["tests"].items()
            if test in self.items
            and known["seconds"] < SLOW
            and not set(lines).isdisjoint(known["lines"].get(module, ()))
        }

    def fork(self, module: str, mutant: Mutant | None) -> str:
        tests = self.tests(module, mutant.lines if mutant else range(1, 10_000))
        if not tests:
            return "survived"
        connections.close_all()
        killer = Path(SCRATCH.name, "killer")
        killer.write_text("")
        child = os.fork()
        if not child:
            try:
                status = self.child(module, mutant, tests, killer)
            except BaseException as error:
                killer.write_text(repr(error))
                status = ERROR
            os._exit(status)
        _, status = os.waitpid(child, 0)
        for copy in Path(SCRATCH.name).glob("*.sqlite3*"):
            copy.unlink()
        if os.WIFSIGNALED(status):
            return "timeout" if os.WTERMSIG(status) == signal.SIGALRM else "killed"
        self.killer = killer.read_text()
        self.kills.update([self.killer, file_of(self.killer)])
        return RESULTS[os.WEXITSTATUS(status)]

    def child(
        self,
        module: str,
        mutant: Mutant | None,
        tests: list[pytest.Item],
        killer: Path,
    ) -> int:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        for connection in connections.all():
            copy = Path(SCRATCH.name, f"{connection.alias}.sqlite3")
            shutil.copyfile(connection.settings_dict["NAME"], copy)
            connection.settings_dict["NAME"] = str(copy)
        name = "oscar_training_credits." + module.removesuffix(".py").replace("/", ".")
        if not apply(mutant, PACKAGE / module, name, self.functions):
            return IMPOSSIBLE
        end = time.monotonic() + self.seconds
        for test, following in zip(tests, [*tests[1:], tests[-1]], strict=True):
            signal.alarm(TIME_OUT)
            test.ihook.pytest_runtest_protocol(item=test, nextitem=following)
            if self.failed:
                killer.write_text(self.failed)
                return KILLED
            if time.monotonic() > end:
                break
        return SURVIVED


def file_of(test: str) -> str:
    return test.partition("::")[0]


def is_transactional(item: pytest.Item) -> bool:
    """Tell whether a test empties the database, so that it must come last."""
    mark = item.get_closest_marker("django_db")
    marked = bool(mark and mark.kwargs.get("transaction"))
    return marked or "transactional_db" in item.fixturenames


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", help="modules, or test files to record")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--sample", type=int, default=10_000, help="mutants per module")
    parser.add_argument(
        "--seconds", type=float, default=60, help="of tests, until a mutant survives"
    )
    parser.add_argument("--again", type=Path, help="only what survived in this output")
    chosen = parser.parse_args(arguments)
    if chosen.record:
        return record(chosen.paths)
    hunter = Hunter(
        chosen.paths,
        sample=chosen.sample,
        seconds=chosen.seconds,
        again=chosen.again,
    )
    return pytest.main([*TESTS, "-q"], plugins=[hunter])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
