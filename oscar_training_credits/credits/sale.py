"""What may be sold of a training product, whatever the shop has in stock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ..conf import ALWAYS, NEVER, settings
from . import access, wording
from .access import Standing

if TYPE_CHECKING:
    from .access import Learner
    from .models import TrainingProduct


def obstacle(training: TrainingProduct, quantity: int = 1) -> str:
    """Return what keeps so many places from being sold now, or an empty text."""
    if training.is_over:
        return over_text(training)
    return most_text() if quantity > settings.MOST_PLACES else ""


def refusals_again(
    learner: Learner, trainings: Iterable[TrainingProduct]
) -> dict[int, str]:
    """Return why the site does not sell these to `learner` again, by primary key.

    No query where it always does.
    """
    if settings.BUY_AGAIN == ALWAYS or not learner.is_authenticated:
        return {}
    texts = {
        pk: _refusal_again(standing)
        for pk, standing in access.bought(learner, trainings).items()
    }
    return {pk: text for pk, text in texts.items() if text}


def over_text(training: TrainingProduct) -> str:
    last = training.access_until
    day = date_format(last, "DATE_FORMAT") if last else ""
    return _("Access to this ended on %(day)s.") % {"day": day}


def most_text() -> str:
    if settings.MOST_PLACES == 1:
        return _("You can buy this only once in one order.")
    text = _("You can buy at most %(most)s places of this in one order.")
    return text % {"most": settings.MOST_PLACES}


def _refusal_again(standing: Standing) -> str:
    """Return why the site does not sell again what stands so; empty if it does."""
    if settings.BUY_AGAIN == NEVER:
        return _("You have bought this before, and it can't be bought again.")
    if standing.starts_at is None:
        return ""
    if standing.ends_at is None:
        return _("You have this already, without an end.")
    end = wording.last_day(standing.ends_at)
    text = _("You have this until %(end)s. It can be bought again after that.")
    return text % {"end": end}
