"""The only module that moves credits: each movement changes a grant and is entered."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from ...exceptions import NotEnoughCredits
from ..models import CodeChange, CreditGrant, LedgerEntry, Redemption, Refund

Changes = tuple[CodeChange, CodeChange]
"""What is on record of a movement: of the code that gives, and of the one that gets."""


@transaction.atomic
def grant_credits(grant: CreditGrant, change: CodeChange | None = None) -> CreditGrant:
    """Save a new grant, of which nothing is spent yet, and enter it."""
    grant.save(force_insert=True)
    opening_entry(grant, change).save()
    return grant


def opening_entry(grant: CreditGrant, change: CodeChange | None = None) -> LedgerEntry:
    """Return the unsaved entry that a new grant begins with."""
    return LedgerEntry(
        grant=grant,
        change=change,
        kind=LedgerEntry.Kind.GRANT,
        credits=grant.credits,
        balance=grant.credits,
        created_at=grant.created_at,
    )


def refund_credits(grant: CreditGrant, credits: int, *, refund: Refund) -> LedgerEntry:
    """Give `credits` back to a grant whose row the caller has locked, and enter it.

    To be called once per grant and refund, inside the refund's transaction. The
    database refuses to let a grant hold more than was granted.
    """
    held = CreditGrant.objects.filter(pk=grant.pk)
    held.update(remaining=F("remaining") + credits)
    grant.remaining += credits
    return _refund_entry(grant, credits, refund)


def refund_to_new_grant(grant: CreditGrant, *, refund: Refund) -> LedgerEntry:
    """Save a new grant for credits whose own has expired, and enter it.

    It begins with the refund's entry: no credits are granted, they come back.
    """
    grant.remaining = grant.credits
    grant.save(force_insert=True)
    return _refund_entry(grant, grant.credits, refund)


def _refund_entry(grant: CreditGrant, credits: int, refund: Refund) -> LedgerEntry:
    return LedgerEntry.objects.create(
        grant=grant,
        refund=refund,
        kind=LedgerEntry.Kind.REFUND,
        credits=credits,
        balance=grant.remaining,
        created_at=refund.created_at,
    )


def redeem_credits(
    grant: CreditGrant,
    credits: int,
    *,
    redemption: Redemption,
    kind: str = LedgerEntry.Kind.REDEEM,
) -> LedgerEntry:
    """Take `credits` from a grant whose row the caller has locked, and enter it.

    To be called once per grant and redemption, inside the redemption's transaction;
    `kind` tells credits that are only held from those that are spent at once.

    Raises:
        NotEnoughCredits: the grant holds fewer; nothing was taken.
    """
    _take(grant, credits)
    return LedgerEntry.objects.create(
        grant=grant,
        redemption=redemption,
        kind=kind,
        credits=-credits,
        balance=grant.remaining,
        created_at=redemption.created_at,
    )


def withdraw_credits(
    grant: CreditGrant, credits: int, *, change: CodeChange, kind: str
) -> LedgerEntry:
    """Take `credits` that staff adjust, or that lapse, and enter it.

    To be called once per grant and change. The caller has locked the grant.

    Raises:
        NotEnoughCredits: the grant holds fewer; nothing was taken.
    """
    _take(grant, credits)
    return LedgerEntry.objects.create(
        grant=grant,
        change=change,
        kind=kind,
        credits=-credits,
        balance=grant.remaining,
        created_at=change.changed_at,
    )


def move_credits(
    *, out_of: CreditGrant, into: CreditGrant, credits: int, changes: Changes
) -> None:
    """Move `credits` from one locked grant to another, and enter both sides.

    `into` is a new grant, which is saved with them, or one that gave them away before.
    To be called once per pair of grants and changes.

    Raises:
        NotEnoughCredits: the grant holds fewer; nothing was moved.
    """
    _take(out_of, credits)
    if into.pk is None:
        into.remaining = credits
        into.save(force_insert=True)
    else:
        held = CreditGrant.objects.filter(pk=into.pk)
        held.update(remaining=F("remaining") + credits)
        into.remaining += credits
    # At one moment, or a period could end between them.
    moment = changes[0].changed_at
    sides = ((out_of, -credits, changes[0]), (into, credits, changes[1]))
    for grant, moved, change in sides:
        LedgerEntry.objects.create(
            grant=grant,
            change=change,
            kind=LedgerEntry.Kind.MOVE,
            credits=moved,
            balance=grant.remaining,
            created_at=moment,
        )


def _take(grant: CreditGrant, credits: int) -> None:
    # The condition is what protects the balance where the database has no row locks.
    enough = CreditGrant.objects.filter(pk=grant.pk, remaining__gte=credits)
    if not enough.update(remaining=F("remaining") - credits):
        raise NotEnoughCredits(f"Grant {grant.pk} holds fewer than {credits} credits.")
    grant.remaining -= credits


def release_credits(
    grant: CreditGrant, credits: int, *, redemption: Redemption
) -> LedgerEntry:
    """Put held `credits` back on a grant whose row the caller has locked."""
    CreditGrant.objects.filter(pk=grant.pk).update(remaining=F("remaining") + credits)
    grant.remaining += credits
    return LedgerEntry.objects.create(
        grant=grant,
        redemption=redemption,
        kind=LedgerEntry.Kind.RELEASE,
        credits=credits,
        balance=grant.remaining,
    )
