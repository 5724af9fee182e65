"""What happens in the shop that opens training, gives credits back, changes plans."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from ...aliases import Order
from ...conf import settings
from ...credits.access import granting, opening
from ...credits.ledger import packs
from ...credits.ledger.refunding import LONGEST_KEY, Outcome
from ...credits.wording import in_words
from ...exceptions import IdempotencyKeyReused
from . import mails, packs_bought, settlements
from .refunds import add_note, cancel_lines, result_texts

logger = logging.getLogger("training_credits")

# Between who changes a status and what comes of it stands Oscar's signal, which takes
# no more arguments and gives nothing back.
_told: ContextVar[list[str] | None] = ContextVar("told", default=None)


@contextmanager
def telling() -> Iterator[list[str]]:
    """Collect what changes of status do inside the block, sentence by sentence.

    The customer of each order is told by one mail.
    """
    texts: list[str] = []
    token = _told.set(texts)
    try:
        with mails.one_for_each_order():
            yield texts
    finally:
        _told.reset(token)


def order_placed(sender: Any, *, order: Order, **kwargs: Any) -> None:
    """Give the credits back at once that an order took which was written as declined.

    Nothing has opened with it. Oscar's analytics read the order's lines five times:
    until our creator returns they are read once.
    """
    if getattr(sender, "shares_lines", False):
        settlements.share_lines(order)
    if order.status in settings.REFUND_STATUSES:
        cancel_order(order)


def order_saved(
    sender: Any, *, instance: Any, created: bool, raw: bool, **kwargs: Any
) -> None:
    """Open what is due once an order is paid, whoever has set its status.

    An order that is being written opens its training by itself.
    """
    if not (created or raw) and instance.status in settings.PAID_STATUSES:
        open_due(instance)


def order_status_changed(
    sender: Any, *, order: Order, new_status: str, **kwargs: Any
) -> None:
    """Open an order's training, or give its credits back, if its new status says so.

    Oscar's cascade to the lines sends no signal of theirs; if a site's does, nothing
    is left of them here.
    """
    if new_status in settings.REFUND_STATUSES:
        if outcome := cancel_order(order, new_status):
            mails.cancelled(order, outcome, status=new_status)
    elif new_status in settings.PAID_STATUSES:
        open_due(order)


def line_status_changed(
    sender: Any, *, line: Any, new_status: str, **kwargs: Any
) -> None:
    """Give a line's credits back if its new status says so."""
    if new_status in settings.REFUND_STATUSES:
        key = f"line:{line.pk}:{new_status}"
        if outcome := cancel(line.order, [line], idempotency_key=key):
            mails.cancelled(line.order, outcome)


def range_changed(sender: Any, **kwargs: Any) -> None:
    """Let nobody wait for the end of a plan that does not open the course any more."""
    transaction.on_commit(granting.bring_forward, robust=True)


def open_due(order: Order) -> None:
    """Open what is due for an order that is paid, and say so to staff and in a note."""
    texts = []
    if lines := opening.open_due(order):
        text = _("The order is paid. Opened: %(titles)s.")
        texts.append(text % {"titles": ", ".join(line.title for line in lines)})
    for sale in packs.issue_due(order):
        text = _("The order is paid. %(credits)s are on %(code)s.")
        code = sale.grant.code  # type: ignore[union-attr]
        texts.append(text % {"credits": in_words(sale.total), "code": code})
    if texts:
        add_note(order, "\n".join(texts))
        _tell(texts)


def cancel_order(order: Order, status: str | None = None) -> Outcome | None:
    lines = order.lines.select_related("settled_line")
    key = f"order:{order.pk}:{status or order.status}"
    return cancel(order, lines, idempotency_key=key)


def cancel(
    order: Order, lines: Iterable[Any], *, idempotency_key: str
) -> Outcome | None:
    """Cancel lines, and say so to staff; return what was done, or None for nothing."""
    lines = list(lines)
    if texts := packs_bought.take_back(lines):
        add_note(order, "\n".join(texts))
        _tell(texts)
    try:
        outcome = cancel_lines(lines, idempotency_key=idempotency_key[:LONGEST_KEY])
    except IdempotencyKeyReused:
        # The status is saved; staff can still give the rest back by hand.
        logger.warning("Order %s: credits not given back again", order.number)
        text = _("This status gave credits back before; what is left was not touched.")
        add_note(order, text)
        _tell([text])
        return None
    _tell(result_texts(outcome, lines))
    return outcome


def _tell(texts: list[str]) -> None:
    told = _told.get()
    if told is not None:
        told += texts
