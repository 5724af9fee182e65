"""Oscar's views and mails of orders: they bring credits along, with no query more."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery, Sum

from ...aliases import Order
from ...credits.models import Redemption
from .settlements import has_read_lines, shared_reading


class OrderListMixin:
    """For Oscar's lists of orders, the customer's and the dashboard's."""

    def get_queryset(self) -> QuerySet[Any]:
        """Add `credits_paid` to each order, in the same query."""
        orders: QuerySet[Any] = super().get_queryset()  # type: ignore[misc]
        return orders.annotate(credits_paid=credits_paid())


class OrderDispatcherMixin:
    """For Oscar's `order.utils.OrderDispatcher`, which sends an order's mail."""

    def send_order_placed_email_for_user(
        self, order: Order, *args: Any, **kwargs: Any
    ) -> Any:
        """Let both bodies of the mail share one reading of the order's training."""
        send = super().send_order_placed_email_for_user  # type: ignore[misc]
        if has_read_lines(order):
            return send(order, *args, **kwargs)
        with shared_reading(order):
            return send(order, *args, **kwargs)


def credits_paid(*, by: OuterRef | None = None) -> Subquery:
    """Return the credits taken for each order of a queryset, as a subquery.

    Or for all orders of a user: `by` is where the outer queryset has their key.
    """
    name, key = ("order__user", by) if by else ("order", OuterRef("pk"))
    taken = Redemption.objects.filter(**{name: key}).order_by()
    summed = taken.values(name).annotate(total=Sum("credits"))
    return Subquery(summed.values("total"))
