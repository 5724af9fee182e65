"""Giving credits back on Oscar's dashboard page of an order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from oscar.core.loading import get_class
from oscar.views.decorators import check_permissions

from ...conf import settings
from ...credits import places, refunding
from ...credits.models import CreditCode
from ...credits.refunding import Plan, RefundRefusal
from ...exceptions import CauseReused, RefundRefused
from ...mixins import Extension
from .. import refunds


@dataclass(frozen=True, slots=True)
class Destination:
    """Credits that would go back to one code."""

    code: CreditCode
    credits: int
    expires_at: datetime | None
    """When they expire again, if they had expired."""


@dataclass(frozen=True, slots=True)
class LineToRefund:
    """A line of the page that asks to confirm."""

    line: Any
    quantity: int
    destinations: tuple[Destination, ...]
    access_ends: bool
    places: int = 0
    """How many places are taken back."""
    claimed_places: int = 0
    """How many of them somebody has claimed, so that access ends."""


class RefundActionsMixin(Extension):
    """The line action and the order action that give credits back.

    The first post shows what would happen; the page's button posts the same lines
    once more with the key of that page, which makes a second click harmless.
    """

    object: Any
    request: Any

    @property
    def line_actions(self) -> tuple[str, ...]:
        return (*super().line_actions, "give_credits_back")

    @property
    def order_actions(self) -> tuple[str, ...]:
        return (*super().order_actions, "give_all_credits_back")

    def give_credits_back(
        self, request: Any, order: Any, lines: Iterable[Any], quantities: list[int]
    ) -> HttpResponse:
        refuse_unpermitted(request.user)
        chosen = list(zip(lines, quantities, strict=True))
        if not (key := _valid_key(request.POST.get("confirmed", ""))):
            return self.ask_to_confirm(chosen)
        try:
            outcome = refunds.refund_lines(
                chosen, cause=f"dashboard:{key}", by=request.user
            )
        except RefundRefused as refused:
            return self.refuse(refused.refusals, chosen)
        except CauseReused:
            text = _("This page was used before. Look at the order and try again.")
            return self.reload_page(error=text)
        titled = [line for line, _quantity in chosen]
        messages.success(request, " ".join(refunds.result_texts(outcome, titled)))
        return self.reload_page()

    def give_all_credits_back(self, request: Any, order: Any) -> HttpResponse:
        """Ask to confirm for all that is left of the order."""
        refuse_unpermitted(request.user)
        settled = [
            (line, line.settled_line.left)
            for line in self.get_order_lines()
            if hasattr(line, "settled_line")
        ]
        chosen = [(line, left) for line, left in settled if left]
        if not chosen:
            text = _("All credits of this order have been given back.")
            return self.reload_page(error=text)
        return self.ask_to_confirm(chosen)

    def ask_to_confirm(self, chosen: list[tuple[Any, int]]) -> HttpResponse:
        plan = refunding.plan_lines(chosen)
        if plan.refusals:
            return self.refuse(plan.refusals, chosen)
        context = {
            "order": self.object,
            "lines": [_to_refund(line, quantity, plan) for line, quantity in chosen],
            "credits": plan.credits,
            "key": uuid4().hex,
        }
        template = "training_credits/dashboard_refund.html"
        return TemplateResponse(self.request, template, context)

    def refuse(
        self, refusals: Iterable[RefundRefusal], chosen: list[tuple[Any, int]]
    ) -> HttpResponse:
        titles = {line.pk: line.title for line, _quantity in chosen}
        texts = [
            refunds.refusal_text(refusal, titles[refusal.order_line_id])
            for refusal in refusals
        ]
        return self.reload_page(error=" ".join(texts))


def may_give_back(user: Any) -> bool:
    """Tell whether a user of the dashboard may change orders, by Oscar's permissions.

    Oscar's page of an order is open to all who may view it.
    """
    Permission = get_class("dashboard.permissions", "DashboardPermission")
    allowed = (
        Permission.get("order", "view_order", "change_order"),
        Permission.partner_dashboard_access,
    )
    return bool(check_permissions(user, allowed))


def refuse_unpermitted(user: Any) -> None:
    """Leave orders as they are for users who may only view them.

    Raises:
        PermissionDenied: the user may not change orders.
    """
    if not may_give_back(user):
        raise PermissionDenied


def _to_refund(line: Any, quantity: int, plan: Plan) -> LineToRefund:
    credits: dict[tuple[CreditCode, datetime | None], int] = {}
    for portion in plan.portions:
        if portion.order_line_id == line.pk:
            where = portion.line.redemption.code, portion.expires_at
            credits[where] = credits.get(where, 0) + portion.credits
    destinations = tuple(
        Destination(code, amount, expires_at)
        for (code, expires_at), amount in credits.items()
    )
    ends = settings.REFUND_ENDS_ACCESS and line.pk in plan.fully
    access = getattr(line, "training_access", None)
    is_running = access is not None and not access.has_ended(timezone.now())
    going = places.to_take_back(
        line.training_places.all(), keep=line.settled_line.left - quantity
    )
    claimed = [place for place in going if place.claimed_at]
    if not settings.REFUND_ENDS_ACCESS:
        going, claimed = [place for place in going if place.is_free], []
    return LineToRefund(
        line,
        quantity,
        destinations,
        access_ends=ends and is_running,
        places=len(going),
        claimed_places=len(claimed),
    )


def _valid_key(text: str) -> str:
    try:
        return UUID(text).hex
    except ValueError:
        return ""
