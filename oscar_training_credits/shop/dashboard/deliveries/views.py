"""Oscar's dashboard: what has not arrived where it should, and *try again*."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import View

from ....aliases import Request
from ....converters import number_in
from ....credits import outbox
from ....credits.access import deliveries
from ....credits.models import Delivery
from ....credits.outbox import Result
from ..mixins import (
    PermissionMixin,
    SearchedTableView,
    may,
)
from ..partners import own
from .forms import DeliverySearchForm
from .tables import DeliveryTable

PATIENCE = 10
"""Seconds that *try all again* may take; the command does the rest."""


def own_deliveries(user: Any) -> QuerySet[Delivery]:
    """Return the deliveries that a user of the dashboard may see and try."""
    return own(user, Delivery.objects.all(), product="access__training__product")


class DeliveryListView(SearchedTableView):
    """What has not arrived yet; on demand also what has."""

    permission = "view_delivery"
    template_name = "training_credits/dashboard_deliveries.html"
    table_class = DeliveryTable
    search_form_class = DeliverySearchForm

    def rows(self) -> QuerySet[Delivery]:
        earlier = (
            Delivery.objects.pending()
            .exclude(queue="")
            .filter(queue=OuterRef("queue"), pk__lt=OuterRef("pk"))
        )
        rows = own_deliveries(self.request.user).annotate(waits=Exists(earlier))
        rows = rows.order_by("pk")
        return rows.select_related(
            "access__learner",
            "access__training__product__parent",
            "deleted_training__product__parent",
            "user",
            "endpoint",
        )

    def get_table_kwargs(self) -> dict[str, Any]:
        hidden = () if self.may_try() else ("again",)
        return {"exclude": hidden}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            heading=_("Deliveries"),
            has_enrolment_backend=deliveries.is_on(),
            may_try=self.may_try() and self.pending().exists(),
            **kwargs,
        )

    def pending(self) -> QuerySet[Delivery]:
        return own_deliveries(self.request.user).filter(
            delivered_at=None, dropped_at=None, channel__in=outbox.open_channels()
        )

    def may_try(self) -> bool:
        return may(self.request.user, TryAgainView.permission)


class TryAgainView(PermissionMixin, View):
    """Tries one delivery now, or all for some seconds, and goes back to the list."""

    permission = "change_delivery"
    http_method_names = ["post"]

    def post(self, request: Request) -> HttpResponse:
        if (pk := number_in(request.POST.get("delivery", ""))) is not None:
            self.try_one(pk)
        elif "all" in request.POST:
            self.try_all()
        query = request.GET.urlencode()
        address = reverse("training_credits:delivery-list")
        return redirect(f"{address}?{query}" if query else address)

    def try_one(self, pk: int) -> None:
        # What is another partner's is left, as what is not there.
        mine = own_deliveries(self.request.user).filter(pk=pk).exists()
        match outbox.try_again(pk) if mine else Result.LEFT:
            case Result.ARRIVED:
                messages.success(self.request, _("It has arrived."))
            case Result.FAILED:
                messages.error(self.request, _("It failed again."))
            case Result.DROPPED:
                text = _("It can never arrive, and is not tried again.")
                messages.error(self.request, text)
            case Result.LEFT:
                text = _("It was not sent: it has arrived, is under way, or waits.")
                messages.info(self.request, text)

    def try_all(self) -> None:
        mine = own_deliveries(self.request.user)
        done = outbox.try_all_again(seconds=PATIENCE, among=mine)
        left = mine.filter(delivered_at=None, dropped_at=None).count()
        untried = max(0, left - done.failed)
        numbers = {"arrived": done.arrived, "failed": done.failed, "untried": untried}
        if not left:
            messages.success(self.request, _("All has arrived."))
            return
        text = _("Arrived: %(arrived)d. Failed: %(failed)d. Not tried: %(untried)d.")
        messages.warning(self.request, text % numbers)
