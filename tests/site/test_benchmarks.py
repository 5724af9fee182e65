"""The benchmarks, which are run by hand, start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.any_database


def test_every_row_of_the_benchmarks_runs():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick"],
        cwd=ROOT,
        env={
            name: value
            for name, value in os.environ.items()
            if name not in {"DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
        },
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    skipped = {
        line.partition("skipped: ")[2].strip(" |")
        for line in done.stdout.splitlines()
        if "skipped: " in line
    }
    assert skipped == {"peers take part in a whole run", "COPY is PostgreSQL's"}
