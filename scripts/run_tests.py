"""Run the whole suite; the races on PostgreSQL, if the rest is on SQLite.

Usage: run_tests.py [--without-races] [ARGUMENT OF PYTEST ...]

With --without-races they are left to whoever calls: CI runs the whole suite on a
PostgreSQL anyway, and the races with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WITHOUT_RACES = "--without-races"
ROOT = Path(__file__).resolve().parent.parent
NO_TESTS = 5
# Each worker makes a database of its own, so many of them would not be quicker.
WORKERS = ["--numprocesses=auto", "--maxprocesses=4"]


def main(arguments: list[str]) -> int:
    with_races = WITHOUT_RACES not in arguments
    arguments = [argument for argument in arguments if argument != WITHOUT_RACES]
    pytest = [sys.executable, "-m", "pytest", *arguments]
    races = 0
    if with_races and os.environ.get("DATABASE_URL", "sqlite").startswith("sqlite"):
        print("The races, on PostgreSQL:", flush=True)
        races = run(sys.executable, "scripts/with_postgres.py", *pytest, "-m races")
        if races == NO_TESTS:
            races = 0
        print("\nEverything else:", flush=True)
    # Second, so that the summary of the larger part is what stays on the screen.
    status = run(*pytest, *([] if arguments else WORKERS))
    if races:
        print("FAILED: the races on PostgreSQL, see above.")
    return status or races


def run(*command: str) -> int:
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
