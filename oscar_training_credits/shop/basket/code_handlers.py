"""The kinds of code that the one box at the checkout takes.

A kind is a callable `(text, request) -> Answer | None`: None means that the text is
not of its kind, and the next one is asked. `TRAINING_CREDITS_CODE_HANDLERS` lists them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from oscar.core.loading import get_class, get_model

from ...aliases import Basket, Request
from ...conf import settings
from ...credits import wording
from ...credits.codes.applying import unknown, unreadable
from ...credits.codes.refusals import Reason, public_text
from ...credits.codes.throttling import in_doubt
from ...credits.models import CreditCode
from ...exceptions import CreditCodeRefused
from ..requesters import requester_of
from . import answers, refused_codes, split
from .applied_codes import apply_code
from .quotes import quote_of

UNASKED = {Reason.THROTTLED, Reason.LOG_IN}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the box says about a code that it was given; an empty text says nothing."""

    text: str
    accepted: bool
    is_applied: bool = False
    """The code is applied, though the order is not settled by it."""
    is_sure: bool = True
    """False where a later kind may know the text; this is said if none does."""

    @property
    def is_refusal(self) -> bool:
        return not (self.accepted or self.is_applied)


CodeHandler = Callable[[str, Any], "Answer | None"]


@sensitive_variables("text")
def take_code(
    text: str, *, request: Request, leave_vouchers: bool = False
) -> Answer | None:
    """Apply a code of any kind to the request's basket; the box shows the answer.

    Returns the answer, or None for a voucher that is left to the caller.
    """
    answer = ask_handlers(text, request, leave_vouchers=leave_vouchers)
    if answer and answer.text:
        answers.put(request, answer.text, accepted=answer.accepted)
    return answer


@sensitive_variables("text")
def ask_handlers(
    text: str, request: Request, *, leave_vouchers: bool = False
) -> Answer | None:
    """Return what the first kind says that knows `text`, or that none does.

    None is for a voucher, with `leave_vouchers`: the caller has a way of its own.
    """
    if refusal := unreadable(text):
        return Answer(public_text(refusal), accepted=False)
    said = None
    with in_doubt() as doubt:
        for kind in code_handlers(leave_vouchers=leave_vouchers):
            answer = kind(text, request)
            if answer and answer.is_sure:
                doubt.dismiss()
                return answer
            said = said or answer
        if leave_vouchers and find_voucher(text):
            doubt.dismiss()
            return None
    return said or Answer(public_text(unknown(text)), accepted=False)


def code_handlers(*, leave_vouchers: bool) -> list[CodeHandler]:
    kinds = cast("list[CodeHandler]", settings.load_all("CODE_HANDLERS"))
    return [kind for kind in kinds if not (leave_vouchers and kind is voucher)]


@sensitive_variables("text")
def credit_code(text: str, request: Request) -> Answer | None:
    """A training credit code."""
    basket = request.basket
    try:
        code = apply_code(basket, text, requester=requester_of(request))
    except CreditCodeRefused as refused:
        refused_codes.remember(request, refused)
        # Also for a code that the learner must not know of: what the other kinds,
        # and the last word on an unknown code, say must not differ either.
        if refused.refusal.reason.is_miss:
            return None
        # Nothing was looked up for whoever has to wait: it may be a voucher.
        is_sure = refused.refusal.reason not in UNASKED
        return Answer(public_text(refused.refusal), accepted=False, is_sure=is_sure)
    return accepted(code, basket, request=request)


def accepted(code: CreditCode, basket: Basket, *, request: Request) -> Answer:
    """Say what an applied code has, and what it leaves, lacks or changes."""
    quote = quote_of(basket)
    if obstacle := split.blocking_text(quote):
        return Answer(obstacle, accepted=False, is_applied=True)
    if displaced := split.displaced_by(code, basket, request=request):
        return Answer(displaced, accepted=True)
    if hint := split.hint_text(quote):
        return Answer(hint, accepted=True)
    mine = next(each for each in quote.codes if each.code == code)
    text = _("%(available)s available, %(left)s left after this purchase.") % {
        "available": wording.in_words(mine.available),
        "left": mine.left,
    }
    return Answer(text, accepted=True)


@sensitive_variables("text")
def voucher(text: str, request: Request) -> Answer | None:
    """An Oscar voucher. Oscar's own view checks it, applies it and says what to say."""
    found = find_voucher(text)
    if found is None:
        return None
    if request.basket.contains_voucher(found.code):
        return Answer(_("This promotion code has been applied already."), False)
    view = get_class("basket.views", "VoucherAddView")()
    view.setup(request)
    with answers.overhearing(request) as said:
        view.apply_voucher_to_basket(found)
    text = " ".join(map(str, said))
    return Answer(text, accepted=request.basket.contains_voucher(found.code))


@sensitive_variables("text", "code")
def find_voucher(text: str) -> Any:
    """Return Oscar's voucher with this text, or None.

    The text may be a credit code with a slip in it, which no log of SQL must keep. So
    it is looked for only if there is a voucher of its shape.
    """
    if "\0" in text:  # PostgreSQL would not even look
        return None
    code = text.strip().upper()
    vouchers = get_model("voucher", "Voucher")._default_manager
    if not vouchers.filter(code__iregex=shape(code)).exists():
        return None
    return vouchers.filter(code=code).first()


@sensitive_variables()
def shape(code: str) -> str:
    """Return a regular expression for all texts with letters, digits and signs in
    the same places: `^[^0-9]{6}[0-9]{2}$` for SPRING10."""
    runs = groupby(code, key=_letter_shape)
    parts = (f"{each}{{{len(list(run))}}}" for each, run in runs)
    return f"^{''.join(parts)}$"


@sensitive_variables()
def _letter_shape(letter: str) -> str:
    if not letter.isascii():
        return "."  # what equals it depends on the database's collation
    if letter.isalnum():
        return "[0-9]" if letter.isdigit() else "[^0-9]"
    return re.escape(letter)
