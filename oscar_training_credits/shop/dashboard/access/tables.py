"""The table of access."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django_tables2 import A, Column

from ....credits import wording
from ....credits.models import Access
from ....credits.wording import name_of
from ..mixins import (
    NO_WRAP,
    DashboardTable,
)
from .forms import STATES


def state_of(access: Access) -> str:
    """Return the state of an access row: a key of `STATES`."""
    now = timezone.now()
    if access.has_ended(now):
        return "ended"
    return "running" if access.starts_at <= now else "to-come"


def ground_of(access: Any) -> str:
    """Return how somebody came to have access, with a link to the order."""
    if access.order_line:
        line, text = access.order_line, _("Order #%(number)s")
    elif access.place:
        line, text = access.place.order_line, _("Place, order #%(number)s")
    else:
        return _("Given by staff")
    number = line.order.number
    address = reverse("dashboard:order-detail", args=[number])
    return format_html('<a href="{}">{}</a>', address, text % {"number": number})


class AccessTable(DashboardTable):
    learner = Column(
        verbose_name=gettext_lazy("Learner"),
        order_by="learner__email",
        linkify=("training_credits:access-detail", {"pk": A("pk")}),
    )
    training = Column(
        verbose_name=gettext_lazy("Training"), order_by="training__product__title"
    )
    state = Column(verbose_name=gettext_lazy("State"), empty_values=(), orderable=False)
    starts_at = Column(attrs=NO_WRAP, verbose_name=gettext_lazy("From"))
    ends_at = Column(
        attrs=NO_WRAP,
        verbose_name=gettext_lazy("Until"),
        default=gettext_lazy("No end"),
    )
    ground = Column(
        verbose_name=gettext_lazy("Had by"), empty_values=(), orderable=False
    )

    caption = ngettext_lazy("%d period of access", "%d periods of access")
    icon = "fas fa-graduation-cap"

    class Meta(DashboardTable.Meta):
        template_name = "training_credits/dashboard_table.html"
        empty_text = gettext_lazy("Nothing found.")

    def render_learner(self, record: Access) -> str:
        learner = record.learner
        name, email = name_of(learner), getattr(learner, "email", "")
        return name if email in ("", name) else f"{name}, {email}"

    def render_training(self, record: Access) -> str:
        return str(record.training.product.get_title())

    def render_state(self, record: Access) -> Any:
        return STATES[state_of(record)][0]

    def render_ends_at(self, value: datetime) -> str:
        return wording.end_in_words(value)

    def render_ground(self, record: Access) -> str:
        return ground_of(record)
