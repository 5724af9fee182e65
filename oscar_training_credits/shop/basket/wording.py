"""What learners are told where a code or an account is needed."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from ...credits import wording
from ...credits.ledger.quoting import Quote


def needs_code(quote: Quote) -> str:
    """Return what is said where credit-only lines wait for a code."""
    credits = sum(item.credits for item in quote.blocking)
    return _(
        "This order needs %(credits)s. Enter a code, or ask your learning"
        " administrator for one."
    ) % {"credits": wording.in_words(credits)}


def with_code_link(text: str) -> str:
    """Return a refusal with a link to the page that always has a box for codes.

    A site's own template of the page that shows it may have none.
    """
    address = reverse("training_credits:enter-code")
    return format_html('{} <a href="{}">{}</a>', text, address, _("Enter a code"))


def needs_account() -> str:
    """Return what a guest is told: access belongs to somebody."""
    return _("Log in or register to buy training.")
