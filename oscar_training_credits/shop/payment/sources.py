"""The payment source that stands for credits in an order."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from ...aliases import Order
from ...conf import settings
from ...credits import wording
from ...credits.models import Redemption

REFERENCE = "redemption-"
SOURCE_LABEL_LENGTH = 128  # as in Oscar's model


def source_label(redemption: Redemption, *, back: int | None = None) -> str:
    """Return the label of the payment source that stands for `redemption`.

    With `back` it says how many credits have been given back. It names the code as
    the learner's boxes do, its label shortened where it must be.
    """
    text = (
        _("%(credits)s, %(code)s")
        if back is None
        else _("%(credits)s, %(back)s given back, %(code)s")
    )
    words = {"credits": wording.in_words(redemption.credits), "back": back}
    room = SOURCE_LABEL_LENGTH - len(text % {**words, "code": ""})
    label = text % {**words, "code": redemption.code.shortened(room)}
    return label[:SOURCE_LABEL_LENGTH]


def record_sources(order: Order, redemptions: Collection[Redemption]) -> None:
    """Show staff how the order was paid.

    Oscar prints the amounts of every source in the order's money, so they say how
    much money moved: none. The label says how many credits.
    """
    if not redemptions:
        return
    source_type = credits_source_type()
    for redemption in redemptions:
        get_model("payment", "Source")._default_manager.create(
            order=order,
            source_type=source_type,
            currency=order.currency,
            reference=source_reference(redemption),
            label=source_label(redemption),
        )


def source_reference(redemption: Redemption) -> str:
    """Return the reference of the payment source that stands for `redemption`."""
    return f"{REFERENCE}{redemption.pk}"


def credits_source_type() -> Any:
    """Return Oscar's source type for credits; names are not unique, so the first."""
    types = get_model("payment", "SourceType")._default_manager
    first = types.filter(name=settings.SOURCE_TYPE).order_by("pk").first()
    return first or types.create(name=settings.SOURCE_TYPE)
