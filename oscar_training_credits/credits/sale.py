"""What may be sold of a training product, whatever the shop has in stock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ..conf import settings

if TYPE_CHECKING:
    from .models import TrainingProduct


def obstacle(training: TrainingProduct, quantity: int = 1) -> str:
    """Return what keeps so many places from being sold now, or an empty text."""
    if training.is_over:
        return over_text(training)
    return most_text() if quantity > settings.MOST_PLACES else ""


def over_text(training: TrainingProduct) -> str:
    last = training.access_until
    day = date_format(last, "DATE_FORMAT") if last else ""
    return _("Access to this ended on %(day)s.") % {"day": day}


def most_text() -> str:
    if settings.MOST_PLACES == 1:
        return _("You can buy this only once in one order.")
    text = _("You can buy at most %(most)s places of this in one order.")
    return text % {"most": settings.MOST_PLACES}
