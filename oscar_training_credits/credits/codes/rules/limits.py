"""How much of a code one learner, or one order, may have.

What counts is what has been taken and not been given back, and what is held and has
not lapsed. Under the lock of the code's row nobody else can add to it.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from ...models import CreditCode, Redemption, RedemptionLine
from ..refusals import Reason, Refusal
from .asking import Purchase


def within_one_order(code: CreditCode, purchase: Purchase) -> Refusal | None:
    return Refusal(Reason.USED_ONCE) if is_used_once(code, purchase.at) else None


def is_used_once(code: CreditCode, at: datetime) -> bool:
    """Tell whether the one order that `code` is for has been placed, or is held."""
    return code.one_order_only and redemptions_of(code, at).exists()


def used_once(at: datetime) -> Q:
    """Match the codes of which `is_used_once` says so."""
    own = counting_at(at).filter(code=OuterRef("pk"))
    # In this order: few codes are for one order only, and need the other question.
    return Q(one_order_only=True) & Q(Exists(own))


def within_orders(code: CreditCode, purchase: Purchase) -> Refusal | None:
    if code.redemptions_per_learner is None or purchase.learner is None:
        return None
    used = redemptions_of(code, purchase.at).filter(learner_id=purchase.learner.pk)
    if used.count() >= code.redemptions_per_learner:
        return Refusal(Reason.USED_OFTEN)
    return None


def within_credits(code: CreditCode, purchase: Purchase) -> Refusal | None:
    if credits_left(code, purchase) == 0:
        return Refusal(Reason.SHARE_SPENT)
    return None


def credits_left(code: CreditCode, purchase: Purchase) -> int | None:
    """Return the credits that the learner may still take from `code`, at most.

    None if the code sets no limit. What its grants hold is another matter.
    """
    if code.credits_per_learner is None:
        return None
    if purchase.learner is None:
        return code.credits_per_learner
    used = redemptions_of(code, purchase.at).filter(learner_id=purchase.learner.pk)
    taken = used.aggregate(total=Sum("kept"))["total"] or 0
    return max(code.credits_per_learner - taken, 0)


def redemptions_of(code: CreditCode, at: datetime) -> QuerySet[Redemption]:
    """Return the redemptions of `code` that count, each with the credits `kept`."""
    refunded = Coalesce(Sum("lines__refunded"), 0)
    mine = counting_at(at).filter(code_id=code.pk)
    return mine.annotate(kept=F("credits") - refunded)


def counting_at(at: datetime) -> QuerySet[Redemption]:
    """Return the redemptions of all codes that count: something of them is kept."""
    counting = Q(state=Redemption.State.CAPTURED) | Q(
        Q(expires_at=None) | Q(expires_at__gt=at), state=Redemption.State.HELD
    )
    lines = RedemptionLine.objects.filter(redemption=OuterRef("pk"))
    # No sum: for a million codes databases join what merely exists.
    kept = Exists(lines.filter(refunded__lt=F("credits"))) | ~Exists(lines)
    return Redemption.objects.filter(counting, kept)
