"""The question before a status gives credits back: what it would do, order by order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import prefetch_related_objects
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from ....aliases import Order, Request
from ....conf import ORDER_CANCELLED, settings
from ....credits.ledger import refunding
from ....credits.ledger.refunding import Plan
from ...communication.mails import notice_about_order, notice_of_places
from ...order import packs_bought, refunds
from ...order.refund_preview import LineToRefund, line_to_refund
from ...order.settlements import JOINED

CONFIRMED = "confirmed"
NOT_POSTED_AGAIN = {"csrfmiddlewaretoken", CONFIRMED}


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What becomes of an order, or of some of its lines, with such a status."""

    order: Order
    lines: tuple[LineToRefund, ...]
    """Those that something becomes of; without any there is nothing to ask."""
    credits: int
    mail: str
    """Whether the customer is told by mail."""
    places_mail: str
    """Whether those are who lose a place; empty if nobody does."""
    packs: tuple[str, ...] = ()
    """What becomes of credits that the order has bought, sentence by sentence."""

    @property
    def is_change(self) -> bool:
        return bool(self.lines or self.packs)


def cancellation_of(order: Order, order_lines: Iterable[Any]) -> Cancellation:
    """Return what a status that gives credits back would do now to these lines."""
    lines = list(order_lines)
    prefetch_related_objects(lines, *JOINED, "training_places")
    plan = refunding.plan_rest(lines)
    changes = [_change_of(line, plan) for line in lines]
    return Cancellation(
        order,
        tuple(each for each in changes if each.is_change),
        plan.credits,
        notice_about_order(ORDER_CANCELLED, order),
        notice_of_places(changes),
        tuple(packs_bought.would_take_back(lines)),
    )


def _change_of(line: Any, plan: Plan) -> LineToRefund:
    waits = getattr(line, "training_due", None) is not None
    settled = getattr(line, "settled_line", None)
    quantity = settled.left if settled else line.quantity
    for refusal in plan.refusals:
        if refusal.order_line_id == line.pk:
            kept = refunds.refusal_text(refusal, line.title)
            return LineToRefund(line, quantity, (), never_opens=waits, kept=kept)
    return replace(line_to_refund(line, plan, quantity), never_opens=waits)


def must_ask(request: Request) -> bool:
    """Tell whether the posted status gives credits back, and nobody has said yes."""
    new_status = request.POST.get("new_status", "").strip()
    return new_status in settings.REFUND_STATUSES and CONFIRMED not in request.POST


def question(request: Request, cancellations: list[Cancellation]) -> HttpResponse:
    """Ask. The page's button posts once more all that was posted, and the yes."""
    posted = [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name not in NOT_POSTED_AGAIN
    ]
    new_status = request.POST["new_status"].strip()
    context = {
        "heading": _("Change the status to %(status)s?") % {"status": new_status},
        "cancellations": cancellations,
        "credits": sum(each.credits for each in cancellations),
        "new_status": new_status,
        "posted": [*posted, (CONFIRMED, "yes")],
    }
    template = "training_credits/dashboard_cancel.html"
    return TemplateResponse(request, template, context)
