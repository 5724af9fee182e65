"""Giving credits back on Oscar's dashboard page of an order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from ....aliases import Order, Request
from ....conf import CREDITS_GIVEN_BACK, settings
from ....credits.ledger.refunding import RefundRefusal
from ....credits.wording import in_words
from ....exceptions import IdempotencyKeyReused, RefundRefused
from ....mixins import Extension
from ...communication.mails import notice_about_order, notice_of_places
from ...order import refunds
from ...order.refund_preview import preview_refund
from ..partners import may_change_orders, own_lines, refusal_of_lines


class RefundActionsMixin(Extension):
    """The line action and the order action that give credits back.

    The first post shows what would happen; the page's button posts the same lines
    once more with the key of that page, which makes a second click harmless.
    """

    object: Any
    request: Request

    @property
    def line_actions(self) -> tuple[str, ...]:
        return (*super().line_actions, "give_credits_back")

    @property
    def order_actions(self) -> tuple[str, ...]:
        return (*super().order_actions, "give_all_credits_back")

    def give_credits_back(
        self,
        request: Request,
        order: Order,
        lines: Iterable[Any],
        quantities: list[int],
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

    def give_all_credits_back(self, request: Request, order: Order) -> HttpResponse:
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
        self,
        request: Request,
        order: Order,
        lines: Iterable[Any],
        quantities: list[int],
    ) -> HttpResponse:
        """Go on from an event that says “refunded” to the page that gives credits back.

        Oscar's events are about money alone.
        """
        chosen = list(zip(lines, quantities, strict=True))
        before = order.payment_events.count()
        response = super().create_payment_event(request, order, lines, quantities)
        is_created = order.payment_events.count() > before
        return (self.after_event(chosen) if is_created else None) or response

    def create_order_payment_event(
        self, request: Request, order: Order
    ) -> HttpResponse:
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
        if not left or not may_change_orders(user):
            return None
        if _says_refunded(self.request.POST.get("payment_event_type", "")):
            return self.ask_to_confirm(left)
        text = _("This event is about money. It gave no credits of the order back.")
        messages.info(self.request, text)
        return None

    def ask_to_confirm(self, chosen: list[tuple[Any, int]]) -> HttpResponse:
        preview = preview_refund(chosen)
        if preview.refusals:
            return self.refuse(preview.refusals, chosen)
        asked = {
            "credits": in_words(preview.credits),
            "number": self.object.number,
        }
        context = {
            "heading": _("Give %(credits)s of order #%(number)s back?") % asked,
            "order": self.object,
            "lines": preview.lines,
            "credits": preview.credits,
            "key": uuid4().hex,
            "mail": notice_about_order(CREDITS_GIVEN_BACK, self.object),
            "places_mail": notice_of_places(preview.lines),
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


def refuse_unpermitted(user: Any) -> None:
    """Leave orders as they are for users who may only view them.

    Raises:
        PermissionDenied: the user may not change orders.
    """
    if not may_change_orders(user):
        raise PermissionDenied


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
