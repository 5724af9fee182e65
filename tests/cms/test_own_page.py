"""A site may have a page model of its own in the place of Wagtail's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import wagtail.models

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.skipif(
        not hasattr(wagtail.models, "AbstractPage"), reason="Wagtail 8 has it"
    ),
]

ROOT = Path(__file__).parent.parent.parent
OPTIONS = "-m pytest -q -n 0 --nomigrations -p no:cacheprovider"
SITE = "--ds=tests.sites.own_page_settings"


def test_a_site_with_its_own_page_model_sells_training():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("DATABASE_URL", None)
    tests = f"{ROOT}/tests/sites/own_page_tests.py"

    ran = subprocess.run(  # noqa: S603
        [sys.executable, *OPTIONS.split(), SITE, tests],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
