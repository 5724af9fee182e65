"""What happens to training whose learner deletes their account."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from oscar.core.loading import get_model

from ...credits.access.granting import lock_learners
from ...credits.locking import for_update
from ...credits.models import Access, CreditCode, DueAccess, Redemption


def account_deleting(sender: Any, *, instance: Any, **kwargs: Any) -> None:
    """Let an account go after what is under way for its learner, not beside it.

    Locks what orders, refunds and payments lock, in their order. Without that they
    and the deletion would wait for each other, or add what nobody deletes. Access that
    they gave after Django looked for it goes here.
    """
    pk = instance.pk
    _lock(get_model("basket", "Basket")._default_manager.filter(owner=pk))
    redeemed = Redemption.objects.filter(learner=pk).values_list("code", flat=True)
    _lock(CreditCode.objects.filter(Q(pk__in=set(redeemed)) | Q(created_by=pk)))
    _lock(DueAccess.objects.filter(learner=pk))
    lock_learners([pk])
    Access.objects.filter(learner=pk).delete()


def _lock(rows: QuerySet[Any]) -> None:
    list(for_update(rows.order_by("pk")).values_list("pk"))
