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
from oscar.core.loading import get_class, get_model
from oscar.views.decorators import check_permissions

from ....conf import CREDITS_GIVEN_BACK, settings
from ....credits.access import places
from ....credits.ledger import refunding
from ....credits.ledger.refunding import Plan, RefundRefusal
from ....credits.ledger.stranding import stranding_of
from ....credits.models import CreditCode
from ....exceptions import IdempotencyKeyReused, RefundRefused
from ....mixins import Extension
from ...communication.mails import notice_about_order
from ...order import refunds
from ..partners import own_lines, refusal_of_lines


@dataclass(frozen=True, slots=True)
class Destination:
    """Credits that would go back to one code."""

    code: CreditCode
    credits: int
    expires_at: datetime | None
    """When they expire again, if they had expired."""
    stranding: str = ""
    """Why nobody could spend them there, for staff."""


@dataclass(frozen=True, slots=True)
class LineToRefund:
    """A line of the page that asks to confirm."""

    line: Any
    quantity: int
    destinations: tuple[Destination, ...]
    access_ends: bool = False
    never_opens: bool = False
    """It waits for its payment, and will not open."""
    kept: str = ""
    """Why its credits are not given back."""
    places: int = 0
    """How many places are taken back."""
    claimed_places: int = 0
    """How many of them somebody has claimed, so that access ends."""

    @property
    def is_change(self) -> bool:
        """Something becomes of it, or its credits do not come back."""
        return bool(
            self.destinations
            or self.access_ends
            or self.never_opens
            or self.kept
            or self.places
        )


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
        if text := _refusal_of_others(request.user, chosen):
            return self.reload_page(error=text)
        if not (key := _valid_key(request.POST.get("confirmed", ""))):
            return self.ask_to_confirm(chosen)
        try:
            outcome = refunds.refund_lines(
                chosen, idempotency_key=f"dashboard:{key}", by=request.user
            )
        except RefundRefused as refused:
            return self.refuse(refused.refusals, chosen)
        except IdempotencyKeyReused:
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
            for line in own_lines(request.user, self.get_order_lines())
            if hasattr(line, "settled_line")
        ]
        chosen = [(line, left) for line, left in settled if left]
        if not chosen:
            text = _("All credits of this order have been given back.")
            return self.reload_page(error=text)
        return self.ask_to_confirm(chosen)

    def create_payment_event(
        self, request: Any, order: Any, lines: Iterable[Any], quantities: list[int]
    ) -> HttpResponse:
        """Go on from an event that says “refunded” to the page that gives credits back.

        Oscar's events are about money alone.
        """
        chosen = list(zip(lines, quantities, strict=True))
        before = order.payment_events.count()
        response = super().create_payment_event(request, order, lines, quantities)
        is_created = order.payment_events.count() > before
        return (self.after_event(chosen) if is_created else None) or response

    def create_order_payment_event(self, request: Any, order: Any) -> HttpResponse:
        chosen = [(line, line.quantity) for line in self.get_order_lines()]
        before = order.payment_events.count()
        response = super().create_order_payment_event(request, order)
        is_created = order.payment_events.count() > before
        return (self.after_event(chosen) if is_created else None) or response

    def after_event(self, chosen: list[tuple[Any, int]]) -> HttpResponse | None:
        """Ask whether credits go back, too, or say that the event left them alone."""
        user = self.request.user
        mine = set(own_lines(user, [line for line, _quantity in chosen]))
        left = [
            (line, min(quantity, line.settled_line.left))
            for line, quantity in chosen
            if line in mine and hasattr(line, "settled_line") and line.settled_line.left
        ]
        if not left or not may_give_back(user):
            return None
        if _says_refunded(self.request.POST.get("payment_event_type", "")):
            return self.ask_to_confirm(left)
        text = _("This event is about money. It gave no credits of the order back.")
        messages.info(self.request, text)
        return None

    def ask_to_confirm(self, chosen: list[tuple[Any, int]]) -> HttpResponse:
        plan = refunding.plan_lines(chosen)
        if plan.refusals:
            return self.refuse(plan.refusals, chosen)
        context = {
            "order": self.object,
            "lines": [
                line_to_refund(line, plan, quantity) for line, quantity in chosen
            ],
            "credits": plan.credits,
            "key": uuid4().hex,
            "mail": notice_about_order(CREDITS_GIVEN_BACK, self.object),
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


def line_to_refund(line: Any, plan: Plan, quantity: int) -> LineToRefund:
    """Return what becomes of a line of which so many units are given back.

    Of a line paid with money these are the units whose order is cancelled.
    """
    credits: dict[tuple[CreditCode, datetime | None], int] = {}
    for portion in plan.portions:
        if portion.order_line_id == line.pk:
            where = portion.line.redemption.code, portion.expires_at
            credits[where] = credits.get(where, 0) + portion.credits
    destinations = tuple(
        Destination(code, amount, expires_at, _stranding(code, plan))
        for (code, expires_at), amount in credits.items()
    )
    settled = getattr(line, "settled_line", None)
    left = settled.left if settled else line.quantity
    is_all = line.pk in plan.fully or settled is None
    ends = settings.REFUND_ENDS_ACCESS and is_all
    access = getattr(line, "training_access", None)
    is_running = access is not None and not access.has_ended(timezone.now())
    going = places.to_take_back(line.training_places.all(), keep=left - quantity)
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


def _stranding(code: CreditCode, plan: Plan) -> str:
    back = [each for each in plan.portions if each.line.redemption.code_id == code.pk]
    reason = stranding_of(code, back=sum(portion.credits for portion in back))
    return refunds.stranding_text(reason)


def _says_refunded(code: str) -> bool:
    """Tell whether a payment event is named as a status that gives credits back."""
    types = get_model("order", "PaymentEventType")._default_manager
    names = types.filter(code=code).values_list("name", flat=True)
    statuses = {status.casefold() for status in settings.REFUND_STATUSES}
    return any(name.casefold() in statuses for name in names)


def _refusal_of_others(user: Any, chosen: list[tuple[Any, int]]) -> str:
    lines = [line for line, _quantity in chosen]
    mine = own_lines(user, lines)
    return refusal_of_lines(line for line in lines if line not in mine)


def _valid_key(text: str) -> str:
    try:
        return UUID(text).hex
    except ValueError:
        return ""
