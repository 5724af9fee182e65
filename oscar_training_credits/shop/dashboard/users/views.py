"""Oscar's page of a customer in the dashboard."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce
from django_tables2 import RequestConfig

from ....aliases import Request
from ....credits.models import Access, Redemption
from ....mixins import Extension
from ..access.views import own_access
from ..mixins import may
from .tables import CustomerAccessTable, RedemptionTable


class CustomerMixin(Extension):
    """For Oscar's `dashboard.users.views.UserDetailView`: orders in credits, access."""

    request: Request

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        customer = context["customer"]
        # The instances that the template shows: Oscar has read them ahead.
        orders = list(customer.orders.all())
        taken = _by_order(orders) if orders else {}
        for order in orders:
            order.credits_paid = taken.get(order.pk)
        context["credits_paid"] = sum(taken.values())
        if may(self.request.user, "view_access"):
            access = self.own_access().filter(learner=customer).order_by("-pk")
            context["access_table"] = self.paged(CustomerAccessTable, access)
        if taken:
            redeemed = _redemptions_of(customer)
            context["redemption_table"] = self.paged(RedemptionTable, redeemed)
        return context

    def paged(self, table_class: Any, rows: QuerySet[Any]) -> Any:
        table = table_class(rows, prefix=f"{rows.model._meta.model_name}-")
        per_page = django_settings.OSCAR_DASHBOARD_ITEMS_PER_PAGE
        config = RequestConfig(self.request, paginate={"per_page": per_page})
        return config.configure(table)

    def own_access(self) -> QuerySet[Access]:
        return own_access(self.request.user)


def _redemptions_of(customer: Any) -> QuerySet[Any]:
    rows = Redemption.objects.filter(
        learner=customer, state=Redemption.State.CAPTURED
    ).select_related("code")
    refunded = Coalesce(Sum("refunds__credits"), 0)
    return rows.annotate(refunded=refunded).order_by("-pk")


def _by_order(orders: list[Any]) -> dict[int, int]:
    taken = Redemption.objects.filter(order__in=orders).order_by()
    return dict(taken.values_list("order").annotate(Sum("credits")))
