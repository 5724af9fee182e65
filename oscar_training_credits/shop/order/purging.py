"""A test code taken out of use, with all that was bought with it.

Nothing is deleted, as entries of the ledger never are: what was bought is undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from oscar.core.loading import get_model

from ...credits.isolation import own_transaction
from ...credits.ledger.adjusting import close_code
from ...credits.models import Access, CreditCode, RedemptionLine
from .refunds import cancel_lines

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser
    from typing_extensions import Unpack

    from ...credits.codes.history import Record


@dataclass(frozen=True, slots=True)
class Traces:
    """What a test code has made, and purging it undoes."""

    orders: int
    accesses: int


def traces_of(code: CreditCode) -> Traces:
    lines = _lines_of(code)
    running = Access.objects.unended(timezone.now())
    bought = Q(order_line__in=lines) | Q(place__order_line__in=lines)
    orders = lines.order_by().values("order").distinct()
    return Traces(orders.count(), running.filter(bought).count())


@own_transaction()
def purge(code: CreditCode, **record: Unpack[Record]) -> None:
    """Undo what was bought with a test code, and close it. Safe to repeat.

    The lines that it paid for, alone or with others, give their credits back; their
    access ends and their places are taken back, as if they were cancelled. Orders keep
    their status, and get a note. What is left on the code lapses.

    Raises:
        ValueError: it is no test code.
    """
    if not code.is_test:
        raise ValueError("Only a test code can be purged.")
    by: AbstractBaseUser | None = record.get("by")
    orders: dict[Any, list[Any]] = {}
    for line in _lines_of(code).select_related("order").order_by("order", "pk"):
        orders.setdefault(line.order_id, []).append(line)
    for pk, lines in orders.items():
        cancel_lines(lines, idempotency_key=f"purge:{code.pk}:{pk}", by=by)
    close_code(code, **record)


def _lines_of(code: CreditCode) -> QuerySet[Any]:
    """Return the order lines that a code has paid something of, and still does."""
    paid = RedemptionLine.objects.filter(redemption__code=code)
    lines: QuerySet[Any] = get_model("order", "Line")._default_manager.filter(
        pk__in=paid.exclude(settled_line=None).values("settled_line__order_line")
    )
    return lines
