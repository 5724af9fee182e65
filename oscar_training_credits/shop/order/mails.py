"""Mails to an order's customer about what staff took back or gave back of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from ...aliases import Order
from ...conf import CREDITS_GIVEN_BACK, ORDER_CANCELLED
from ...credits.ledger.refunding import Outcome
from ...credits.models import CreditCode, RefundLine
from ..communication.mails import send_about_order


@dataclass(frozen=True, slots=True)
class CreditsBack:
    """Credits that are on one code again."""

    code: CreditCode
    credits: int
    renewed: int = 0
    """How many of them had expired, and can be spent until `until`."""
    until: datetime | None = None


@dataclass(slots=True)
class _Cancelled:
    """What was cancelled of one order by one thing that staff did."""

    order: Order
    status: str
    """The order's new status; empty if lines of it were cancelled."""
    outcomes: list[Outcome]


_waiting: ContextVar[dict[int, _Cancelled] | None] = ContextVar("waiting", default=None)


def given_back(order: Order, outcome: Outcome) -> None:
    """Tell the customer which credits are back, once for each refund."""
    if not outcome.is_repeated and outcome.refunds:
        context = partial(_context, order, *_told_of([outcome]))
        send_about_order(CREDITS_GIVEN_BACK, order, context)


def cancelled(order: Order, outcome: Outcome, *, status: str = "") -> None:
    """Tell the customer what an order, or lines of it, lost by being cancelled.

    Inside `one_for_each_order` there is one mail for an order. Nothing is said of an
    order that lost nothing.
    """
    if outcome.is_repeated or not _is_change(outcome):
        return
    waiting = _waiting.get()
    if waiting is None:
        _send_cancelled(_Cancelled(order, status, [outcome]))
        return
    together = waiting.setdefault(order.pk, _Cancelled(order, status, []))
    together.outcomes.append(outcome)


@contextmanager
def one_for_each_order() -> Iterator[None]:
    """Gather what is cancelled inside the block, line by line, in one mail an order."""
    waiting: dict[int, _Cancelled] = {}
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)
        for each in waiting.values():
            _send_cancelled(each)


def _is_change(outcome: Outcome) -> bool:
    return bool(outcome.refunds or outcome.ended or outcome.dropped or outcome.places)


def _send_cancelled(each: _Cancelled) -> None:
    told_of = _told_of(each.outcomes)
    context = partial(_context, each.order, *told_of, status=each.status)
    send_about_order(ORDER_CANCELLED, each.order, context)


def _told_of(outcomes: Iterable[Outcome]) -> tuple[list[Any], ...]:
    """Return the refunds, and the order lines that lost access, a promise or places."""
    outcomes = list(outcomes)
    places: Counter[int] = Counter()
    for outcome in outcomes:
        places.update(dict(outcome.places))
    return (
        [refund.pk for outcome in outcomes for refund in outcome.refunds],
        [pk for outcome in outcomes for pk in outcome.ended],
        [pk for outcome in outcomes for pk in outcome.dropped],
        [*places.items()],
    )


def _context(
    order: Order,
    refunds: list[int],
    ended: list[int],
    dropped: list[int],
    places: list[tuple[int, int]],
    *,
    status: str = "",
) -> dict[str, Any]:
    """Return what the templates of these mails are given; all but credits by line."""
    titles = {line.pk: line.title for line in order.lines.all()}
    credits_back = _credits_back(refunds)
    return {
        "status": status,
        "credits": sum(each.credits for each in credits_back),
        "credits_back": credits_back,
        "ended": [titles[pk] for pk in ended],
        "dropped": [titles[pk] for pk in dropped],
        "places": [(titles[pk], number) for pk, number in places],
    }


def _credits_back(refunds: Iterable[int]) -> list[CreditsBack]:
    rows = RefundLine.objects.filter(refund__in=refunds).select_related(
        "grant", "redemption_line", "refund__redemption__code"
    )
    by_code: dict[int, CreditsBack] = {}
    for row in rows.order_by("pk"):
        code = row.refund.redemption.code
        so_far = by_code.get(code.pk, CreditsBack(code, 0))
        is_renewed = row.grant_id != row.redemption_line.grant_id
        by_code[code.pk] = CreditsBack(
            code,
            so_far.credits + row.credits,
            so_far.renewed + (row.credits if is_renewed else 0),
            row.grant.expires_at if is_renewed else so_far.until,
        )
    return list(by_code.values())
