"""Credits between a code and its child codes: what may move, and moving it.

A moved part is a grant of the child, which refers to the grant of the parent that it
came from: `source`. All here is of rows that the caller has locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from ..codes import history
from ..codes.ends import end_of
from ..models import CodeChange, CreditCode, CreditGrant, LedgerEntry
from . import entries

if TYPE_CHECKING:
    from ..codes.history import Record

ADJUSTED, TAKEN_BACK = CodeChange.Kind.ADJUSTED, CodeChange.Kind.TAKEN_BACK


def has_way_back(grant: CreditGrant, at: datetime) -> bool:
    """Tell whether credits of this grant can go back to where they came from.

    Not where they have expired, would be expired there, or that code is closed.
    """
    source = grant.source
    if source is None or source.code.state == CreditCode.State.CLOSED:
        return False
    ends = filter(None, (grant.expires_at, end_of(source)))
    return all(end > at for end in ends)


def is_over(code: CreditCode, at: datetime) -> bool:
    """Tell whether nobody can spend credits of a code any more, as it is at an end."""
    has_ended = bool(code.expires_at and code.expires_at <= at)
    return has_ended or code.state == CreditCode.State.CLOSED


def parts_back(child: CreditCode, at: datetime) -> list[tuple[CreditGrant, int]]:
    """Return what of a child code can go back, in the reverse of the spending order."""
    # Undone in this order, a cut leaves what cutting less would have left.
    grants = sorted(child.grants.all(), key=lambda grant: (_ends(grant), grant.pk))
    return [
        (grant, grant.remaining)
        for grant in reversed(grants)
        if grant.remaining and has_way_back(grant, at)
    ]


def send_back(
    child: CreditCode,
    parts: Sequence[tuple[CreditGrant, int]],
    sources: Mapping[int, CreditGrant],
    record: Record,
) -> CodeChange:
    """Move parts of a child's grants back to their sources, on record at both codes."""
    credits = sum(part for _grant, part in parts)
    parent = child.parent
    assert parent is not None  # noqa: S101
    mine = history.keep(
        child,
        TAKEN_BACK,
        record,
        credits=-credits,
        details=[("parent", "", str(parent))],
    )
    its = history.keep(
        parent,
        TAKEN_BACK,
        {**record, "idempotency_key": None},
        credits=credits,
        details=[("child", "", str(child))],
    )
    for grant, part in parts:
        assert grant.source_id is not None  # noqa: S101
        entries.move_credits(
            out_of=grant,
            into=sources[grant.source_id],
            credits=part,
            changes=(mine, its),
        )
    return mine


def settle(
    child: CreditCode, codes: Iterable[CreditCode], at: datetime, record: Record
) -> int:
    """Send all back that can go back from a child code; return the credits.

    `codes` are locked, the child's parent among them.
    """
    parts = parts_back(child, at)
    if not parts:
        return 0
    sources = {grant.pk: grant for code in codes for grant in code.grants.all()}
    return -send_back(child, parts, sources, record).credits


def lapse_ended(child: CreditCode, at: datetime) -> int:
    """Let lapse what a child code at an end can't give back; return the credits."""
    left = [
        grant
        for grant in child.grants.all()
        if grant.source_id and grant.remaining and _lasts(grant, at)
    ]
    if not left:
        return 0
    credits = sum(grant.remaining for grant in left)
    note = _("The child code ended, and its parent takes nothing back.")
    change = history.keep(child, ADJUSTED, {"note": note}, credits=-credits)
    for grant in left:
        entries.withdraw_credits(
            grant, grant.remaining, change=change, kind=LedgerEntry.Kind.LAPSE
        )
    return credits


def _lasts(grant: CreditGrant, at: datetime) -> bool:
    return grant.expires_at is None or grant.expires_at > at


def stranded_on_children(at: datetime) -> QuerySet[CreditGrant]:
    """Return the grants of child codes that are at an end, with unexpired credits."""
    over = Q(code__state=CreditCode.State.CLOSED) | Q(code__expires_at__lte=at)
    moved = CreditGrant.objects.unexpired(at)
    return moved.filter(over, source__isnull=False, remaining__gt=0)


def _ends(grant: CreditGrant) -> tuple[bool, float]:
    end = end_of(grant)
    return end is None, end.timestamp() if end else 0
