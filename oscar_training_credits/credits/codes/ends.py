"""When credits end. What a later end makes valid again is kept on record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.utils import timezone

from ..models import CreditCode, CreditGrant, Reinstatement


@contextmanager
def reinstating(code: CreditCode) -> Iterator[None]:
    """Keep on record which expired credits of a code are valid again afterwards.

    For whatever gives the code, or grants of it, another end. The caller has locked
    the code, in a transaction.
    """
    before = _expired(code)
    yield
    still = _expired(code)
    Reinstatement.objects.bulk_create(
        Reinstatement(grant_id=grant, credits=credits, expired_at=end)
        for grant, (credits, end) in before.items()
        if grant not in still
    )


def _expired(code: CreditCode) -> dict[int, tuple[int, datetime]]:
    """Return what has expired on a code, as stored: credits and end by grant."""
    grants = CreditGrant.objects.filter(code=code.pk, remaining__gt=0)
    columns = grants.values_list("pk", "remaining", "expires_at", "code__expires_at")
    now = timezone.now()
    ended = {
        pk: (credits, min(end for end in ends if end))
        for pk, credits, *ends in columns
        if any(ends)
    }
    return {pk: (credits, end) for pk, (credits, end) in ended.items() if end <= now}
