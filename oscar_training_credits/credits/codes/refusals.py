"""Why a code cannot be used here: a value first, a text at the edge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from django.template.loader import render_to_string

from .. import wording


class BaseReason(Enum):
    """What the reasons of a site's own rules are based on.

    Their texts are templates, as those of the built-in ones:

        class OwnReason(BaseReason):
            WEEKEND = "weekend"  # training_credits/refusals/weekend.txt

        def on_weekdays(code, purchase):
            if purchase.at.weekday() >= 5:
                return Refusal(OwnReason.WEEKEND)
            return None
    """

    @property
    def public(self) -> BaseReason:
        """The reason that a learner is told."""
        return self

    @property
    def is_miss(self) -> bool:
        """What was typed is, for all that a stranger may know, no code."""
        return self.public in (Reason.UNKNOWN, Reason.MISTYPED)


class Reason(BaseReason):
    BLANK = "blank"
    TOO_LONG = "too_long"
    MISTYPED = "mistyped"
    UNKNOWN = "unknown"
    DISABLED = "disabled"
    TEST_CODE = "test_code"
    NOT_LOGGED_IN = "not_logged_in"
    NOT_FOR_YOU = "not_for_you"
    NOT_STARTED = "not_started"
    EXPIRED = "expired"
    SPENT = "spent"
    USED_ONCE = "used_once"
    USED_OFTEN = "used_often"
    SHARE_SPENT = "share_spent"
    WRONG_CONTENT = "wrong_content"
    NOT_ENOUGH = "not_enough"
    ALREADY_APPLIED = "already_applied"
    NOT_NEEDED = "not_needed"
    THROTTLED = "throttled"
    LOG_IN = "log_in"

    @property
    def public(self) -> Reason:
        # One answer for all: a stranger must not learn that the code exists.
        return Reason.UNKNOWN if self in SECRET else self


SECRET = {Reason.DISABLED, Reason.TEST_CODE, Reason.NOT_LOGGED_IN, Reason.NOT_FOR_YOU}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a code cannot be used."""

    reason: BaseReason
    moment: datetime | None = None
    """When the code starts or has expired."""
    available: int = 0
    """Credits that could be spent."""
    missing: int = 0
    """Credits that are lacking."""
    minutes: int = 0
    """How long to wait before another try."""


def public_text(refusal: Refusal) -> str:
    """Return what a learner is told, in the active language.

    The texts are the templates `training_credits/refusals/<reason>.txt`. A reason
    without one is told as an unknown code is.
    """
    names = (refusal.reason.public.value, Reason.UNKNOWN.value)
    context = {
        "refusal": refusal,
        "moment": refusal.moment,
        "available": wording.in_words(refusal.available),
        "missing": wording.in_words(refusal.missing),
        "minutes": refusal.minutes,
    }
    templates = [f"training_credits/refusals/{name}.txt" for name in names]
    return render_to_string(templates, context).strip()
