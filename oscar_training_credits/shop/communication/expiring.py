"""Managers of a code are told by mail that credits expire soon."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from ...conf import CREDITS_EXPIRE
from ...credits.ledger.expiring import Expiring, expiring_of, expiring_of_managed
from ...credits.models import CreditCode
from ...exceptions import DeliveryDropped
from .mails import absolute, send_to_user


def send_notices() -> int:
    """Mail what is due today; return how many mails were written.

    60, 30 and 7 days before the end, each once, however often this is run. What is
    given a longer life is told of anew before its new end.
    """
    return sum(_send(expiring) for expiring in expiring_of_managed())


def _send(expiring: Expiring) -> int:
    code, ends_at = expiring.code, expiring.ends_at
    days = expiring.days_before(timezone.now())
    context = partial(_context, code, ends_at)
    accepted = code.managers.filter(user__isnull=False).select_related("user")
    return sum(
        send_to_user(
            CREDITS_EXPIRE,
            manager.user,
            context,
            key=_key(code.pk, ends_at.timestamp(), days, manager.user_id),
        )
        for manager in accepted.order_by("pk")
    )


def _key(*parts: object) -> str:
    return uuid5(NAMESPACE_OID, f"training_credits.expire:{parts}").hex


def _context(code: CreditCode, ends_at: datetime) -> dict[str, Any]:
    """Return what the templates of the mail are given."""
    left = [each for each in expiring_of(code) if each.ends_at == ends_at]
    if not left:
        raise DeliveryDropped(_("Nothing is left to expire then."))
    return {
        "code": code,
        "credits": left[0].credits,
        "ends_at": ends_at,
        "link": absolute(reverse("training_credits:my-code", args=[code.pk])),
    }
