"""How a basket is split between credits and money, in words."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from oscar.core.loading import get_class

from ...aliases import Basket, Request
from ...credits import wording
from ...credits.codes.refusals import public_text
from ...credits.ledger.quoting import Quote
from ...credits.models import CreditCode
from .. import totals
from .quotes import quote_of, quote_with, suppose_codes
from .wording import needs_code


def blocking_text(quote: Quote) -> str:
    """Return what stands in the way of an order with codes; empty if nothing does."""
    if shortage := quote.blocking_shortage():
        return public_text(shortage)
    return needs_code(quote) if quote.blocking and quote.codes else ""


def hint_text(quote: Quote) -> str:
    """Return what the codes lack for lines that money pays; empty if nothing."""
    shortage = quote.shortage()
    if not shortage or quote.blocking:
        return ""
    text = _(
        "You pay the rest with money: you have %(available)s left on your codes,"
        " %(missing)s too few for it. To pay for it in credits, apply another code"
        " as well."
    )
    return text % {
        "available": wording.in_words(shortage.available),
        "missing": wording.in_words(shortage.missing),
    }


def displaced_by(code: CreditCode, basket: Basket, *, request: Request) -> str:
    """Return which lines credits paid before `code` was applied, and pay no longer.

    It may let them reach for a line that comes first. Empty if there are none.
    """
    others = [each.code for each in quote_of(basket).codes if each.code != code]
    text = displaced_text(quote_with(others, basket), basket)
    if not text:
        return ""
    with suppose_codes(basket, others):
        old = _money_due(basket, request)
    new = _money_due(basket, request)
    amounts = _("You pay %(new)s instead of %(old)s.") % {"new": new, "old": old}
    return f"{text} {amounts}" if new != old else text


def displaced_text(before: Quote, basket: Basket) -> str:
    """Return which lines of `basket` credits paid `before`, and pay no longer, and why.

    Empty if there are none.
    """
    now = quote_of(basket)
    lost, won = before.covered - now.covered, now.covered - before.covered
    if not lost or not won:
        return ""
    names = {"won": _titles(won, basket), "lost": _titles(lost, basket)}
    text = _(
        "Your codes pay for %(won)s first now. They do not reach for %(lost)s as well,"
        " which you pay with money."
    )
    if any(item.credit_only for item in now.items if item.key in won):
        return text % names
    choice = _(
        "To have it the other way, choose “Pay with money instead” beside %(won)s."
    )
    return f"{text} {choice}" % names


def _titles(keys: Iterable[int], basket: Basket) -> str:
    titles = [
        _("“%(title)s”") % {"title": line.product.get_title()}
        for line in basket.all_lines()
        if line.pk in keys
    ]
    return get_text_list(titles, _("and"))


def _money_due(basket: Basket, request: Request) -> str:
    Applicator = get_class("offer.applicator", "Applicator")
    Applicator().apply(basket, request.user, request)
    return totals.money_in_words(basket)
