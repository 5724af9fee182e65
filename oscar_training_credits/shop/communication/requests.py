"""Mails about requests for credits: to who answers them, and to who asked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.urls import reverse

from ...conf import (
    CREDITS_REQUESTED,
    REQUEST_APPROVED,
    REQUEST_DECLINED,
    settings,
)
from ...credits.isolation import own_transaction
from ...credits.ledger import credit_requests
from ...credits.models import CreditCode, CreditRequest, TrainingProduct
from ...credits.wording import name_of
from .mails import absolute, send_to_address, send_to_user


def ask(
    learner: Any,
    wanted: Mapping[TrainingProduct, int],
    *,
    code: CreditCode | None = None,
    note: str = "",
    in_basket: bool = False,
) -> tuple[CreditRequest, bool]:
    """Ask for the credits that so many of each training product cost today.

    `code` is what the learner tried, and may know of: its managers get a mail, else
    the site's address. Asked again for the same while that is open, nothing is done.
    With `in_basket` it is bought in the shop's basket, else in place on its page.
    Returns the request, and whether it is new.

    Raises:
        NotAsked: nothing of it costs credits, or the learner has asked too often.
    """
    with own_transaction():
        asked, is_new = credit_requests.ask(
            learner, wanted, code=code, note=note, in_basket=in_basket
        )
        if is_new:
            tell_managers(asked)
    return asked, is_new


@own_transaction()
def approve(
    request: CreditRequest, *, parent: CreditCode, by: Any = None
) -> CreditRequest:
    """Cut the child code that a request asks for from `parent`, and mail the learner.

    The second time nothing is done.

    Raises:
        RequestDecided: it was declined, withdrawn, or has expired.
        NotApproved: the code has too few credits, or must not be used for this.
    """
    decided = credit_requests.approve(request, parent=parent, by=by)
    if decided.decided_now:
        tell_learner(decided)
    return decided


@own_transaction()
def decline(request: CreditRequest, *, reason: str, by: Any = None) -> CreditRequest:
    """Decline a request, with a reason that the learner gets by mail.

    The second time nothing is done.

    Raises:
        RequestDecided: it was approved, withdrawn, or has expired.
    """
    decided = credit_requests.decline(request, reason=reason, by=by)
    if decided.decided_now:
        tell_learner(decided)
    return decided


def can_be_asked(code: CreditCode | None) -> bool:
    """Tell whether anybody would get a request with this code, or without one."""
    return bool(settings.REQUESTS_ADDRESS) or credit_requests.has_manager(code)


def tell_managers(request: CreditRequest) -> None:
    """Mail a new request to the managers of its code, else to the site's address."""
    codes = [request.code] if request.code else []
    managers = list(credit_requests.managers_of(codes))
    page = reverse("training_credits:my-request", args=[request.pk])
    for manager in managers:
        context = partial(_context, request.pk, page)
        send_to_user(CREDITS_REQUESTED, manager.user, context)
    if not managers:
        page = reverse("training_credits:request-detail", args=[request.pk])
        context = partial(_context, request.pk, page)
        send_to_address(CREDITS_REQUESTED, settings.REQUESTS_ADDRESS, context)


def tell_learner(request: CreditRequest) -> None:
    """Mail the learner what became of a request that was approved or declined."""
    approved = request.state == CreditRequest.State.APPROVED
    name = "use-request" if approved else "my-training"
    page = reverse(f"training_credits:{name}", args=[request.pk] if approved else [])
    event = REQUEST_APPROVED if approved else REQUEST_DECLINED
    send_to_user(event, request.learner, partial(_context, request.pk, page))


def _context(request_id: int, page: str) -> dict[str, Any]:
    """Return what the templates of the mails are given."""
    requests = credit_requests.with_content(CreditRequest.objects.all())
    asked = requests.get(pk=request_id)
    return {
        "asked": asked,
        "credits": asked.credits,
        "content": asked.content,
        "learner": name_of(asked.learner),
        "note": asked.note,
        "reason": asked.reason,
        "expires_at": asked.child.expires_at if asked.child else None,
        "link": absolute(page),
    }
