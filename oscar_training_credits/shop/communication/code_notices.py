"""Managers hear by mail what is done to their code by others, and what was used.

A mail is written in the transaction of the change that it tells of. What was used is
told by the next run of `send_deliveries`: a purchase waits for no mail, and takes no
query for it. The text of a code is in none of them.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.urls import reverse

from ...conf import CODE_GIVEN, CODE_ROTATED, CODE_TOPPED_UP, CREDITS_USED, settings
from ...credits.codes import noticing
from ...credits.isolation import own_transaction
from ...credits.ledger import use_notices
from ...credits.ledger.statements import used_in
from ...credits.models import CodeChange, CodeManager, CreditCode
from ...credits.wording import name_of
from .documents import in_words
from .mails import absolute, key_of, send_to_user

EVENTS: dict[str, str] = {
    CodeChange.Kind.TOPPED_UP: CODE_TOPPED_UP,
    CodeChange.Kind.ROTATED: CODE_ROTATED,
}
MOST_LISTED = 20
"""How many uses a mail lists; it says how many more there are."""


def code_changed(
    sender: Any, *, instance: CodeChange, created: bool, raw: bool, **kwargs: Any
) -> None:
    """Tell the managers what was done to their code, but not whoever did it."""
    event, code = EVENTS.get(instance.kind), instance.code
    if not event or not created or raw or code.is_test:
        return
    managers = list(noticing.managers_who_hear(code, but=instance.changed_by))
    if managers and noticing.is_wanted(code, event):
        for manager in managers:
            send_to_user(event, manager.user, partial(_changed, manager, instance))


def manager_added(sender: Any, *, instance: CodeManager, raw: bool, **kw: Any) -> None:
    """Tell somebody with an account that they look after a code from now on.

    Who is invited accepts by themselves, and has a mail already.
    """
    if instance.user and not raw and not instance.code.is_test:
        key = key_of(CODE_GIVEN, instance.pk, instance.user_id)
        send_to_user(CODE_GIVEN, instance.user, partial(_given, instance), key=key)


def send_used() -> int:
    """Write the mails on what was used that are due; return how many."""
    if CREDITS_USED not in settings.MAILS:
        return 0
    return sum(_send_used(pk, until) for pk, until in use_notices.due())


@own_transaction()
def _send_used(pk: int, until: datetime) -> int:
    if not (used := use_notices.note_told(pk, until)):
        return 0
    return sum(
        send_to_user(
            CREDITS_USED,
            manager.user,
            partial(_used, manager, used.since, used.until),
        )
        for manager in noticing.managers_who_hear(used.code)
    )


def _changed(manager: CodeManager, change: CodeChange) -> dict[str, Any]:
    """Return what the templates of the mail are given."""
    code = change.code
    return {
        "code": code,
        "credits": change.credits,
        "balance": code.balance(),
        "who": name_of(change.changed_by) if change.changed_by else "",
        "link": _page_of(code),
    }


def _given(manager: CodeManager) -> dict[str, Any]:
    """Return what the templates of the mail are given."""
    code = manager.code
    return {"code": code, "credits": code.balance(), "link": _page_of(code)}


def _used(manager: CodeManager, since: datetime, until: datetime) -> dict[str, Any]:
    """Return what the templates of the mail are given."""
    lines = used_in(manager.code, start=since, end=until)
    listed = lines[:MOST_LISTED]
    page = reverse("training_credits:my-credits-used")
    return {
        "code": manager.code,
        "credits": -sum(line.credits for line in lines),
        "uses": [(in_words(line), -line.credits) for line in listed],
        "more": len(lines) - len(listed),
        "since": since,
        "until": until,
        "balance": manager.code.balance(),
        "link": absolute(f"{page}?code={manager.code_id}"),
    }


def _page_of(code: CreditCode) -> str:
    return absolute(reverse("training_credits:my-code", args=[code.pk]))
