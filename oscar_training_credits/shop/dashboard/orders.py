"""Oscar's page of an order in the dashboard."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet

from ...conf import settings
from ...mixins import Extension
from ..order_pages import OrderListMixin
from ..receivers import telling
from ..settlements import JOINED, settlement_of
from .refund_pages import RefundActionsMixin, may_give_back
from .staff_pages import may


class ToldStatusMixin(Extension):
    """Says what a change of status did: it may give credits back, and end access."""

    def change_order_status(self, request: Any, order: Any) -> Any:
        with telling() as texts:
            answer = super().change_order_status(request, order)
        _say(request, texts)
        return answer


class DashboardOrderListMixin(ToldStatusMixin, OrderListMixin):
    """For Oscar's `dashboard.orders.views.OrderListView`."""


class DashboardOrderMixin(ToldStatusMixin, RefundActionsMixin):
    """For Oscar's `dashboard.orders.views.OrderDetailView`."""

    def get_order_lines(self) -> QuerySet[Any]:
        """Join what the page shows of each line; Oscar reads each product by itself."""
        lines: QuerySet[Any] = super().get_order_lines()
        return lines.select_related("product", *JOINED)

    def change_line_statuses(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        with telling() as texts:
            answer = super().change_line_statuses(request, *args, **kwargs)
        _say(request, texts)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["settlement"] = settlement_of(self.object, context["lines"])
        statuses = set(self.object.available_statuses())
        context["may_view_access"] = may(self.request.user, "view_access")
        context["may_give_back"] = may_give_back(self.request.user)
        context["refund_statuses"] = sorted(statuses & set(settings.REFUND_STATUSES))
        return context


def _say(request: Any, texts: list[str]) -> None:
    if texts:
        messages.info(request, " ".join(texts))
