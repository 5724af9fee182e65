"""Oscar's dashboard: what the site's granter has not heard yet, and *try again*."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django.views.generic import View
from django_tables2 import A, Column, TemplateColumn

from ...conf import settings
from ...converters import number_in
from ...credits import deliveries
from ...credits.deliveries import Result
from ...credits.models import Delivery
from .access_forms import PlainSelect
from .staff_pages import (
    NO_WRAP,
    DashboardTable,
    SearchedTableView,
    StaffPageMixin,
    learner_matches,
    may,
    moment_in_words,
    name_of,
    training_matches,
)

PATIENCE = 10
"""Seconds that *try all again* may take; the command does the rest."""


class DeliverySearchForm(forms.Form):
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        choices=[
            ("", gettext_lazy("Not arrived")),
            ("failed", gettext_lazy("Failed at least once")),
            ("arrived", gettext_lazy("Arrived")),
        ],
        required=False,
        widget=PlainSelect,
    )
    learner = forms.CharField(
        label=gettext_lazy("Name or e-mail address"), required=False
    )
    training = forms.CharField(label=gettext_lazy("Training"), required=False)

    def filtered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        asked = self.cleaned_data
        rows = rows.filter(delivered_at__isnull=asked["state"] != "arrived")
        if asked["state"] == "failed":
            rows = rows.exclude(error="")
        found = learner_matches(asked["learner"], prefix="access__learner")
        if asked["training"]:
            found &= training_matches(asked["training"], prefix="access__training")
        return rows.filter(found)


class DeliveryTable(DashboardTable):
    created_at = Column(attrs=NO_WRAP, verbose_name=gettext_lazy("Since"))
    learner = Column(
        accessor="access__learner",
        verbose_name=gettext_lazy("Learner"),
        order_by="access__learner__email",
        linkify=("training_credits:access-detail", {"pk": A("access_id")}),
    )
    training = Column(
        accessor="access__training",
        verbose_name=gettext_lazy("Training"),
        order_by="access__training__product__title",
    )
    kind = Column(verbose_name=gettext_lazy("Access was"))
    attempts = Column(verbose_name=gettext_lazy("Attempts"))
    error = Column(verbose_name=gettext_lazy("Last error"))
    next_attempt_at = Column(
        attrs=NO_WRAP,
        verbose_name=gettext_lazy("Next attempt"),
        order_by="next_attempt_at",
    )
    again = TemplateColumn(
        template_name="training_credits/dashboard_try_again.html",
        verbose_name=gettext_lazy("Actions"),
        orderable=False,
    )

    caption = ngettext_lazy("%d delivery", "%d deliveries")
    icon = "fas fa-paper-plane"

    class Meta(DashboardTable.Meta):
        template_name = "training_credits/dashboard_table.html"
        empty_text = gettext_lazy("Nothing found.")

    def render_learner(self, value: Any) -> str:
        return name_of(value)

    def render_training(self, value: Any) -> str:
        return str(value.product.get_title())

    def render_next_attempt_at(self, record: Any) -> str:
        if record.delivered_at:
            return _("Arrived %(when)s") % {
                "when": moment_in_words(record.delivered_at)
            }
        if record.taken_until and record.taken_until > timezone.now():
            return _("Under way")
        if record.waits:
            return _("Waits for earlier news")
        return moment_in_words(record.next_attempt_at)


class DeliveryListView(SearchedTableView):
    """What has not arrived yet; on demand also what has."""

    permission = "view_delivery"
    template_name = "training_credits/dashboard_deliveries.html"
    table_class = DeliveryTable
    search_form_class = DeliverySearchForm

    def rows(self) -> QuerySet[Delivery]:
        earlier = Delivery.objects.pending().filter(
            access=OuterRef("access"), pk__lt=OuterRef("pk")
        )
        rows = Delivery.objects.annotate(waits=Exists(earlier)).order_by("pk")
        return rows.select_related(
            "access__learner", "access__training__product__parent"
        )

    def get_table_kwargs(self) -> dict[str, Any]:
        hidden = () if self.may_try() else ("again",)
        return {"exclude": hidden}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            has_granter=bool(settings.ACCESS_GRANTER),
            may_try=self.may_try() and Delivery.objects.pending().exists(),
            **kwargs,
        )

    def may_try(self) -> bool:
        return bool(settings.ACCESS_GRANTER) and may(
            self.request.user, TryAgainView.permission
        )


class TryAgainView(StaffPageMixin, View):
    """Tries one delivery now, or all for some seconds, and goes back to the list."""

    permission = "change_delivery"
    http_method_names = ["post"]

    def post(self, request: Any) -> HttpResponse:
        if not settings.ACCESS_GRANTER:
            messages.error(request, _("The site has no granter, so nothing is sent."))
        elif (pk := number_in(request.POST.get("delivery", ""))) is not None:
            self.try_one(pk)
        elif "all" in request.POST:
            self.try_all()
        query = request.GET.urlencode()
        address = reverse("training_credits:delivery-list")
        return redirect(f"{address}?{query}" if query else address)

    def try_one(self, pk: int) -> None:
        match deliveries.try_again(pk):
            case Result.ARRIVED:
                messages.success(self.request, _("It has arrived."))
            case Result.FAILED:
                messages.error(self.request, _("It failed again."))
            case Result.LEFT:
                text = _("It was not sent: it has arrived, is under way, or waits.")
                messages.info(self.request, text)

    def try_all(self) -> None:
        done = deliveries.try_all_again(seconds=PATIENCE)
        left = Delivery.objects.pending().count()
        untried = max(0, left - done.failed)
        numbers = {"arrived": done.arrived, "failed": done.failed, "untried": untried}
        if not left:
            messages.success(self.request, _("All has arrived."))
            return
        text = _("Arrived: %(arrived)d. Failed: %(failed)d. Not tried: %(untried)d.")
        messages.warning(self.request, text % numbers)
