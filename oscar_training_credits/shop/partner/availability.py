"""Whether training can be bought, and how many places at once."""

from __future__ import annotations

from copy import copy
from typing import Any

from django.utils.translation import gettext as _
from oscar.core.loading import get_class

from ...conf import settings
from ...credits.access import buying_again
from ...credits.models import TrainingProduct
from ...mixins import Extension
from ..loading import with_mixin

StockRequired: Any = get_class("partner.availability", "StockRequired")
Unavailable: Any = get_class("partner.availability", "Unavailable")


class Refused(Unavailable):
    """Not to be bought, for a reason that the learner is told."""

    def __init__(self, reason: str) -> None:
        self.message = reason

    def is_purchase_permitted(self, quantity: int) -> tuple[bool, str]:
        return False, self.message


class AccessOver(Refused):
    """Nobody can buy what would give no access any more."""

    code = "access-over"


class ContentClosed(Refused):
    """This learner can't buy what they could not open."""

    code = "content-closed"


class AvailabilityMixin(Extension):
    """For any availability: permits no more places than an order may hold."""

    num_available: int

    def is_purchase_permitted(self, quantity: int) -> tuple[bool, str]:
        permitted, reason = super().is_purchase_permitted(quantity)
        if permitted and quantity > settings.MOST_PLACES:
            return False, buying_again.most_text()
        return permitted, reason


def availability_of(training: TrainingProduct, availability: Any) -> Any:
    """Return the site's availability of a product, kept within what may be sold."""
    if isinstance(availability, (Unavailable, AvailabilityMixin)):
        return availability
    if training.is_over:
        return AccessOver(buying_again.over_text(training))
    # A copy, as a site may share one instance between products.
    limited = copy(availability)
    base: type = type(availability)
    limited.__class__ = with_mixin(base, AvailabilityMixin)
    if not hasattr(limited, "num_available"):
        # Oscar's basket asks for it when it says how many there are.
        limited.num_available = settings.MOST_PLACES
    return limited


def unavailable_text(availability: Any) -> str:
    """Return why nobody can buy one now; empty if anybody can."""
    permitted, _reason = availability.is_purchase_permitted(1)
    if permitted:
        return ""
    if isinstance(availability, ContentClosed):
        return str(availability.message)
    if availability.code == StockRequired.CODE_OUT_OF_STOCK:
        return _("This is sold out.")
    return _("This can't be bought here at the moment.")
