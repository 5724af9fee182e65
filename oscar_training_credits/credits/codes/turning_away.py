"""Who could not use a code that is for them, and why, counted by day."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from ..models import CreditCode, TurnedAway
from .refusals import BaseReason

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

logger = logging.getLogger("training_credits")
LONGEST_REASON = 50  # as in the model


def count(
    code: CreditCode, learner: AbstractBaseUser | None, reason: BaseReason
) -> None:
    """Count that `learner` was refused `code`, for a reason that they are told.

    Not for whom there is no such code: the answer would take longer, and tell them
    that there is. A count that fails is logged; the learner is answered all the same.
    """
    if reason.is_miss:
        return
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    asked = {
        "code": code,
        "learner": learner,
        "reason": str(reason.value)[:LONGEST_REASON],
        "day": today,
    }
    try:
        with transaction.atomic():
            # Two at the same moment may make two rows: reports sum them up.
            if not TurnedAway.objects.filter(**asked).update(times=F("times") + 1):
                TurnedAway.objects.create(**asked)
    except DatabaseError:
        logger.exception("A refusal of code %s was not counted", code.pk)
