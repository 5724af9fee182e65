"""What may be sold of a training product, whatever the shop has in stock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ...conf import ALWAYS, NEVER, settings
from .. import wording
from . import granting, status
from .granting import Period
from .status import AccessStatus

if TYPE_CHECKING:
    from ..models import DueAccess, TrainingProduct
    from .status import Learner


def unavailable_reason(training: TrainingProduct, quantity: int = 1) -> str:
    """Return what keeps so many places from being sold now, or an empty text."""
    if training.is_over:
        return over_text(training)
    return most_text() if quantity > settings.MOST_PLACES else ""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What buying some training now would be to a learner."""

    refusal: str
    """Why the site does not sell it to them again; empty if it does."""
    waiting: str
    """What is said of an order of theirs that will open it once it is paid."""
    gain: Period | None
    """The access that it would add, whether or not it is sold; None if it adds none."""


def prospect_of(
    training: TrainingProduct,
    learner: Learner,
    *,
    access_status: AccessStatus,
    until: datetime | None,
) -> Prospect:
    """Return what buying `training` would be now to `learner`, who has it so far.

    Access would end at `until`, if not before. Reads, and locks nothing.
    """
    refusal = refusals_again(learner, [training]).get(training.pk, "")
    waiting = ordered_already(learner, [training]).get(training.pk, "")
    had = (
        granting.access_status_with_due(learner, training) if waiting else access_status
    )
    # Not earlier, as what waits is supposed to open at the moment it is asked for.
    gain = granting.expected_period(training, had, at=timezone.now(), until=until)
    return Prospect(refusal, waiting, gain)


def refusals_again(
    learner: Learner, trainings: Iterable[TrainingProduct]
) -> dict[int, str]:
    """Return why the site does not sell these to `learner` again, by primary key.

    No query where it always does.
    """
    if settings.BUY_AGAIN == ALWAYS or not learner.is_authenticated:
        return {}
    trainings = list(trainings)
    texts = {
        pk: _refusal_again(access_status)
        for pk, access_status in status.bought(learner, trainings).items()
    }
    ordered = ordered_already(learner, trainings, by_others=False)
    return {pk: text for pk, text in texts.items() if text} | ordered


def ordered_already(
    learner: Learner | None,
    trainings: Iterable[TrainingProduct],
    *,
    by_others: bool = True,
) -> dict[int, str]:
    """Return what is said of these where they wait for a payment, by primary key.

    Unless `by_others`, a path or a plan that waits and opens them does not count. No
    query where access opens with the order.
    """
    if learner is None:
        return {}
    return {
        pk: _waiting_text(rows[0])
        for pk, rows in status.due(learner, trainings).items()
        if by_others or any(row.training_id == pk for row in rows)
    }


def opens_when_paid(number: str) -> str:
    """Return what is said of training that waits for the payment of an order."""
    return _("It opens when order %(number)s is paid.") % {"number": number}


def nothing_gained() -> str:
    return _("It would add nothing to your access.")


def over_text(training: TrainingProduct) -> str:
    last = training.access_until
    day = date_format(last, "DATE_FORMAT") if last else ""
    return _("Access to this ended on %(day)s.") % {"day": day}


def most_text() -> str:
    if settings.MOST_PLACES == 1:
        return _("You can buy this only once in one order.")
    text = _("You can buy at most %(most)s places of this in one order.")
    return text % {"most": settings.MOST_PLACES}


def _waiting_text(due: DueAccess) -> str:
    opens = opens_when_paid(due.order_line.order.number)
    return f"{_('You have ordered this already.')} {opens}"


def _refusal_again(access_status: AccessStatus) -> str:
    """Return why the site does not sell again what stands so; empty if it does."""
    if settings.BUY_AGAIN == NEVER:
        return _("You have bought this before, and it can't be bought again.")
    if access_status.starts_at is None:
        return ""
    if access_status.ends_at is None:
        return _("You have this already, without an end.")
    end = wording.last_day(access_status.ends_at)
    text = _("You have this until %(end)s. It can be bought again after that.")
    return text % {"end": end}
