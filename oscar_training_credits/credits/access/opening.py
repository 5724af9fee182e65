"""What an order line gives: at once, or when its order is paid.

Where the site names the statuses in which an order is paid, training that money is
due for waits in a row of its own, and opens nothing until then. Lock order: what is
due by primary key, then places, then learners.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import F, Model, Q, QuerySet
from django.utils import timezone

from ...aliases import Order
from ...conf import settings
from ..isolation import own_transaction
from ..locking import lock_by_key
from ..models import DueAccess, SettledLine, TrainingProduct
from . import granting, places
from .status import grounds

Row = TypeVar("Row", bound=Model)


def opens_at_once(order: Order) -> bool:
    """Tell whether the training of an order opens as soon as the order is written.

    Where the site names no status in which an order is paid, it does; elsewhere if
    the order has such a status already, or leaves nothing to be paid in money. It
    never does for an order whose status gives credits back.
    """
    if order.status in settings.REFUND_STATUSES:
        return False
    return (
        not settings.PAID_STATUSES
        or order.status in settings.PAID_STATUSES
        or not order.total_incl_tax
    )


def terms_of(
    order_line: Any,
    training: TrainingProduct,
    *,
    learner: Any,
    until: datetime | None = None,
) -> DueAccess:
    """Return, unsaved, what a new order line gives `learner` on today's terms.

    Access ends `until` a moment at the latest, whenever it opens.
    """
    return DueAccess(
        order_line=order_line,
        learner=learner,
        training=training,
        access_days=training.access_days,
        starts_at=training.opens_at,
        ends_at=min(filter(None, (training.closes_at, until)), default=None),
    )


def give(bought: Iterable[DueAccess], *, ends: Mapping[int, datetime]) -> None:
    """Give what order lines bought: access for their buyer or, for several, places.

    The one way, whether it opens with the order or later. Access begins now or, where
    the caller knows of access that is running, when that `ends`, by the primary key of
    the training product. The caller holds the lock of the learner.
    """
    bought = list(bought)
    places.make_places(due for due in bought if due.order_line.quantity > 1)
    own = (due for due in bought if due.order_line.quantity == 1)
    granting.open_access(own, ends=ends)


@own_transaction()
def open_due(order: Order) -> list[Any]:
    """Open what is due for the lines of `order`; return those lines.

    The caller knows that it is paid. Each line is opened once, however often and from
    wherever this is called. Of a line that was refunded in part, the places that are
    left open.
    """
    if not (found := lock_by_key(DueAccess.objects.filter(order_line__order=order))):
        return []
    granting.lock_learners(due.learner_id for due in found)
    for due in found:
        running = grounds(due.learner, [due.training]).get(due.training_id, ())
        give([due], ends={due.training_id: granting.first_free(running, due)})
        due.delete()
    _take_back_refunded(found)
    return [due.order_line for due in found]


def open_paid() -> list[Any]:
    """Open all that is due although its order is paid; return the order lines.

    For statuses that were set by an UPDATE, which nobody hears of, or while the site
    named other ones. Safe to run at any time.
    """
    waiting = paid_but_waiting().select_related("order_line__order").order_by("pk")
    orders = {due.order_line.order_id: due.order_line.order for due in waiting}
    # One by one, so that no learner waits for the whole of it.
    return [line for order in orders.values() for line in open_due(order)]


def paid_but_waiting() -> QuerySet[DueAccess]:
    """Return what is due although it would open at once if it were ordered now."""
    return of_paid_orders(DueAccess.objects.all())


def of_paid_orders(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Narrow rows of order lines to those whose orders are paid, as the site says."""
    waiting = rows.exclude(order_line__order__status__in=settings.REFUND_STATUSES)
    if not settings.PAID_STATUSES:
        return waiting
    has_status = Q(order_line__order__status__in=settings.PAID_STATUSES)
    return waiting.filter(has_status | Q(order_line__order__total_incl_tax=0))


def drop(order_lines: Iterable[int], *, among: Iterable[int] = ()) -> tuple[int, ...]:
    """Let nothing open for these order lines any more; return those that were due.

    What is due for those `among` which they are is locked, so that nobody opens it in
    this transaction. The caller has locked neither places nor learners yet.
    """
    gone = set(order_lines)
    rows = DueAccess.objects.filter(order_line__in=gone.union(among))
    found = [due for due in lock_by_key(rows) if due.order_line_id in gone]
    if found:
        DueAccess.objects.filter(pk__in=[due.pk for due in found]).delete()
    return tuple(due.order_line_id for due in found)


def _take_back_refunded(opened: Iterable[DueAccess]) -> None:
    lines = [due.order_line_id for due in opened if due.order_line.quantity > 1]
    if not lines:
        return
    refunded = SettledLine.objects.filter(order_line__in=lines, refunded_quantity__gt=0)
    left = refunded.values_list("order_line", F("quantity") - F("refunded_quantity"))
    places.take_back(dict(left), claimed_too=False, at=timezone.now())
