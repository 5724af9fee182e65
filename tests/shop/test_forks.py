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

from ..sites import forking

pytestmark = pytest.mark.any_database

ROOT = Path(__file__).parent.parent.parent
PYTEST = "-m pytest -q --nomigrations --ds=tests.sites.forked -p no:cacheprovider"
CHECKOUT = "shop/checkout"
DECISIVE = [
    "sites/forked_tests.py",
    f"{CHECKOUT}/test_guards.py",
    f"{CHECKOUT}/test_checkout.py::test_a_mixed_basket_is_paid_in_credits_and_money",
    "races/test_failures_elsewhere.py::test_the_price_rises_between_preview_and_click",
    f"{CHECKOUT}/test_checkout.py::test_a_guests_basket_keeps_its_code_when_it_is_merged_at_log_in",
    f"{CHECKOUT}/test_gateways.py::test_after_a_failure_the_next_try_works",
]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """The tests of both sites, each in a process, at once."""
    return {by_hand: start(tmp_path_factory, by_hand) for by_hand in (False, True)}


def start(tmp_path_factory, by_hand):
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        forking.fork(by_hand=by_hand)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    environment.pop("DATABASE_URL", None)
    if by_hand:
        environment["WIRED_BY_HAND"] = "1"
    config = f"--config-file={ROOT}/pyproject.toml"
    tests = [f"{ROOT}/tests/{path}" for path in DECISIVE]
    return subprocess.Popen(  # noqa: S603
        [sys.executable, *PYTEST.split(), config, *tests],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("by_hand", [False, True], ids=["class loader", "by hand"])
def test_a_site_with_forked_apps_sells_training(running, by_hand):
    said, _none = running[by_hand].communicate()

    assert running[by_hand].returncode == 0, said
