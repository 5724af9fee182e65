"""What a delivery is about, and for whom, in words."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ....credits.models import AccessChange, Delivery, EventType
from ....credits.wording import name_of
from ...communication.names import name_of_mail

ACCESS: dict[str, Any] = {
    AccessChange.Kind.GIVEN: gettext_lazy("Access given"),
    AccessChange.Kind.CHANGED: gettext_lazy("Access changed"),
    AccessChange.Kind.ENDED: gettext_lazy("Access ended"),
}


def receiver_of(delivery: Delivery) -> str:
    """Return for whom a delivery is: the learner, who gets the mail, or the system."""
    if delivery.endpoint:
        return str(delivery.endpoint)
    user = delivery.access.learner if delivery.access else delivery.user
    if user:
        return name_of(user)
    if delivery.address:
        return delivery.address
    if delivery.channel == Delivery.Channel.ENROLMENT or not delivery.delivered_at:
        return _("Deleted account")
    return _("An address")


def what(delivery: Delivery) -> str:
    """Return what a delivery tells: what happened, or the name of a mail."""
    if delivery.channel == Delivery.Channel.MAIL:
        return name_of_mail(delivery.kind)
    if delivery.channel == Delivery.Channel.WEBHOOK:
        return str(EventType(delivery.kind).label)
    return str(ACCESS[delivery.kind])


def described(delivery: Delivery) -> str:
    """Return a delivery in one line, for a button that is read aloud."""
    subject = delivery.training
    told = str(subject.product.get_title()) if subject else what(delivery)
    return f"{told}, {receiver_of(delivery)}"
