"""The link of a place, mailed to whom its buyer means it for.

The link is in the mail and nowhere else; to whom it went is on record, for the buyer.
"""

from __future__ import annotations

from typing import Any

from django.views.decorators.debug import sensitive_variables

from ...credits.access import places
from ...credits.isolation import own_transaction
from ...credits.models import Place, PlaceMail
from ...credits.wording import name_of
from ...exceptions import IdempotencyKeyReused, PlaceNotMailed
from ..communication.mails import absolute, send_now
from .places_bought import claim_url

EVENT = "TRAINING_PLACE_LINK"
MOST_MAILS = 5
"""How often the link of one place is mailed: the shop writes to nobody for ever."""


def mail_place(place: Place, *, address: str, idempotency_key: str, by: Any) -> bool:
    """Mail the link of a free place to an address, once for each key.

    Tells whether it was mailed now. `by` is the buyer, whom the mail names.

    Raises:
        PlaceNotMailed: it is not free any more, or was mailed five times.
        NotMailed: the mail server did not take it; nothing is on record.
        IdempotencyKeyReused: the key stands for another place or address.
    """
    with own_transaction():
        now = places.lock(place)
        earlier = PlaceMail.objects.filter(idempotency_key=idempotency_key).first()
        if earlier and (earlier.place_id, earlier.address) != (place.pk, address):
            raise IdempotencyKeyReused(idempotency_key)
        if earlier:
            return False
        if now is None or not now.is_free or now.mails.count() >= MOST_MAILS:
            raise PlaceNotMailed("The link of this place can't be mailed.")
        now.mails.create(address=address, idempotency_key=idempotency_key)
        _send(now, address, by)
    return True


@sensitive_variables()
def _send(place: Place, address: str, by: Any) -> None:
    context = {
        "title": place.order_line.title,
        "meant_for": place.meant_for,
        "buyer": name_of(by),
        "link": absolute(claim_url(place)),
    }
    send_now(EVENT, address, context)
