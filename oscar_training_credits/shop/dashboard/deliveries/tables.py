"""The table of deliveries."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django_tables2 import Column

from ....credits import outbox
from ..mixins import (
    NO_WRAP,
    DashboardTable,
    moment_in_words,
)
from .names import described, receiver_of, what


def access_page(record: Any) -> str | None:
    if not record.access_id:
        return None
    return reverse("training_credits:access-detail", args=[record.access_id])


class DeliveryTable(DashboardTable):
    created_at = Column(attrs=NO_WRAP, verbose_name=gettext_lazy("Since"))
    channel = Column(verbose_name=gettext_lazy("Channel"))
    receiver = Column(
        accessor="pk",
        verbose_name=gettext_lazy("For"),
        order_by=("access__learner__email", "user__email"),
        linkify=access_page,
    )
    training = Column(
        accessor="training",
        verbose_name=gettext_lazy("Training"),
        order_by="access__training__product__title",
    )
    kind = Column(verbose_name=gettext_lazy("What"))
    attempts = Column(verbose_name=gettext_lazy("Attempts"))
    error = Column(verbose_name=gettext_lazy("Last error"))
    next_attempt_at = Column(
        attrs=NO_WRAP,
        verbose_name=gettext_lazy("Next attempt"),
        order_by="next_attempt_at",
    )
    again = Column(accessor="pk", verbose_name=gettext_lazy("Actions"), orderable=False)

    caption = ngettext_lazy("%d delivery", "%d deliveries")
    icon = "fas fa-paper-plane"

    class Meta(DashboardTable.Meta):
        template_name = "training_credits/dashboard_table.html"
        empty_text = gettext_lazy("Nothing found.")

    def render_receiver(self, record: Any) -> str:
        return receiver_of(record)

    def render_kind(self, record: Any) -> str:
        return what(record)

    def render_training(self, value: Any) -> str:
        return str(value.product.get_title())

    def render_again(self, record: Any) -> str:
        context = {
            "record": record,
            "described": described(record),
            "can_be_sent": record.channel in outbox.open_channels(),
        }
        return render_to_string("training_credits/dashboard_try_again.html", context)

    def render_next_attempt_at(self, record: Any) -> str:
        if record.delivered_at:
            return _("Arrived %(when)s") % {
                "when": moment_in_words(record.delivered_at)
            }
        if record.dropped_at:
            return _("Given up %(when)s") % {"when": moment_in_words(record.dropped_at)}
        if record.taken_until and record.taken_until > timezone.now():
            return _("Under way")
        if record.waits:
            return _("Waits for an earlier one")
        return moment_in_words(record.next_attempt_at)
