"""What the statement and the certificate of a code show: as a page, PDF and in a mail.

A PDF is drawn from the same templates as the page that is printed.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings as django_settings
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_variables

from ...credits.codes import code_text
from ...credits.ledger.statements import Line, Statement, month_of
from ...credits.models import CreditCode
from ...credits.wording import name_of
from ..pdf_files import has_pdf, pdf_of, pdf_response
from .mails import absolute

SUMS = {
    "opening": gettext_lazy("At the beginning"),
    "granted": gettext_lazy("Granted"),
    "redeemed": gettext_lazy("Used"),
    "refunded": gettext_lazy("Given back"),
    "adjusted": gettext_lazy("Adjusted"),
    "moved": gettext_lazy("Moved between codes"),
    "expired": gettext_lazy("Expired unused"),
    "reinstated": gettext_lazy("Valid again"),
    "lapsed": gettext_lazy("Lapsed with the code"),
    "closing": gettext_lazy("At the end"),
}
GONE = {"redeemed", "expired", "lapsed"}
ALWAYS = {"opening", "granted", "redeemed", "refunded", "expired", "closing"}
MOST_LINES = 1_000
"""How many lines a PDF of a statement has: they are drawn in some two seconds."""


def statement_shown(statement: Statement, first: date) -> dict[str, Any]:
    """Return what `statement.html` is given, for the month that begins with a day."""
    return {
        "code": statement.code,
        "month": first,
        "sums": sums_of(statement),
        "lines": [(line, in_words(line)) for line in statement.lines],
        "is_under_way": statement.end < month_of(first)[1],
        "shop_name": django_settings.OSCAR_SHOP_NAME,
    }


def statement_pdf(statement: Statement, first: date) -> bytes:
    """Return a statement as a PDF; it says how many lines it leaves out."""
    shown = statement_shown(statement, first)
    left_out = len(shown["lines"]) - MOST_LINES
    shown["lines"] = shown["lines"][:MOST_LINES]
    return pdf_of(
        "training_credits/pdf_statement.html",
        {**shown, "left_out": _left_out(left_out)},
    )


def _left_out(lines: int) -> str:
    if lines <= 0:
        return ""
    text = ngettext(
        "%d more line is on the page of the statement, and in its file.",
        "%d more lines are on the page of the statement, and in its file.",
        lines,
    )
    return text % lines


@sensitive_variables()
def certificate_shown(code: CreditCode, text: str) -> dict[str, Any]:
    """Return what `certificate.html` is given: the text of a code is in it."""
    return {
        "code": code,
        "text": text,
        "credits": code.balance(),
        "link": absolute(reverse("training_credits:enter-code")),
        "shop_name": django_settings.OSCAR_SHOP_NAME,
    }


@sensitive_variables()
def certificate_pdf(code: CreditCode, text: str) -> bytes:
    """Return the certificate of a code as a PDF: the text of the code is in it."""
    context = certificate_shown(code, text)
    return pdf_of("training_credits/pdf_certificate.html", context)


@sensitive_variables()
def certificate_response(code: CreditCode, text: str) -> HttpResponse | None:
    """Return a certificate as a download; None if it isn't the text, or no PDF is."""
    if not has_pdf() or code.digest not in code_text.digests(text):
        return None
    return pdf_response(f"certificate-{code.pk}", certificate_pdf(code, text))


def text_of_old_page() -> str:
    """Return what is said if there is no certificate to a text that was sent."""
    return _("No certificate was made: this is not the text of the code any more.")


def sums_of(statement: Statement) -> list[tuple[Any, int]]:
    """Return the numbers that add up, each with its name and its sign."""
    numbers = {name: getattr(statement.sums, name) for name in SUMS}
    return [
        (SUMS[name], -number if name in GONE else number)
        for name, number in numbers.items()
        if number or name in ALWAYS
    ]


def in_words(line: Line) -> str:
    """Return who used what, for what was used or given back; empty for the rest."""
    if not line.titles:
        return ""
    return ", ".join([name_of(line.learner) or _("Deleted account"), *line.titles])
