"""Managers of a code are invited by mail, with a link that nobody else has."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from ...conf import MANAGER_INVITED
from ...credits.codes import managing
from ...credits.models import CodeManager, CreditCode
from .mails import absolute, send_to_address


def set_managers(code: CreditCode, addresses: Iterable[str], *, by: Any = None) -> None:
    """Let those with these addresses be the managers of a code, and invite new ones."""
    for manager in managing.set_managers(code, addresses, by=by):
        invite(manager)


def name_managers(code: CreditCode, addresses: Iterable[str], *, by: Any) -> None:
    """Do the same for a manager, who may invite so many people a day.

    Raises:
        TooManyInvitations: it would be more.
    """
    wanted = list(addresses)
    managing.refuse_too_many(code, wanted, by=by)
    set_managers(code, wanted, by=by)


def invite(manager: CodeManager) -> None:
    """Mail a manager the link that lets them see the code, once this is committed."""
    send_to_address(MANAGER_INVITED, manager.email, partial(_context, manager))


@sensitive_variables()
def _context(manager: CodeManager) -> dict[str, Any]:
    """Return what the templates of the mail are given."""
    text = managing.invitation_to(manager)
    link = absolute(reverse("training_credits:manager-invited", args=[text]))
    return {"code": manager.code, "link": link, "days": managing.LIFETIME.days}
