"""The table of credit codes."""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django_tables2 import A, Column

from ....credits import wording
from ....credits.codes.finding import Condition, condition_of
from ....credits.codes.listing import CappedPaginator
from ..mixins import NO_WRAP, NUMBER, DashboardTable

COLOURS = {Condition.ACTIVE: "success", Condition.NOT_STARTED: "info"}


def badge(condition: Condition) -> str:
    """Return the state of a code as the dashboard shows it."""
    colour = COLOURS.get(condition, "secondary")
    return format_html(
        '<span class="badge badge-{}">{}</span>', colour, condition.label
    )


def test_badge(code: Any) -> str:
    """Return what marks a test code, wherever its label stands alone."""
    if not code.is_test:
        return ""
    return format_html('<span class="badge badge-warning">{}</span>', _("Test"))


def child_badge(code: Any) -> str:
    """Return what marks a child code in a list."""
    if code.parent_id is None:
        return ""
    return format_html('<span class="badge badge-light">{}</span>', _("Child"))


class TablePaginator(CappedPaginator):
    """Pages a table of django-tables2, which wraps its queryset twice."""

    def rows(self) -> Any:
        bound: Any = self.object_list
        return bound.data.data


class CodeTable(DashboardTable):
    chosen = Column(accessor="pk", verbose_name=gettext_lazy("Choose"), orderable=False)
    label = Column(
        verbose_name=gettext_lazy("Label"),
        order_by=("label", "pk"),
        linkify=("training_credits:code-detail", {"pk": A("pk")}),
    )
    last_four = Column(verbose_name=gettext_lazy("Ends in"), orderable=False)
    holder = Column(
        verbose_name=gettext_lazy("Holder"), orderable=False, empty_values=()
    )
    state = Column(verbose_name=gettext_lazy("State"), orderable=False)
    credits_left = Column(
        attrs=NUMBER,
        verbose_name=gettext_lazy("Credits left"),
        order_by=("credits_left", "pk"),
    )
    expires_at = Column(
        attrs=NO_WRAP,
        verbose_name=gettext_lazy("Until"),
        default=gettext_lazy("No end"),
        order_by=("expires_at", "pk"),
    )
    created_at = Column(
        attrs=NO_WRAP, verbose_name=gettext_lazy("Issued"), order_by="pk"
    )

    caption = ngettext_lazy("%d code", "%d codes")
    icon = "fas fa-ticket-alt"

    class Meta(DashboardTable.Meta):
        template_name = "training_credits/dashboard_table.html"
        empty_text = gettext_lazy("Nothing found.")

    def get_caption_display(self) -> str:
        if self.paginator.is_capped and "credits_left" in self.order_by:
            text = _("The newest %(number)s codes are sorted; search for the others")
            return text % {"number": wording.large_number(self.paginator.count)}
        if self.paginator.is_capped:
            text = _("More than %(number)s codes; search for the others")
            return text % {"number": wording.large_number(self.paginator.count)}
        return str(super().get_caption_display())

    def render_label(self, record: Any) -> str:
        badges = format_html("{} {}", child_badge(record), test_badge(record))
        return format_html("{} {}", record.label, badges)

    def render_chosen(self, record: Any) -> str:
        return format_html(
            '<input type="checkbox" name="code" value="{}" aria-label="{}">',
            str(record.pk),
            _("Choose %(code)s") % {"code": record},
        )

    def render_holder(self, record: Any) -> str:
        return ", ".join(filter(None, [record.holder, record.reference])) or "-"

    def render_state(self, record: Any) -> str:
        return badge(condition_of(record))

    def render_expires_at(self, value: Any) -> str:
        return wording.end_in_words(value)

    def render_created_at(self, value: Any) -> str:
        return wording.day_of(value)
