"""What learners are told of access, and what happens to it when they leave."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from ...conf import ACCESS_GIVEN, PLACE_TAKEN_BACK
from ...credits.access.granting import lock_learners
from ...credits.locking import lock_by_key
from ...credits.models import (
    Access,
    AccessChange,
    CreditCode,
    DueAccess,
    Redemption,
)
from ..catalogue.content_links import content_links
from ..communication.mails import absolute, send_to_user


def access_given(sender: Any, *, access: Access, **kwargs: Any) -> None:
    """Tell a learner by mail of access that somebody on the staff gave them.

    Who bought it, or claimed it, knows; and what a site's own code gives without
    naming anybody, as for a thousand at once, is the site's to tell.
    """
    if access.order_line_id or access.place_id:
        return
    given = access.changes.filter(kind=AccessChange.Kind.GIVEN)
    if given.filter(changed_by__isnull=False).exists():
        send_to_user(ACCESS_GIVEN, access.learner, partial(_context, access))


def access_ended(sender: Any, *, access: Access, **kwargs: Any) -> None:
    """Tell a learner by mail whose place was taken back with its order.

    They did not buy it, so nothing else tells them. What staff end by hand is theirs
    to tell.
    """
    if access.place and access.place.revoked_at:
        context = partial(_place_context, access)
        send_to_user(PLACE_TAKEN_BACK, access.learner, context)


def _place_context(access: Access) -> dict[str, Any]:
    return {
        "access": access,
        "title": access.training.product.get_title(),
        "link": absolute(reverse("training_credits:my-training")),
    }


def _context(access: Access) -> dict[str, Any]:
    """Return what the templates of the mail are given."""
    links = content_links([access.training])
    return {
        "access": access,
        "title": access.training.product.get_title(),
        "link": absolute(links.get(access.training_id, "")),
        "is_later": access.starts_at > timezone.now(),
    }


def account_deleting(sender: Any, *, instance: Any, **kwargs: Any) -> None:
    """Let an account go after what is under way for its learner, not beside it.

    Locks what orders, refunds and payments lock, in their order. Without that they
    and the deletion would wait for each other, or add what nobody deletes. Access that
    they gave after Django looked for it goes here.
    """
    pk = instance.pk
    lock_by_key(get_model("basket", "Basket")._default_manager.filter(owner=pk))
    redeemed = Redemption.objects.filter(learner=pk).values_list("code", flat=True)
    lock_by_key(CreditCode.objects.filter(Q(pk__in=set(redeemed)) | Q(created_by=pk)))
    lock_by_key(DueAccess.objects.filter(learner=pk))
    lock_learners([pk])
    Access.objects.filter(learner=pk).delete()
    # From here on nobody adds a row that refers to the account, such as the mail that
    # Oscar keeps when it has confirmed the order that was waited for.
    accounts = type(instance)._default_manager.filter(pk=pk).order_by("pk")
    list(accounts.select_for_update().values_list("pk"))
