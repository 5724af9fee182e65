"""The kinds of code that the one box at the checkout takes.

A kind is a callable `(text, request) -> Answer | None`: None means that the text is
not of its kind, and the next one is asked. `TRAINING_CREDITS_CODE_KINDS` lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from oscar.core.loading import get_class, get_model

from ..conf import settings
from ..credits import wording
from ..credits.applying import apply_code, unknown, unreadable
from ..credits.models import CreditCode
from ..credits.refusals import public_text
from ..exceptions import CreditCodeRefused
from . import flash
from .askers import asker_of
from .quotes import items_of, quote_of


@dataclass(frozen=True, slots=True)
class Answer:
    """What the box says about a code that it was given; an empty text says nothing."""

    text: str
    accepted: bool


CodeKind = Callable[[str, Any], "Answer | None"]


@sensitive_variables("text")
def take_code(text: str, *, request: Any) -> None:
    """Apply a code of any kind to the request's basket; the box shows the answer."""
    answer = ask_kinds(text, request)
    if answer.text:
        flash.put(request, answer.text, accepted=answer.accepted)


@sensitive_variables("text")
def ask_kinds(text: str, request: Any) -> Answer:
    if refusal := unreadable(text):
        return Answer(public_text(refusal), accepted=False)
    for kind in cast("list[CodeKind]", settings.load_all("CODE_KINDS")):
        if answer := kind(text, request):
            return answer
    return Answer(public_text(unknown(text)), accepted=False)


@sensitive_variables("text")
def credit_code(text: str, request: Any) -> Answer | None:
    """A training credit code."""
    basket = request.basket
    try:
        code = apply_code(
            text,
            basket=basket,
            items=items_of(basket),
            asker=asker_of(request),
            learner=request.user if request.user.is_authenticated else None,
        )
    except CreditCodeRefused as refused:
        # Also for a code that the learner must not know of: what the other kinds,
        # and the last word on an unknown code, say must not differ either.
        if refused.refusal.reason.is_miss:
            return None
        return Answer(public_text(refused.refusal), accepted=False)
    basket.reset_offer_applications()
    return accepted(code, basket)


def accepted(code: CreditCode, basket: Any) -> Answer:
    """Say what an applied code has, and what it leaves or lacks."""
    quote = quote_of(basket)
    if shortage := quote.shortage():
        return Answer(public_text(shortage), accepted=False)
    mine = next(each for each in quote.codes if each.code == code)
    text = _("%(available)s available, %(left)s left after this purchase.") % {
        "available": wording.in_words(mine.available),
        "left": mine.left,
    }
    return Answer(text, accepted=True)


@sensitive_variables("text")
def voucher(text: str, request: Any) -> Answer | None:
    """An Oscar voucher. Oscar's own view checks it, applies it and says so."""
    found = find_voucher(text)
    if found is None:
        return None
    if request.basket.contains_voucher(found.code):
        return Answer(_("This promotion code has been applied already."), False)
    view = get_class("basket.views", "VoucherAddView")()
    view.setup(request)
    view.apply_voucher_to_basket(found)
    return Answer("", accepted=request.basket.contains_voucher(found.code))


@sensitive_variables("text")
def find_voucher(text: str) -> Any:
    if "\0" in text:  # PostgreSQL would not even look
        return None
    Voucher = get_model("voucher", "Voucher")
    return Voucher._default_manager.filter(code=text.strip().upper()).first()
