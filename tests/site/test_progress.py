"""Whoever watches a long command sees how far it is, with tqdm or without."""

from __future__ import annotations

import sys
from contextlib import redirect_stderr
from io import StringIO

import pytest
from django.core.management import call_command

from oscar_training_credits.progress import progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def no_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)


def watched(total: int, step: int) -> str:
    """Return what somebody at a terminal sees."""
    terminal = Terminal()
    with redirect_stderr(terminal), progress(total, unit="codes") as update:
        for _each in range(total // step):
            update(step)
    return terminal.getvalue()


def test_a_bar_is_shown():
    assert "30/30" in watched(30, 10)


def test_without_tqdm_there_are_ten_lines_at_most(no_tqdm):
    lines = watched(1_000, 20).splitlines()

    assert lines[0] == "100 of 1000 codes"
    assert lines[-1] == "1000 of 1000 codes"
    assert len(lines) == 10


def test_without_tqdm_each_large_step_is_a_line(no_tqdm):
    assert watched(2, 1).splitlines() == ["1 of 2 codes", "2 of 2 codes"]


def test_a_single_thing_needs_no_progress(no_tqdm):
    assert watched(1, 1) == ""


def test_nothing_is_shown_where_nobody_watches(capsys, no_tqdm):
    with progress(10, unit="codes") as update:
        update(10)

    assert capsys.readouterr().err == ""


@pytest.mark.django_db
def test_codes_are_issued_without_tqdm(no_tqdm):
    out, terminal = StringIO(), Terminal()

    with redirect_stderr(terminal):
        call_command("issue_credit_codes", label="ACME", credits=5, count=2, stdout=out)

    assert len(out.getvalue().splitlines()) == 3
    assert terminal.getvalue() == "2 of 2 codes\n"
