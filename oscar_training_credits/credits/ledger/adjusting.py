"""Credits that staff put right, and those that lapse when a code is closed.

Nothing is taken that is spent or held: a grant's `remaining` has neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone

from ...exceptions import NotEnoughCredits
from ..codes import history
from ..codes.issuing import put_credits
from ..isolation import own_transaction
from ..models import CodeChange, CreditCode, CreditGrant, LedgerEntry
from . import entries, moving
from .quoting import spend_order, spendable
from .redemption import lock_codes, lock_without_lapsed, release_lapsed

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..codes.history import Record

ADJUSTED = CodeChange.Kind.ADJUSTED


def adjust_credits(
    code: CreditCode,
    credits: int,
    *,
    grant: CreditGrant | None = None,
    expires_at: datetime | None = None,
    **record: Unpack[Record],
) -> CodeChange:
    """Put whole credits on a code, or take so many from it where they are negative.

    What is put on it is a new grant, which expires at `expires_at`. What is taken
    comes from `grant`, else from those that expire soonest. Done once per
    `idempotency_key`: again, it returns what was done.

    Raises:
        NotEnoughCredits: fewer can be taken; the rest is spent, held or expired.
        CodeClosed: the code is closed.
        IdempotencyKeyReused: the key stands for another code, or other credits.
        ValueError: `credits` is 0 or more than a thousand million, it expires more
            than a hundred years from now, no reason is given, or one that is unknown.
    """
    if not credits:
        raise ValueError("Nothing is to be adjusted.")
    if not record.get("reason"):
        raise ValueError("An adjustment needs a reason.")
    if credits < 0:
        return _take(code, -credits, grant, record)
    added = put_credits(
        code,
        credits,
        kind=ADJUSTED,
        origin=CreditGrant.Origin.ADJUSTMENT,
        expires_at=expires_at,
        record=record,
    )
    return _change_of(added)


@own_transaction()
def close_code(
    code: CreditCode, *, take_back: bool = False, **record: Unpack[Record]
) -> CodeChange | None:
    """Close a code for good: what is left on it lapses.

    Of a child code, what can go back to its parent does. With `take_back`, what is
    unused on child codes comes back first, and lapses as well; otherwise they keep it.
    What is held for a payment under way stays held, and orders stay. If held or
    refunded credits come back to it later, closing it again lets them lapse. Returns
    what was done, or None where nothing was left to do. Done once per
    `idempotency_key`: again, it returns what was done.

    Raises:
        IdempotencyKeyReused: the key stands for something else.
    """
    # First what new children wait for; it comes before them by its key.
    lock_codes(_with_parent(code))
    kind = CodeChange.Kind.CLOSED
    if earlier := history.done_before(kind, record, code=code, credits=None):
        return earlier
    locked = _without_others(code, take_back, record)
    was_closed = locked.state == CreditCode.State.CLOSED
    left = [grant for grant in locked.grants.all() if grant.remaining]
    code.state = CreditCode.State.CLOSED
    if was_closed and not left:
        return None
    if not was_closed:
        code.save(update_fields=["state"])
    credits = sum(grant.remaining for grant in left)
    change = history.keep(code, kind, record, credits=-credits)
    for grant in left:
        entries.withdraw_credits(
            grant, grant.remaining, change=change, kind=LedgerEntry.Kind.LAPSE
        )
    return change


def _without_others(code: CreditCode, take_back: bool, record: Record) -> CreditCode:
    """Return a code, locked, after credits went to its parent or came from children.

    The caller has locked it and its parent. All others are locked, in the order of
    their keys, before anything moves.
    """
    children = list(code.children.values_list("pk", flat=True)) if take_back else []
    at = timezone.now()
    quietly: Record = {**record, "idempotency_key": None}
    codes = {each.pk: each for each in lock_codes([*_with_parent(code), *children])}
    if release_lapsed(codes, at=at):
        codes = {each.pk: each for each in lock_codes(codes)}
    for pk in [code.pk, *children] if code.parent_id or children else []:
        if codes[pk].parent_id in codes:
            moving.settle(codes[pk], codes.values(), at, quietly)
    (locked,) = lock_codes([code.pk])
    return locked


def _with_parent(code: CreditCode) -> list[int]:
    return [code.parent_id, code.pk] if code.parent_id else [code.pk]


@own_transaction()
def _take(
    code: CreditCode, credits: int, grant: CreditGrant | None, record: Record
) -> CodeChange:
    locked = lock_without_lapsed(code)
    if earlier := history.done_before(ADJUSTED, record, code=code, credits=-credits):
        return earlier
    history.refuse_closed(locked)
    grants = sorted(spendable(locked, timezone.now()), key=spend_order)
    if grant is not None:
        grants = [each for each in grants if each.pk == grant.pk]
    if credits > sum(each.remaining for each in grants):
        raise NotEnoughCredits(f"Fewer than {credits} credits can be taken.")
    change = history.keep(code, ADJUSTED, record, credits=-credits)
    for each, part in _parts(grants, credits):
        entries.withdraw_credits(
            each, part, change=change, kind=LedgerEntry.Kind.ADJUST
        )
    return change


def _parts(
    grants: Iterable[CreditGrant], credits: int
) -> Iterable[tuple[CreditGrant, int]]:
    for grant in grants:
        if part := min(credits, grant.remaining):
            yield grant, part
            credits -= part


def _change_of(grant: CreditGrant) -> CodeChange:
    change = grant.entries.select_related("change").earliest("pk").change
    assert change is not None  # noqa: S101
    return change
