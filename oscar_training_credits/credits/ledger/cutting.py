"""Child codes: credits of a code on a code of their own, and taken back.

A child is a code as others are: its own text, label and state, and its own end and
limits, none of them wider than its parent's when they are set. Its credits are moved
from grants of the parent, and what is unused goes back there: by staff, when the child
is closed, and when it ends. Children have no children.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, cast

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from ...exceptions import IdempotencyKeyReused, NotCut, NotEnoughCredits
from ..codes import history, issuing, narrowing
from ..codes.ends import end_of
from ..codes.issuing import IssuedCode, Restrictions
from ..isolation import own_transaction
from ..models import CodeChange, CreditCode, CreditGrant
from . import entries, moving
from .quoting import spend_order
from .redemption import lock_codes, lock_without_lapsed, release_lapsed

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..codes.history import Record

CAPS = ("credits_per_learner", "redemptions_per_learner")


class ChildTerms(Restrictions, total=False):
    """What a child code may have of its own; what is left out is as the parent's."""

    starts_at: datetime | None
    expires_at: datetime | None
    content: Any
    reference: str
    holder: str
    notes: str


class _Inherited(TypedDict):
    columns: dict[str, Any]
    rows: dict[str, Any]


@sensitive_variables("text", "chosen")
def cut_code(
    parent: CreditCode,
    credits: int,
    *,
    label: str,
    text: str | None = None,
    record: Record | None = None,
    **terms: Unpack[ChildTerms],
) -> IssuedCode:
    """Move so many credits of a code to a new child code, and return it with its text.

    Those that expire soonest are moved; each part keeps its origin, its end and its
    price. `terms` are named as for `issue_code`; what is left out is as the parent's,
    and whom the child is for is the parent's audience as long as it names nobody. It
    is a test code if the parent is. Done once per `idempotency_key`: again, it returns
    the first child.

    Raises:
        NotEnoughCredits: the parent can spend fewer now.
        NotCut: the parent is not active, for one order only, or a child itself.
        WiderThanParent: a term would allow what the parent does not.
        CodeTaken, IdempotencyKeyReused, ValueError: as `issue_code`.
    """
    if credits < 1:
        raise ValueError("One credit at least is moved to a child code.")
    record = record or {}
    chosen, text = text, text or issuing.new_text()
    # No decorator: its frame would show the text in an error report.
    with own_transaction():
        locked = lock_without_lapsed(parent)
        if earlier := _cut_before(locked, credits, chosen, record):
            return earlier
        _refuse_uncut(locked)
        parts = _parts(locked, credits, timezone.now())
        draft = issuing.Draft.of(
            text,
            **_own_terms(locked, parts, cast("dict[str, Any]", terms)),
            label=label,
            created_by=record.get("by"),
        )
        _cut(locked, parts, draft, record)
        narrowing.refuse_wider(draft.code)
    return IssuedCode(draft.code, text)


@own_transaction()
def take_back(
    child: CreditCode, credits: int | None = None, **record: Unpack[Record]
) -> CodeChange | None:
    """Move unused credits of a child code back to the grants that they came from.

    So many, or all that can go back, those first that expire last. What is held or
    spent stays. Done once per `idempotency_key`. Returns what was done, or None where
    there is nothing to take back.

    Raises:
        NotEnoughCredits: fewer can go back.
        NotCut: it is no child code.
        IdempotencyKeyReused: the key stands for another code, or other credits.
        ValueError: `credits` is not positive.
    """
    if credits is not None and credits < 1:
        raise ValueError("One credit at least is taken back.")
    if child.parent_id is None:
        raise NotCut("This code has no parent.")
    at = timezone.now()
    codes = lock_codes([child.parent_id, child.pk])
    if release_lapsed([child.pk], at=at):
        codes = lock_codes([child.parent_id, child.pk])
    if earlier := _taken_before(child, credits, record):
        return earlier
    locked = next(code for code in codes if code.pk == child.pk)
    parts = moving.parts_back(locked, at)
    if credits is not None:
        parts = _first(parts, credits)
    if not parts:
        return None
    sources = {grant.pk: grant for code in codes for grant in code.grants.all()}
    return moving.send_back(locked, parts, sources, record)


def unused(child: CreditCode, at: datetime | None = None) -> int:
    """Return how many credits of a child code could be taken back; locks nothing."""
    parts = moving.parts_back(child, at or timezone.now())
    return sum(credits for _grant, credits in parts)


@sensitive_variables()
def _cut_before(
    parent: CreditCode, credits: int, text: str | None, record: Record
) -> IssuedCode | None:
    key = record.get("idempotency_key")
    earlier = issuing.issued_before(key, text=text, credits=credits)
    if earlier and earlier.code.parent_id != parent.pk:
        raise IdempotencyKeyReused(key)
    return earlier


def _refuse_uncut(parent: CreditCode) -> None:
    if parent.state != CreditCode.State.ACTIVE:
        raise NotCut("Only of an active code can credits be moved.")
    if parent.parent_id:
        raise NotCut("A child code has no children.")
    if parent.one_order_only:
        # Of its credits, one order alone may have some.
        raise NotCut("A code for one order only has no children.")


def _parts(
    parent: CreditCode, credits: int, at: datetime
) -> list[tuple[CreditGrant, int]]:
    """Return what is moved, from the grants that are spent first."""
    grants = [
        grant
        for grant in sorted(parent.grants.all(), key=spend_order)
        if grant.remaining and ((end := end_of(grant)) is None or end > at)
    ]
    return _first([(grant, grant.remaining) for grant in grants], credits)


def _first(
    parts: Iterable[tuple[CreditGrant, int]], credits: int
) -> list[tuple[CreditGrant, int]]:
    """Return as much of these parts as makes up so many credits."""
    taken = []
    for grant, left in parts:
        if part := min(credits, left):
            taken.append((grant, part))
            credits -= part
    if credits:
        raise NotEnoughCredits("Fewer credits can be moved.")
    return taken


def _own_terms(
    parent: CreditCode, parts: list[tuple[CreditGrant, int]], terms: dict[str, Any]
) -> dict[str, Any]:
    """Return the terms of a child: its own, and its parent's for the rest."""
    ends = [end_of(grant) for grant, _part in parts]
    known = [end for end in ends if end]
    latest = max(known) if len(known) == len(ends) else None
    names = ("starts_at", "content", "reference", "holder", "ends_access", *CAPS)
    inherited = {name: getattr(parent, name) for name in names}
    own = {**inherited, "expires_at": latest, **terms}
    named = ("learners", "groups", "email_domains")
    if not any(own.get(name) for name in named):
        own |= {
            "learners": parent.learners.all(),
            "groups": parent.groups.all(),
            "email_domains": parent.email_domains.splitlines(),
            "include_subdomains": parent.include_subdomains,
            "named_only": parent.named_only or own.get("named_only", False),
        }
    return {**own, "parent": parent, "is_test": parent.is_test}


def _cut(
    parent: CreditCode,
    parts: list[tuple[CreditGrant, int]],
    draft: issuing.Draft,
    record: Record,
) -> None:
    credits = sum(part for _grant, part in parts)
    into = draft.save(record, credits=credits, details=[("parent", "", str(parent))])
    out_of = history.keep(
        parent,
        CodeChange.Kind.CUT,
        {**record, "idempotency_key": None},
        credits=-credits,
        details=[("child", "", str(draft.code))],
    )
    for grant, part in parts:
        moved = CreditGrant(
            code=draft.code,
            source=grant,
            credits=part,
            origin=grant.origin,
            note=grant.note,
            expires_at=end_of(grant),
            created_at=out_of.changed_at,
            created_by=into.changed_by,
        )
        entries.move_credits(
            out_of=grant, into=moved, credits=part, changes=(out_of, into)
        )


def _taken_before(
    child: CreditCode, credits: int | None, record: Record
) -> CodeChange | None:
    key = record.get("idempotency_key")
    earlier = CodeChange.objects.filter(idempotency_key=key).first() if key else None
    if earlier is None:
        return None
    as_before = credits is None or credits == -earlier.credits
    is_same = (earlier.kind, earlier.code_id) == (moving.TAKEN_BACK, child.pk)
    if not (is_same and as_before):
        raise IdempotencyKeyReused(key)
    return earlier
