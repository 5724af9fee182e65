"""What a customer has: access, and credits redeemed."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy, ngettext_lazy
from django_tables2 import A, Column

from ....credits.models import Redemption
from ..access.tables import AccessTable
from ..mixins import NO_WRAP, DashboardTable


class CustomerAccessTable(AccessTable):
    """One learner's access: their name is above it already."""

    learner = None
    training = Column(
        verbose_name=gettext_lazy("Training"),
        linkify=("training_credits:access-detail", {"pk": A("pk")}),
    )

    class Meta(AccessTable.Meta):
        orderable = False


class RedemptionTable(DashboardTable):
    order = Column(verbose_name=gettext_lazy("Order"))
    code = Column(verbose_name=gettext_lazy("Credit code"))
    credits = Column(verbose_name=gettext_lazy("Credits"))
    refunded = Column(verbose_name=gettext_lazy("Given back"))
    created_at = Column(attrs=NO_WRAP, verbose_name=gettext_lazy("When"))

    caption = ngettext_lazy("%d order paid with a code", "%d orders paid with codes")
    icon = "fas fa-coins"

    class Meta(DashboardTable.Meta):
        template_name = "training_credits/dashboard_table.html"
        orderable = False

    def render_order(self, record: Redemption) -> Any:
        address = reverse("dashboard:order-detail", args=[record.order_number])
        return format_html('<a href="{}">#{}</a>', address, record.order_number)
