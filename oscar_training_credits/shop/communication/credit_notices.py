"""What is due by the day: credits that expire, few that are left, access that ends."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from ...conf import BALANCE_LOW, CREDITS_EXPIRE
from ...credits.codes import noticing
from ...credits.ledger.expiring import Expiring, expiring_of, expiring_of_managed
from ...credits.ledger.low_balances import LowBalance, low_of, low_of_managed
from ...credits.models import CreditCode
from ...exceptions import DeliveryDropped
from .access_notices import send_ended, send_ending
from .contexts import Context
from .mails import absolute, key_of, send_to_user


def send_notices() -> int:
    """Mail what is due today; return how many mails were written.

    60, 30 and 7 days before the end, each once, however often this is run. What is
    given a longer life is told of anew before its new end. That few are left is told
    once until credits are added. Learners hear of the end of their access.
    """
    expiring = sum(_send_expiring(each) for each in expiring_of_managed())
    low = sum(_send_low(each) for each in low_of_managed())
    return expiring + low + send_ending() + send_ended()


def _send_low(low: LowBalance) -> int:
    context = partial(_low_context, low.code)
    # A threshold that was chosen is another question.
    return _send(BALANCE_LOW, low.code, context, low.latest_grant, *low.chosen)


def _send_expiring(expiring: Expiring) -> int:
    code, ends_at = expiring.code, expiring.ends_at
    days = expiring.days_before(timezone.now())
    context = partial(_context, code, ends_at)
    return _send(CREDITS_EXPIRE, code, context, ends_at.timestamp(), days)


def _send(event: str, code: CreditCode, context: Context, *cause: object) -> int:
    if not noticing.is_wanted(code, event):
        return 0
    return sum(
        send_to_user(
            event,
            manager.user,
            context,
            key=key_of(event, code.pk, *cause, manager.user_id),
        )
        for manager in noticing.managers_who_hear(code)
    )


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


def _low_context(code: CreditCode) -> dict[str, Any]:
    """Return what the templates of the mail are given."""
    if not (low := low_of(code)):
        raise DeliveryDropped(_("There are more credits again."))
    return {
        "code": code,
        "credits": low.credits,
        "link": absolute(reverse("training_credits:my-code", args=[code.pk])),
    }
