"""When credits end. What a later end makes valid again is kept on record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db.models import Case, F, When
from django.utils import timezone

from ..models import CreditCode, CreditGrant, Reinstatement


def end_of(grant: CreditGrant) -> datetime | None:
    """Return when credits of a grant end: with it, or with their code before."""
    ends = filter(None, (grant.expires_at, grant.code.expires_at))
    return min(ends, default=None)


def latest_end(code: CreditCode) -> datetime | None:
    """Return until when credits of a child code may last: as those of its parent.

    None where they may last for ever.
    """
    moved = code.grants.filter(source__isnull=False, remaining__gt=0)
    sources = [each.source for each in moved.select_related("source__code")]
    ends = [end_of(source) for source in sources if source]
    known = [end for end in ends if end]
    return max(known) if known and len(known) == len(ends) else None


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
    # A moved part goes back when its code ends: only its own end lets it expire.
    code_end = Case(When(source=None, then=F("code__expires_at")))
    columns = grants.values_list("pk", "remaining", "expires_at", code_end)
    now = timezone.now()
    ended = {
        pk: (credits, min(end for end in ends if end))
        for pk, credits, *ends in columns
        if any(ends)
    }
    return {pk: (credits, end) for pk, (credits, end) in ended.items() if end <= now}
