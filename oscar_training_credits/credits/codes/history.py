"""What staff do to codes is on record, and done once: who, when and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypedDict, cast

from django.utils import timezone
from django.utils.translation import gettext as _

from ...exceptions import CodeClosed, IdempotencyKeyReused
from ..locking import for_update
from ..models import CodeChange, CreditCode

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

LONGEST_NOTE = 200

Difference = tuple[str, str, str]
"""The name of a field, and its value before and after, as text."""


class Record(TypedDict, total=False):
    """What is kept of a change, whatever it is; all may be left out.

    `reason` is a `CodeChange.Reason`, and `note` has 200 letters at most. What has an
    `idempotency_key` of the caller's, of 64 characters at most, is done once.
    """

    reason: str
    note: str
    by: AbstractBaseUser | None
    idempotency_key: str | None


def lock(code: CreditCode) -> CreditCode:
    """Return a code as it is now, locked until the transaction ends."""
    return for_update(CreditCode.objects.order_by("pk")).get(pk=code.pk)


def refuse_closed(code: CreditCode) -> None:
    """Refuse to change a code that is closed.

    Raises:
        CodeClosed: it is.
    """
    if code.state == CreditCode.State.CLOSED:
        raise CodeClosed("The code is closed.")


def missing_note(reason: str | None, note: str) -> str:
    """Return what is said where a reason needs a note that is not there; or nothing."""
    if reason == CodeChange.Reason.OTHER and not note:
        return _("Say in the note what it is.")
    return ""


def done_before(
    kind: str,
    record: Record,
    *,
    code: CreditCode | None = None,
    credits: int | None = 0,
) -> CodeChange | None:
    """Return the change that was made for the same idempotency key, if any.

    It moved so many credits; None is for a change that moves what there is.

    Raises:
        IdempotencyKeyReused: it was another change, or of another code.
    """
    if not (key := record.get("idempotency_key")):
        return None
    changes = CodeChange.objects.select_related("code")
    if not (earlier := changes.filter(idempotency_key=key).first()):
        return None
    is_other_code = code is not None and earlier.code_id != code.pk
    moved = earlier.credits if credits is None else credits
    if is_other_code or (earlier.kind, earlier.credits) != (kind, moved):
        raise IdempotencyKeyReused(key)
    return earlier


def keep(
    code: CreditCode,
    kind: str,
    record: Record,
    *,
    credits: int = 0,
    details: Iterable[Difference] = (),
) -> CodeChange:
    """Keep on record what is done to a code in this transaction.

    Raises:
        ValueError: the reason is none of those known, or the note is too long.
    """
    reason, note = record.get("reason", ""), record.get("note", "")
    if reason and reason not in CodeChange.Reason.values:
        raise ValueError(f"{reason!r} is no reason of CodeChange.Reason.")
    if len(note) > LONGEST_NOTE:
        raise ValueError(f"A note has {LONGEST_NOTE} letters at most.")
    by = record.get("by")
    return CodeChange.objects.create(
        code=code,
        kind=kind,
        reason=reason,
        note=note,
        credits=credits,
        details=[list(each) for each in details],
        idempotency_key=record.get("idempotency_key") or None,
        changed_at=timezone.now(),
        changed_by_id=by.pk if by else None,
    )


def keep_edit(
    code: CreditCode, before: dict[str, str], record: Record
) -> CodeChange | None:
    """Keep on record what differs from `before`, the code's terms as they were.

    Nothing is kept of a form that was saved without a change.
    """
    after = terms_in_text(code)
    details = [
        (name, before[name], text)
        for name, text in after.items()
        if before[name] != text
    ]
    if not details:
        return None
    return keep(code, CodeChange.Kind.EDITED, record, details=details)


def terms_in_text(code: CreditCode) -> dict[str, str]:
    """Return all that staff set on a code, by the name of the field, as stored now."""
    stored = CreditCode.objects.select_related("content").get(pk=code.pk)
    terms = {name: _text_of(getattr(stored, name)) for name in EDITED}
    for name in ("learners", "groups"):
        rows = getattr(stored, name).order_by("pk")
        terms[name] = ", ".join(map(str, rows))
    return terms


EDITED = (
    "label",
    "reference",
    "holder",
    "notes",
    "starts_at",
    "expires_at",
    "content",
    "email_domains",
    "include_subdomains",
    "named_only",
    "credits_per_learner",
    "redemptions_per_learner",
    "one_order_only",
    "ends_access",
)
"""The fields of a code that staff set; learners and groups are rows of their own."""


def _text_of(value: Any) -> str:
    if value is None:
        return ""
    if hasattr(value, "isoformat"):
        return cast("str", value.isoformat())
    return str(value)
