"""Sites that have forked Oscar's apps sell training as any other does.

The forks are made as `manage.py oscar_fork_app` makes them. Tests of the checkout and
its guards then run on that site, in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .sites import forking

ROOT = Path(__file__).parent.parent
TESTS = Path(__file__).parent
PYTEST = "-m pytest -q --nomigrations --ds=tests.sites.forked -p no:cacheprovider"
DECISIVE = [
    "sites/forked_tests.py",
    "test_guards.py",
    "test_checkout.py::test_a_mixed_basket_is_paid_in_credits_and_money",
    "test_failures_elsewhere.py::test_the_price_rises_between_preview_and_click",
    "test_checkout.py::test_a_guests_basket_keeps_its_code_when_it_is_merged_at_log_in",
    "test_gateways.py::test_after_a_failure_the_next_try_works",
]


@pytest.mark.parametrize("by_hand", [False, True], ids=["class loader", "by hand"])
def test_a_site_with_forked_apps_sells_training(by_hand, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    forking.fork(by_hand=by_hand)
    tests = [f"{ROOT}/tests/{path}" for path in DECISIVE]

    ran = subprocess.run(  # noqa: S603
        [
            sys.executable,
            *PYTEST.split(),
            f"--config-file={ROOT}/pyproject.toml",
            *tests,
        ],
        env={
            **{name: os.environ[name] for name in os.environ if name != "DATABASE_URL"},
            "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
            "WIRED_BY_HAND": "1" if by_hand else "",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
