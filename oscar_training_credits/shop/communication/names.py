"""What the mails are called where staff read of them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from ...conf import (
    ACCESS_ENDED,
    ACCESS_ENDS,
    ACCESS_GIVEN,
    BALANCE_LOW,
    CODE_GIVEN,
    CODE_ROTATED,
    CODE_TOPPED_UP,
    CREDIT_STATEMENT,
    CREDITS_EXPIRE,
    CREDITS_GIVEN_BACK,
    CREDITS_REQUESTED,
    CREDITS_USED,
    MANAGER_INVITED,
    ORDER_CANCELLED,
    PLACE_TAKEN_BACK,
    REQUEST_APPROVED,
    REQUEST_DECLINED,
)

NAMES = {
    ACCESS_GIVEN: _("Access given"),
    CREDITS_GIVEN_BACK: _("Credits given back"),
    ORDER_CANCELLED: _("Order cancelled"),
    PLACE_TAKEN_BACK: _("Place taken back"),
    MANAGER_INVITED: _("Manager invited"),
    CREDIT_STATEMENT: _("Monthly statement"),
    CREDITS_REQUESTED: _("Credits asked for"),
    REQUEST_APPROVED: _("Request approved"),
    REQUEST_DECLINED: _("Request declined"),
    CREDITS_EXPIRE: _("Credits expire soon"),
    BALANCE_LOW: _("Few credits left"),
    CODE_GIVEN: _("Code to look after"),
    CODE_TOPPED_UP: _("Credits added"),
    CODE_ROTATED: _("New text of a code"),
    CREDITS_USED: _("Credits used"),
    ACCESS_ENDS: _("Access ends soon"),
    ACCESS_ENDED: _("Access has ended"),
}


def name_of_mail(event: str) -> str:
    """Return the name of a mail; of one that has none, its event in plain letters."""
    return str(NAMES.get(event) or event.replace("_", " ").capitalize())
