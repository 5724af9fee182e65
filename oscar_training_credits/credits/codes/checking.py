"""What a code has for a learner, without buying anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from .. import wording
from ..models import CreditCode, CreditGrant
from .applying import read_code
from .ends import end_of
from .rules import Purchase, credits_left
from .throttling import Requester

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


@dataclass(frozen=True, slots=True)
class CodeBalance:
    """What could be spent of a code: by one learner now, or after a purchase."""

    code: CreditCode
    credits: int
    """Whole credits: all it has, or what a cap leaves to the learner."""
    ends_at: datetime | None
    """When the first of them expire; None for never."""
    ending: int
    """How many of them expire then."""

    def __str__(self) -> str:
        available = wording.in_words(self.credits)
        if self.ends_at is None:
            return _("%(available)s available.") % {"available": available}
        day = wording.last_day(self.ends_at)
        if self.ending >= self.credits:
            text = _("%(available)s available, until %(day)s.")
            return text % {"available": available, "day": day}
        text = _("%(available)s available, %(ending)s of them until %(day)s.")
        return text % {"available": available, "ending": self.ending, "day": day}

    @property
    def left(self) -> str:
        """What is left on the code, in words."""
        if not self.credits:
            return _("Nothing is left.")
        credits = wording.in_words(self.credits)
        if self.ends_at is None:
            return _("%(credits)s left.") % {"credits": credits}
        day = wording.last_day(self.ends_at)
        if self.ending >= self.credits:
            return _("%(credits)s left, until %(day)s.") % {
                "credits": credits,
                "day": day,
            }
        text = _("%(credits)s left, %(ending)s of them until %(day)s.")
        return text % {"credits": credits, "ending": self.ending, "day": day}


@sensitive_variables("text")
def check_code(
    text: str, *, learner: AbstractBaseUser | None, requester: Requester | None
) -> CodeBalance:
    """Return what the code with this text has for a learner; nothing is applied.

    Wrong codes are counted for `requester`, as by `read_code`.

    Raises:
        CreditCodeRefused: with the reason, also if too many were wrong before.
    """
    code = read_code(text, purchase=Purchase(learner), requester=requester)
    return balance_of(code, learner)


def balance_of(code: CreditCode, learner: AbstractBaseUser | None) -> CodeBalance:
    """Return what `code` has for a learner who may use it."""
    at = timezone.now()
    balance = balance_with(
        [(each, each.remaining) for each in code.grants.all()], code, at
    )
    cap = credits_left(code, Purchase(learner, at=at))
    if cap is None or cap >= balance.credits:
        return balance
    return replace(balance, credits=cap)


def balance_with(
    left: Iterable[tuple[CreditGrant, int]], code: CreditCode, at: datetime
) -> CodeBalance:
    """Return what `code` has at a moment, if so much is left on each of its grants."""
    ends = [
        (end_of(grant), credits)
        for grant, credits in left
        if credits and not (grant.expires_at and grant.expires_at <= at)
    ]
    first = min((end for end, _credits in ends if end), default=None)
    ending = sum(credits for end, credits in ends if end and end == first)
    return CodeBalance(code, sum(credits for _end, credits in ends), first, ending)
