"""What a code is, whoever asks: on or off, from and until, with credits or without."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ....conf import settings
from ...models import CreditCode, CreditGrant
from ..refusals import Reason, Refusal
from .asking import Purchase

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


def enabled(code: CreditCode, purchase: Purchase) -> Refusal | None:
    if code.state != CreditCode.State.ACTIVE:
        return Refusal(Reason.DISABLED)
    if code.is_test and not may_test(purchase.learner):
        return Refusal(Reason.TEST_CODE)
    return None


def may_test(learner: AbstractBaseUser | None) -> bool:
    """Tell whether test codes work for somebody: for staff, or on a site in test."""
    return settings.TEST_MODE or bool(getattr(learner, "is_staff", False))


def started(code: CreditCode, purchase: Purchase) -> Refusal | None:
    if code.starts_at and code.starts_at > purchase.at:
        return Refusal(Reason.NOT_STARTED, moment=code.starts_at)
    return None


def unexpired(code: CreditCode, purchase: Purchase) -> Refusal | None:
    if code.expires_at and code.expires_at <= purchase.at:
        return Refusal(Reason.EXPIRED, moment=code.expires_at)
    return None


def funded(code: CreditCode, purchase: Purchase) -> Refusal | None:
    grants = list(code.grants.all())
    if any(is_spendable(grant, purchase.at) for grant in grants):
        return None
    lapsed = [grant.expires_at for grant in grants if grant.remaining]
    if moments := list(filter(None, lapsed)):
        return Refusal(Reason.EXPIRED, moment=max(moments))
    return Refusal(Reason.SPENT)


def is_spendable(grant: CreditGrant, at: datetime) -> bool:
    """Tell whether `grant` holds credits that have not expired."""
    return bool(grant.remaining) and (not grant.expires_at or grant.expires_at > at)
