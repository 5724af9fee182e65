"""The text of a code, mailed to the person whom it is for.

The text is in the mail and nowhere else: Oscar keeps what it mails to users, so it is
sent as a message to an address, of which Oscar keeps nothing, whosever that is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from ...credits.codes import code_text, history
from ...credits.models import CodeChange, CreditCode
from .mails import absolute, send_now

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

EVENT = "TRAINING_CREDIT_CODE"
MAILED = CodeChange.Kind.MAILED


@sensitive_variables("text")
def mail_code(
    code: CreditCode,
    text: str,
    *,
    address: str,
    idempotency_key: str,
    by: AbstractBaseUser | None = None,
) -> CodeChange:
    """Mail a code's text to an address, once for each key, and keep that on record.

    Raises:
        NotMailed: the mail server did not take it; nothing is on record.
        IdempotencyKeyReused: the key stands for another code, or another change.
        ValueError: it is not the text of this code, or not any more.
    """
    if code.digest not in code_text.digests(text):
        raise ValueError("This is not the text of the code.")
    record: history.Record = {"by": by, "idempotency_key": idempotency_key}
    if earlier := history.done_before(MAILED, record, code=code):
        return earlier
    # No decorator: its frame would show the text in an error report.
    with transaction.atomic():
        try:
            with transaction.atomic():
                details = [("mailed_to", "", address)]
                change = history.keep(code, MAILED, record, details=details)
        except IntegrityError:
            # The second of two clicks has waited for the first.
            if earlier := history.done_before(MAILED, record, code=code):
                return earlier
            raise
        _send(code, text, address)
    return change


@sensitive_variables()
def _send(code: CreditCode, text: str, address: str) -> None:
    context = {
        "code": code,
        "text": text,
        "credits": code.balance(),
        "link": absolute(reverse("training_credits:enter-code")),
    }
    send_now(EVENT, address, context)
