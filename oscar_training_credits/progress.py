"""How far a command is, for whoever watches it: a bar by tqdm, or plain lines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.utils.translation import gettext as _

STEPS = 10
"""How many lines there are where there is no bar."""


@contextmanager
def progress(total: int, *, unit: str) -> Iterator[Callable[[int], object]]:
    """Yield what is told each time how many more are done.

    It shows them on standard error if that is a terminal. One alone needs none.
    """
    if total < 2 or not sys.stderr.isatty():
        yield lambda more: None
        return
    try:
        from tqdm import tqdm
    except ImportError:
        yield _lines(total, unit)
        return
    with tqdm(total=total, unit=unit) as bar:
        yield bar.update


def _lines(total: int, unit: str) -> Callable[[int], object]:
    done = 0

    def update(more: int) -> None:
        nonlocal done
        before, done = done, done + more
        if done * STEPS // total > before * STEPS // total:
            counts = {"done": done, "total": total, "unit": unit}
            text = _("%(done)d of %(total)d %(unit)s") % counts
            sys.stderr.write(f"{text}\n")

    return update
