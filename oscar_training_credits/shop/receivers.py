"""What happens in the shop that gives credits back, or takes content from plans."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from ..conf import settings
from ..credits import giving
from ..credits.refunding import LONGEST_CAUSE
from ..exceptions import CauseReused
from .refunds import add_note, cancel_lines, result_texts

logger = logging.getLogger("training_credits")

_told: ContextVar[list[str] | None] = ContextVar("told", default=None)


@contextmanager
def telling() -> Iterator[list[str]]:
    """Collect what changes of status do inside the block, sentence by sentence."""
    texts: list[str] = []
    token = _told.set(texts)
    try:
        yield texts
    finally:
        _told.reset(token)


def order_status_changed(
    sender: Any, *, order: Any, new_status: str, **kwargs: Any
) -> None:
    """Give an order's credits back if its new status says so.

    Oscar's cascade to the lines sends no signal of theirs; if a site's does, nothing
    is left of them here.
    """
    if new_status in settings.REFUND_STATUSES:
        lines = order.lines.select_related("settled_line")
        cancel(order, lines, cause=f"order:{order.pk}:{new_status}")


def line_status_changed(
    sender: Any, *, line: Any, new_status: str, **kwargs: Any
) -> None:
    """Give a line's credits back if its new status says so."""
    if new_status in settings.REFUND_STATUSES:
        cancel(line.order, [line], cause=f"line:{line.pk}:{new_status}")


def range_changed(sender: Any, **kwargs: Any) -> None:
    """Let nobody wait for the end of a plan that does not open the course any more."""
    transaction.on_commit(giving.bring_forward, robust=True)


def cancel(order: Any, lines: Iterable[Any], *, cause: str) -> None:
    lines = list(lines)
    try:
        outcome = cancel_lines(lines, cause=cause[:LONGEST_CAUSE])
    except CauseReused:
        # The status is saved; staff can still give the rest back by hand.
        logger.warning("Order %s: credits not given back again", order.number)
        text = _("This status gave credits back before; what is left was not touched.")
        add_note(order, text)
        _tell([text])
    else:
        _tell(result_texts(outcome, lines))


def _tell(texts: list[str]) -> None:
    told = _told.get()
    if told is not None:
        told += texts
