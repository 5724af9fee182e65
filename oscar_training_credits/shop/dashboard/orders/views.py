"""Oscar's page of an order in the dashboard."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ....aliases import Order, Request
from ....conf import settings
from ....converters import number_in
from ....credits.models import Place
from ....credits.patience import PatientMixin
from ....mixins import Extension
from ...order.mixins import OrderListMixin
from ...order.receivers import telling
from ...order.settlements import JOINED, credits_left, settlement_of
from ..mixins import may
from ..partners import may_change_orders, own_lines, refusal_of_status
from .cancelling import cancellation_of, must_ask, question
from .refunds import RefundActionsMixin


class ToldStatusMixin(PatientMixin, Extension):
    """Asks before a status gives credits back or ends access, and says what it did."""

    def change_order_status(self, request: Request, order: Order) -> Any:
        new_status = request.POST.get("new_status", "").strip()
        if text := refusal_of_status(request.user, order.lines.all(), new_status):
            messages.error(request, text)
            return redirect("dashboard:order-detail", number=order.number)
        if must_ask(request) and new_status in order.available_statuses():
            cancellation = cancellation_of(order, order.lines.all())
            if cancellation.is_change:
                return question(request, [cancellation])
        with telling() as texts:
            answer = super().change_order_status(request, order)
        _say(request, texts)
        return answer


class DashboardOrderListMixin(ToldStatusMixin, OrderListMixin):
    """For Oscar's `dashboard.orders.views.OrderListView`."""

    CSV_COLUMNS: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.CSV_COLUMNS = {**cls.CSV_COLUMNS, "credits": gettext_lazy("Credits")}

    def get_row_values(self, order: Order) -> dict[str, Any]:
        """Keep the money a number, and say the credits in a column of their own."""
        row: dict[str, Any] = super().get_row_values(order)
        return {**row, "credits": getattr(order, "credits_paid", None) or 0}

    def change_order_statuses(self, request: Request, orders: list[Any]) -> Any:
        """Ask once for all orders that the status would take something from."""
        if must_ask(request):
            new_status = request.POST["new_status"].strip()
            cancellations = [
                cancellation_of(order, order.lines.all())
                for order in orders
                if new_status in order.available_statuses()
                and not refusal_of_status(request.user, order.lines.all(), new_status)
            ]
            if asked := [each for each in cancellations if each.is_change]:
                return question(request, asked)
        return super().change_order_statuses(request, orders)

    def get_selected_ids(self, request: Request) -> list[int]:
        """Select nothing where a number is none, such as “1,000”."""
        chosen = request.POST.getlist("selected_order")
        if None in map(number_in, chosen):
            return []
        ids: list[int] = super().get_selected_ids(request)
        return ids


class DashboardOrderMixin(ToldStatusMixin, RefundActionsMixin):
    """For Oscar's `dashboard.orders.views.OrderDetailView`."""

    def handle_line_action(self, request: Request, order: Order, action: str) -> Any:
        if None in map(number_in, request.POST.getlist("selected_line")):
            return self.reload_page(error=_("Invalid lines requested"))
        return super().handle_line_action(request, order, action)

    def get_order_lines(self) -> QuerySet[Any]:
        """Join what the page shows of each line; Oscar reads each product by itself."""
        lines: QuerySet[Any] = super().get_order_lines()
        return lines.select_related("product", *JOINED).annotate(
            places_bought=_places("pk"), places_claimed=_places("claimed_at")
        )

    def change_line_statuses(
        self, request: Request, order: Order, lines: Any, *args: Any, **kwargs: Any
    ) -> Any:
        new_status = request.POST.get("new_status", "").strip()
        if text := refusal_of_status(request.user, lines, new_status):
            return self.reload_page(error=text)
        if must_ask(request):
            changing = [
                line for line in lines if new_status in line.available_statuses()
            ]
            cancellation = cancellation_of(order, changing)
            if cancellation.is_change:
                return question(request, [cancellation])
        with telling() as texts:
            answer = super().change_line_statuses(
                request, order, lines, *args, **kwargs
            )
        _say(request, texts)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["settlement"] = settlement_of(self.object, context["lines"])
        statuses = set(self.object.available_statuses())
        context["may_view_access"] = may(self.request.user, "view_access")
        mine = own_lines(self.request.user, context["lines"])
        context["own_lines"] = mine
        context["paid_statuses"] = settings.PAID_STATUSES
        context["credits_left"] = credits_left(mine)
        context["may_give_back"] = may_change_orders(self.request.user)
        context["refund_statuses"] = sorted(statuses & set(settings.REFUND_STATUSES))
        return context


def _places(counted: str) -> Subquery:
    """Return the number of places of a line that have this, of those that are left."""
    kept = Place.objects.kept().filter(order_line=OuterRef("pk"))
    by_line = kept.order_by().values("order_line")
    return Subquery(by_line.annotate(number=Count(counted)).values("number"))


def _say(request: Request, texts: list[str]) -> None:
    if texts:
        messages.info(request, " ".join(texts))
