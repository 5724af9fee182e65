"""What a code has for a learner, without buying anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from .. import wording
from ..models import CreditCode
from .applying import read_code
from .ends import end_of
from .rules import Purchase, credits_left, is_spendable
from .throttling import Requester

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


@dataclass(frozen=True, slots=True)
class CodeBalance:
    """What one learner could spend of a code now."""

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
    grants = [grant for grant in code.grants.all() if is_spendable(grant, at)]
    held = sum(grant.remaining for grant in grants)
    cap = credits_left(code, Purchase(learner, at=at))
    ends = [(end_of(grant), grant.remaining) for grant in grants]
    first = min((end for end, _left in ends if end), default=None)
    ending = sum(left for end, left in ends if end and end == first)
    return CodeBalance(code, held if cap is None else min(held, cap), first, ending)
