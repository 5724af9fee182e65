"""The monthly statement of a code, mailed to those who look after it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Any

from django.urls import reverse

from ...conf import CREDIT_STATEMENT
from ...credits.codes import history, noticing
from ...credits.isolation import own_transaction
from ...credits.ledger.statements import Statement, month_of, statement_of
from ...credits.models import CodeChange, CodeManager, CreditCode
from ..pdf_files import CONTENT_TYPE, has_pdf
from .contexts import Attachment
from .documents import statement_pdf
from .mails import absolute, send_to_user

STATEMENT = CodeChange.Kind.STATEMENT


def send_statements(first: date) -> Iterator[CreditCode]:
    """Mail the statements of the month that begins with a day; yield their codes.

    Each goes out once to all managers who have accepted, however often this is run.
    Where nothing was on a code and nothing happened, there is none.
    """
    managed = CodeManager.objects.filter(user__isnull=False).values("code")
    codes = CreditCode.objects.filter(pk__in=managed, is_test=False)
    for key in list(codes.order_by("pk").values_list("pk", flat=True)):
        code = CreditCode.objects.get(pk=key)
        if send_statement(code, first):
            yield code


@own_transaction()
def send_statement(code: CreditCode, first: date) -> bool:
    """Mail the statement of a code and a month, once; tell whether it is sent now."""
    month = first.strftime("%Y-%m")
    record: history.Record = {"idempotency_key": f"statement:{code.pk}:{month}"}
    history.lock(code)
    if history.done_before(STATEMENT, record, code=code):
        return False
    if _statement(code, first).is_empty:
        return False
    if not noticing.is_wanted(code, CREDIT_STATEMENT):
        return False
    history.keep(code, STATEMENT, record, details=[("month", "", month)])
    for manager in noticing.managers_who_hear(code):
        send_to_user(
            CREDIT_STATEMENT,
            manager.user,
            partial(_context, manager, first),
            attachments=partial(_attached, manager, first),
        )
    return True


def _context(manager: CodeManager, first: date) -> dict[str, Any]:
    """Return what the templates of the mail are given, of whoever is a manager yet."""
    code = manager.code
    page = reverse("training_credits:my-code-statement", args=[code.pk])
    return {
        "code": code,
        "month": first,
        "sums": _statement(code, first).sums,
        "link": absolute(f"{page}?month={first:%Y-%m}"),
        "has_pdf": has_pdf(),
    }


def _attached(manager: CodeManager, first: date) -> list[Attachment]:
    """Return the statement as a PDF, on a site that draws any."""
    if not has_pdf():
        return []
    drawn = statement_pdf(_statement(manager.code, first), first)
    return [(f"statement-{manager.code_id}-{first:%Y-%m}.pdf", drawn, CONTENT_TYPE)]


def _statement(code: CreditCode, first: date) -> Statement:
    start, end = month_of(first)
    return statement_of(code, start=start, end=end)
