"""The table of news for the learning system."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django_tables2 import A, Column, TemplateColumn

from ....credits.wording import name_of
from ..mixins import (
    NO_WRAP,
    DashboardTable,
    moment_in_words,
)


class DeliveryTable(DashboardTable):
    created_at = Column(attrs=NO_WRAP, verbose_name=gettext_lazy("Since"))
    learner = Column(
        accessor="access__learner",
        verbose_name=gettext_lazy("Learner"),
        default=gettext_lazy("Deleted account"),
        order_by="access__learner__email",
        linkify=("training_credits:access-detail", {"pk": A("access_id")}),
    )
    training = Column(
        accessor="training",
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
