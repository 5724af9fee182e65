"""Oscar's page of an order in the dashboard."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from ...conf import settings
from ..settlements import JOINED, settlement_of
from .refund_pages import RefundActionsMixin, may_give_back
from .staff_pages import may


class DashboardOrderMixin(RefundActionsMixin):
    """For Oscar's `dashboard.orders.views.OrderDetailView`."""

    def get_order_lines(self) -> QuerySet[Any]:
        """Join what the page shows of each line; Oscar reads each product by itself."""
        lines: QuerySet[Any] = super().get_order_lines()
        return lines.select_related("product", *JOINED)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["settlement"] = settlement_of(self.object, context["lines"])
        statuses = set(self.object.available_statuses())
        context["may_view_access"] = may(self.request.user, "view_access")
        context["may_give_back"] = may_give_back(self.request.user)
        context["refund_statuses"] = sorted(statuses & set(settings.REFUND_STATUSES))
        return context
