"""Learners are told by mail that their access ends soon, and that it has ended."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from ...conf import ACCESS_ENDED, ACCESS_ENDS
from ...credits.access import ending
from ...credits.models import Access
from ...exceptions import DeliveryDropped
from ..catalogue.content_links import content_links
from .contexts import Context
from .mails import absolute, key_of, send_to_user


def send_ending() -> int:
    """Mail learners whose access ends soon; return how many mails were written.

    Each once for an end and a number of days: moved, the new end is told of anew.
    """
    return sum(
        _send(ACCESS_ENDS, access, partial(_ends, access, access.ends_at), before)
        for access, before in ending.ending_soon()
    )


def send_ended() -> int:
    """Mail learners whose access has ended, once; return how many were written."""
    return sum(
        _send(ACCESS_ENDED, access, partial(_ended, access))
        for access in ending.just_ended()
    )


def _send(event: str, access: Access, context: Context, *cause: object) -> bool:
    key = key_of(event, access.pk, access.ends_at, *cause)
    return send_to_user(event, access.learner, context, key=key)


def _ends(access: Access, ends_at: datetime | None) -> dict[str, Any]:
    """Return what the templates of the mail are given."""
    if not ending.ends(access, ends_at):
        raise DeliveryDropped(_("Access does not end then any more."))
    return {**_context(access), "ends_at": ends_at}


def _ended(access: Access) -> dict[str, Any]:
    """Return what the templates of the mail are given."""
    if not ending.has_ended(access):
        raise DeliveryDropped(_("There is access again."))
    return {**_context(access), "ends_at": access.ends_at}


def _context(access: Access) -> dict[str, Any]:
    links = content_links([access.training])
    page = links.get(access.training_id) or reverse("training_credits:my-training")
    return {
        "access": access,
        "title": access.training.product.get_title(),
        "link": absolute(page),
    }
