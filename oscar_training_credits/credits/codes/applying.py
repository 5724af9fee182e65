"""Codes applied to a basket: put on, taken off, moved with its lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Subquery, prefetch_related_objects
from django.views.decorators.debug import sensitive_variables

from ...aliases import Basket
from ...exceptions import CreditCodeRefused
from ..isolation import own_transaction
from ..ledger import redemption
from ..ledger.quoting import Item
from ..models import AppliedCode, CreditCode
from . import code_text, reading, turning_away
from .refusals import Reason, Refusal
from .rules import Purchase, first_refusal
from .throttling import Requester, counted

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


@sensitive_variables("text")
def apply_code(
    text: str,
    *,
    basket: Basket,
    items: Sequence[Item],
    requester: Requester | None,
    learner: AbstractBaseUser | None = None,
) -> CreditCode:
    """Apply the code with this text to a saved basket, and return it.

    `items` are the basket's lines that accept credits. A code that is too small is
    applied all the same, as another one may make up the rest. `requester` is as in
    `read_code`.

    Raises:
        CreditCodeRefused: with the reason; nothing was applied.
    """
    product_ids = frozenset(item.product_id for item in items)
    code = read_code(text, purchase=Purchase(learner, product_ids), requester=requester)
    if not items:
        raise CreditCodeRefused(Refusal(Reason.NOT_NEEDED))
    try:
        with transaction.atomic():
            AppliedCode.objects.create(basket=basket, code=code)
    except IntegrityError as error:
        raise CreditCodeRefused(Refusal(Reason.ALREADY_APPLIED)) from error
    if code.balance() < min(item.credits for item in items):
        turning_away.count(code, learner, Reason.NOT_ENOUGH)
    return code


def put_on(code: CreditCode, *, basket: Basket) -> bool:
    """Put a locked code on a locked `basket`, asking nothing; tell if it was not on it.

    The lock comes first: on MariaDB a row that refers to the code takes a weaker one,
    which two purchases could get and not exchange.
    """
    _applied, is_new = AppliedCode.objects.get_or_create(basket=basket, code=code)
    return is_new


@sensitive_variables("text")
def read_code(
    text: str, *, purchase: Purchase, requester: Requester | None
) -> CreditCode:
    """Return the code that a learner typed, if it can be used for `purchase`.

    Wrong codes are counted for `requester`. None is for calls behind which there is no
    visitor, such as a shell or a command: they are not counted.

    Raises:
        CreditCodeRefused: with the reason, also if too many were wrong before.
    """
    if refusal := unreadable(text):
        raise CreditCodeRefused(refusal)
    with counted(requester):
        # What a stranger must not learn of takes this one query, and nothing more, as
        # a text that is no code does: the answer's time would tell them apart.
        code = code_text.find(text, learner=purchase.learner)
        if code is None:
            raise CreditCodeRefused(unknown(text))
        refusal = first_refusal(code, purchase)
        if refusal and refusal.reason in (Reason.SPENT, Reason.EXPIRED):
            # Credits held for a payment that never ended are there again, and those
            # that a child code had until it ended.
            redemption.recover([code.pk], at=purchase.at)
            refusal = first_refusal(code, purchase)
        if refusal and is_mistyped_miss(refusal, text):
            raise CreditCodeRefused(unknown(text))
        if refusal:
            turning_away.count(code, purchase.learner, refusal.reason)
            known = None if refusal.reason.is_miss else code
            raise CreditCodeRefused(refusal, code=known)
    return code


@sensitive_variables("text")
def is_mistyped_miss(refusal: Refusal, text: str) -> bool:
    """Tell whether a stranger is told of a typing slip, as if there were no code."""
    return code_text.is_mistyped(text) and refusal.reason.is_miss


@sensitive_variables("text")
def unreadable(text: str) -> Refusal | None:
    """Return why nothing need be looked up for `text`, if so."""
    if len(text) > code_text.LONGEST_TEXT:
        return Refusal(Reason.TOO_LONG)
    if not code_text.canonical(text):
        return Refusal(Reason.BLANK)
    return None


@sensitive_variables("text")
def unknown(text: str) -> Refusal:
    """Return what is said of a text that is no code."""
    mistyped = code_text.is_mistyped(text)
    return Refusal(Reason.MISTYPED if mistyped else Reason.UNKNOWN)


def applied_codes(basket: Basket) -> list[CreditCode]:
    """Return the codes applied to `basket` with their grants, in the order applied."""
    if reading.is_possible():
        found = reading.applied_codes(basket.pk)
        prefetch_related_objects([each for each in found if each.content_id], "content")
        return found
    applied = AppliedCode.objects.filter(basket_id=basket.pk)
    codes = CreditCode.objects.filter(pk__in=applied.values("code_id"))
    in_order = codes.order_by(
        Subquery(applied.filter(code=OuterRef("pk")).values("pk")[:1])
    )
    read_along = in_order.with_audience().select_related("content")
    return list(read_along.prefetch_related("grants"))


def remove_code(code_id: int, *, basket: Basket) -> bool:
    """Take a code off `basket`; return whether it was on it."""
    removed, _ = AppliedCode.objects.filter(basket_id=basket.pk, code=code_id).delete()
    return bool(removed)


@own_transaction()
def move_codes(*, from_basket_id: int, to_basket: Basket) -> None:
    """Move the codes of a basket that was merged into another. Safe to repeat."""
    moved = AppliedCode.objects.filter(basket_id=from_basket_id).order_by("pk")
    for code_id in list(moved.values_list("code_id", flat=True)):
        AppliedCode.objects.get_or_create(basket=to_basket, code_id=code_id)
    moved.delete()
