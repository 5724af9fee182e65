"""The dashboard's reports and statistics, with the credits beside the money."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from oscar.core.loading import get_class

from ...aliases import Request
from ...credits.models import Redemption
from ...mixins import Extension
from ..loading import with_mixin
from ..order.mixins import credits_paid


class CreditsColumn:
    """Adds a column to the rows that are written, the header first."""

    def __init__(self, writer: Any, objects: Iterable[Any]) -> None:
        self._writer = writer
        self._cells = self._column(objects)

    @staticmethod
    def _column(objects: Iterable[Any]) -> Iterator[Any]:
        yield _("Credits")
        for each in objects:
            yield each.credits_paid or 0

    def writerow(self, row: Iterable[Any]) -> None:
        self._writer.writerow([*row, next(self._cells, "")])

    def writerows(self, rows: Iterable[Iterable[Any]]) -> None:
        for row in rows:
            self.writerow(row)


class CreditsCSVMixin(Extension):
    """For a formatter of Oscar's that writes a CSV file with a row for each object."""

    def generate_csv(self, response: Any, objects: Any) -> None:
        self.written = list(objects)
        super().generate_csv(response, self.written)

    def get_csv_writer(self, *args: Any, **kwargs: Any) -> CreditsColumn:
        writer = super().get_csv_writer(*args, **kwargs)
        return CreditsColumn(writer, self.written)


class CreditsReportMixin(Extension):
    """A report whose rows have `credits_paid`, and whose CSV file says it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        base: type = type(self.formatter)
        if hasattr(base, "generate_csv"):
            self.formatter.__class__ = with_mixin(base, CreditsCSVMixin)

    def get_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset()
        return rows.annotate(credits_paid=self.credits_paid())

    def credits_paid(self) -> Subquery:
        raise NotImplementedError


class OrderReportMixin(CreditsReportMixin):
    """For Oscar's `order.reports.OrderReportGenerator`."""

    def credits_paid(self) -> Subquery:
        return credits_paid()


class UserReportMixin(CreditsReportMixin):
    """For Oscar's `analytics.reports.UserReportGenerator`."""

    def credits_paid(self) -> Subquery:
        return credits_paid(by=OuterRef("user"))

    def get_queryset(self) -> QuerySet[Any]:
        # Oscar's has no order, which the list's pages would be arbitrary without.
        rows = super().get_queryset()
        return rows if rows.ordered else rows.order_by("pk")


class OrderStatsMixin(Extension):
    """For Oscar's `dashboard.orders.views.OrderStatsView`."""

    request: Request

    def get_stats(self, filters: dict[str, Any]) -> dict[str, Any]:
        orders_of: Any = get_class("dashboard.orders.views", "queryset_orders_for_user")
        orders = orders_of(self.request.user).filter(**filters)
        stats: dict[str, Any] = super().get_stats(filters)
        return {**stats, "credits_paid": _credits_of(orders)}


class IndexViewMixin(Extension):
    """For Oscar's `dashboard.views.IndexView`: its orders of a day and of all time."""

    request: Request

    def get_stats(self) -> dict[str, Any]:
        orders_of: Any = get_class("dashboard.orders.views", "queryset_orders_for_user")
        orders = orders_of(self.request.user)
        day_ago = timezone.now() - timedelta(hours=24)
        stats: dict[str, Any] = super().get_stats()
        return {
            **stats,
            "credits_paid": _credits_of(orders),
            "credits_paid_last_day": _credits_of(orders, placed_after=day_ago),
        }


def _credits_of(orders: QuerySet[Any], *, placed_after: Any = None) -> int:
    """Return the credits taken for `orders`, in one query."""
    placed = Q(order__date_placed__gt=placed_after) if placed_after else Q()
    keys = orders.order_by().values("pk")
    taken = Redemption.objects.filter(placed, order__in=keys, code__is_test=False)
    return taken.aggregate(total=Sum("credits"))["total"] or 0
