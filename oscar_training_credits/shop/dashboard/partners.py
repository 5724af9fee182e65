"""What is whose in the dashboard: staff see all, others what their partners sell.

It is Oscar's own rule for its pages of products and orders.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model
from oscar.views.decorators import check_permissions

from ...conf import settings
from ...credits.models import Place, TrainingProduct

Row = TypeVar("Row", bound=Model)


def own(user: Any, rows: QuerySet[Row], *, product: str = "product") -> QuerySet[Row]:
    """Return those of `rows` whose product, at that path, the user may sell."""
    if user.is_staff:
        return rows
    records = get_model("partner", "StockRecord")._default_manager.filter(
        partner__users=user.pk
    )
    return rows.filter(**{f"{product}__in": records.order_by().values("product")})


def own_trainings(user: Any) -> QuerySet[TrainingProduct]:
    trainings = TrainingProduct.objects.select_related("product__parent")
    return own(user, trainings).order_by("product__title", "pk")


def own_lines(user: Any, lines: Iterable[Any]) -> list[Any]:
    """Return those of an order's lines that a partner of the user's sold."""
    if user.is_staff:
        return list(lines)
    partners = set(user.partners.values_list("pk", flat=True))
    return [line for line in lines if line.partner_id in partners]


def may_change_orders(user: Any) -> bool:
    """Tell whether a user of the dashboard may change orders, by Oscar's permissions.

    Oscar's page of an order is open to all who may view it, and changes its status.
    """
    Permission = get_class("dashboard.permissions", "DashboardPermission")
    allowed = (
        Permission.get("order", "view_order", "change_order"),
        Permission.partner_dashboard_access,
    )
    return bool(check_permissions(user, allowed))


def refusal_of_status(user: Any, lines: Iterable[Any], new_status: str) -> str:
    """Return why the user may not give lines this status; empty if they may.

    It is about training alone. A status that gives credits back ends what learners
    have of other partners, too.
    """
    gives_back = new_status in settings.REFUND_STATUSES
    if not gives_back and new_status not in settings.PAID_STATUSES:
        return ""
    lines = list(lines)
    if not may_change_orders(user) and any(map(_is_training, lines)):
        return _("You may look at orders, but not change them.")
    if not gives_back:
        return ""
    mine = {line.pk for line in own_lines(user, lines)}
    others = [line for line in lines if line.pk not in mine and _is_training(line)]
    return refusal_of_lines(others)


def refusal_of_lines(others: Iterable[Any]) -> str:
    """Return what is said of lines that are not the user's; empty without any."""
    titles = ", ".join(line.title for line in others)
    if not titles:
        return ""
    text = _(
        "Another partner sells %(titles)s. Give credits back for your own lines, or"
        " ask the shop's staff."
    )
    return text % {"titles": titles}


def _is_training(line: Any) -> bool:
    names = ("settled_line", "training_access", "training_due")
    has_access = any(hasattr(line, name) for name in names)
    return has_access or Place.objects.filter(order_line=line.pk).exists()
