"""New codes, and credits put on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, cast

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.views.decorators.debug import sensitive_variables

from ...conf import settings
from ...exceptions import CodeTaken, IdempotencyKeyReused
from .. import email_domain
from ..isolation import own_transaction
from ..ledger import entries
from ..models import AppliedCode, CodeChange, CreditCode, CreditGrant
from ..terms import MOST_GRANTED, Paid, paid_columns, refuse_far_away
from ..webhooks import events
from . import bulk, code_text, history, narrowing
from .ends import reinstating
from .history import Record

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, Group
    from typing_extensions import Unpack

CHUNK = 1_000
KINDS: dict[str, str] = {
    CreditCode.State.ACTIVE: CodeChange.Kind.ENABLED,
    CreditCode.State.DISABLED: CodeChange.Kind.DISABLED,
}


class Restrictions(TypedDict, total=False):
    """For whom a code is, how much of it each may have, and what ends with it.

    All may be left out. A test code, `is_test`, is for staff, and in no report. With
    `named_only` a code that names nobody is for nobody, where it would be for
    everybody else.
    """

    learners: Iterable[AbstractBaseUser]
    groups: Iterable[Group]
    email_domains: Iterable[str]
    include_subdomains: bool
    named_only: bool
    credits_per_learner: int | None
    redemptions_per_learner: int | None
    one_order_only: bool
    ends_access: bool
    is_test: bool


@dataclass(frozen=True, slots=True, repr=False)
class IssuedCode:
    """A new code together with its text, which is shown now and never again."""

    code: CreditCode
    text: str
    """Empty where it was made before, for the same key, and is not known any more."""


@sensitive_variables("text", "chosen")
def issue_code(
    *,
    label: str,
    credits: int,
    text: str | None = None,
    starts_at: datetime | None = None,
    expires_at: datetime | None = None,
    content: Any = None,
    origin: str = CreditGrant.Origin.SALE,
    note: str = "",
    grant_expires_at: datetime | None = None,
    paid: Paid | None = None,
    reference: str = "",
    holder: str = "",
    notes: str = "",
    by: AbstractBaseUser | None = None,
    idempotency_key: str | None = None,
    **restrictions: Unpack[Restrictions],
) -> IssuedCode:
    """Make a code with a first grant of `credits` whole credits.

    `text` is chosen by the caller, else generated; `content` is an Oscar `Range`;
    `paid` is what the customer pays for the credits, if it is known.
    `restrictions` are named as the code's fields. Made once per `idempotency_key`, of
    64 characters at most: again, it returns the first code.

    Raises:
        CodeTaken: there is a code with this text, in any spelling.
        IdempotencyKeyReused: the key stands for another text, or other credits.
        ValueError: `credits` or a cap is not positive, there are more than a thousand
            million credits, it ends before it starts or never although access is to
            end with it, a moment is more than a hundred years away, an e-mail domain
            is none, or `text` has fewer than 8 letters or is too long.
    """
    record: Record = {"by": by, "idempotency_key": idempotency_key}
    if earlier := issued_before(idempotency_key, text=text, credits=credits):
        return earlier
    chosen, text = text, text or new_text()
    draft = Draft.of(
        text,
        label=label,
        reference=reference,
        holder=holder,
        notes=notes,
        starts_at=starts_at,
        expires_at=expires_at,
        content=content,
        created_by=by,
        **restrictions,
    )
    grant = _new_grant(
        draft.code,
        credits,
        origin=origin,
        note=note,
        expires_at=grant_expires_at,
        paid=paid,
        created_by=by,
    )
    # No decorator: its frame would show the text in an error report.
    with transaction.atomic():
        try:
            change = draft.save(record, credits=credits)
        except CodeTaken:
            # Somebody has issued it at the same moment: perhaps the same click.
            if earlier := issued_before(idempotency_key, text=chosen, credits=credits):
                return earlier
            raise
        entries.grant_credits(grant, change)
    return IssuedCode(draft.code, text)


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """A new code that is not saved yet, and whom it is for."""

    code: CreditCode
    audience: _Audience

    @classmethod
    @sensitive_variables("text")
    def of(cls, text: str, **terms: Any) -> Draft:
        """Read terms as `issue_code` takes them.

        Raises:
            CodeTaken: there is a code with this text, in any spelling.
            ValueError: as `issue_code`.
        """
        restrictions = cast("Restrictions", terms)
        audience = _Audience.of(restrictions)
        code = _new_code(text, **_columns(restrictions, audience))
        if code_text.find(text):
            raise CodeTaken("There is a code with this text already.")
        return cls(code, audience)

    def save(
        self,
        record: Record,
        *,
        credits: int,
        details: Iterable[history.Difference] = (),
    ) -> CodeChange:
        """Save it, and keep on record that it was issued, in a transaction.

        Raises:
            CodeTaken: there is one with its text by now, or for this key.
        """
        issued = CodeChange.Kind.ISSUED
        try:
            with transaction.atomic():
                self.code.save(force_insert=True)
                change = history.keep(
                    self.code, issued, record, credits=credits, details=details
                )
        except IntegrityError as error:
            raise CodeTaken("There is a code with this text already.") from error
        self.audience.put_on([self.code])
        return change


@sensitive_variables("text")
def issued_before(
    idempotency_key: str | None, *, text: str | None, credits: int
) -> IssuedCode | None:
    """Return what was issued for this key, or None if nothing was.

    Raises:
        IdempotencyKeyReused: the key stands for another text, or other credits.
    """
    record: Record = {"idempotency_key": idempotency_key}
    change = history.done_before(CodeChange.Kind.ISSUED, record, credits=credits)
    if change is None:
        return None
    if text and change.code.digest not in code_text.digests(text):
        raise IdempotencyKeyReused(change.idempotency_key)
    return IssuedCode(change.code, text or "")


def add_grant(
    code: CreditCode,
    credits: int,
    *,
    origin: str = CreditGrant.Origin.SALE,
    note: str = "",
    expires_at: datetime | None = None,
    paid: Paid | None = None,
    by: AbstractBaseUser | None = None,
    reason: str = "",
    idempotency_key: str | None = None,
) -> CreditGrant:
    """Put `credits` whole credits on `code`, with an expiry of their own.

    `paid` is what the customer pays for them, if it is known.
    Put there once per `idempotency_key`, of 64 characters at most: again, it returns
    the first grant. `reason` is a `CodeChange.Reason`.

    Raises:
        CodeClosed: the code is closed.
        IdempotencyKeyReused: the key stands for another code, or other credits.
        ValueError: `credits` is not positive, or more than a thousand million, or it
            expires more than a hundred years from now, or the note is too long.
    """
    record: Record = {
        "by": by,
        "reason": reason,
        "note": note,
        "idempotency_key": idempotency_key,
    }
    return put_credits(
        code,
        credits,
        kind=CodeChange.Kind.TOPPED_UP,
        origin=origin,
        expires_at=expires_at,
        paid=paid,
        record=record,
    )


def put_credits(
    code: CreditCode,
    credits: int,
    *,
    kind: str,
    origin: str,
    expires_at: datetime | None,
    record: Record,
    paid: Paid | None = None,
) -> CreditGrant:
    """Put credits on a code by a change of this kind: see `add_grant`."""
    grant = _new_grant(
        code,
        credits,
        origin=origin,
        note=record.get("note", ""),
        expires_at=expires_at,
        paid=paid,
        created_by=record.get("by"),
    )
    with own_transaction():
        # A second click comes after the first, and before the code was closed or not.
        history.lock(code)
        if earlier := history.done_before(kind, record, code=code, credits=credits):
            return code.grants.get(entries__change=earlier)
        history.refuse_closed(code)
        change = history.keep(code, kind, record, credits=credits)
        return entries.grant_credits(grant, change)


@sensitive_variables("text", "chosen")
def rotate_code(
    code: CreditCode, *, text: str | None = None, **record: Unpack[Record]
) -> IssuedCode:
    """Give `code` a new text, generated unless the caller chooses it.

    The old text is no code any more. Balance, history, holds and access stay. Baskets
    that the code is applied to lose it, as nobody knows who had the old text. Done
    once per `idempotency_key`: again, it returns what was done.

    Raises:
        CodeTaken: there is a code with this text, in any spelling.
        CodeClosed: the code is closed.
        IdempotencyKeyReused: the key stands for another code or text.
        ValueError: `text` has fewer than 8 letters or digits, or is too long.
    """
    chosen, text = text, text or new_text()
    code_text.refuse_unfit(text)
    kind = CodeChange.Kind.ROTATED
    # No decorator: its frame would show the text in an error report.
    with own_transaction():
        locked = history.lock(code)
        if history.done_before(kind, record, code=code):
            if chosen and locked.digest not in code_text.digests(chosen):
                raise IdempotencyKeyReused(record["idempotency_key"])
            return IssuedCode(locked, chosen or "")
        history.refuse_closed(locked)
        if code_text.find(text):
            raise CodeTaken("There is a code with this text already.")
        former = locked.last_four
        locked.digest = code_text.digest(text, key=settings.CODE_KEYS[0])
        locked.last_four = code_text.last_four(text)
        try:
            with transaction.atomic():
                locked.save(update_fields=["digest", "last_four"])
        except IntegrityError as error:
            raise CodeTaken("There is a code with this text already.") from error
        AppliedCode.objects.filter(code=locked).delete()
        details = [("last_four", former, locked.last_four)]
        history.keep(locked, kind, record, details=details)
    return IssuedCode(locked, text)


def issue_codes(
    count: int,
    *,
    label: str,
    credits: int,
    starts_at: datetime | None = None,
    expires_at: datetime | None = None,
    content: Any = None,
    origin: str = CreditGrant.Origin.SALE,
    note: str = "",
    grant_expires_at: datetime | None = None,
    paid: Paid | None = None,
    reference: str = "",
    holder: str = "",
    notes: str = "",
    by: AbstractBaseUser | None = None,
    **restrictions: Unpack[Restrictions],
) -> Iterator[list[IssuedCode]]:
    """Make `count` alike codes with generated texts, a thousand at a time.

    `paid` is what the customer pays for the credits on each, if it is known.
    Each list is one transaction, yielded after its commit: a run that is broken
    off leaves whole codes only, and each of them has been handed out.

    Raises:
        ValueError: `credits` or a cap is not positive, there are more than a thousand
            million credits, it ends before it starts or never although access is to
            end with it, a moment is more than a hundred years away, or an e-mail
            domain is none.
    """
    batch = Batch.of(
        label=label,
        credits=credits,
        starts_at=starts_at,
        expires_at=expires_at,
        content=content,
        origin=origin,
        note=note,
        grant_expires_at=grant_expires_at,
        paid=paid,
        reference=reference,
        holder=holder,
        notes=notes,
        by=by,
        **restrictions,
    )
    generate = settings.load("CODE_GENERATOR")
    for size in _chunk_sizes(count):
        yield batch.issue([generate() for _ in range(size)])


@dataclass(frozen=True, slots=True)
class Batch:
    """What codes that are issued together have in common."""

    terms: dict[str, Any]
    grant_terms: dict[str, Any]
    audience: _Audience

    @classmethod
    def of(
        cls,
        *,
        credits: int,
        by: AbstractBaseUser | None,
        origin: str = CreditGrant.Origin.SALE,
        note: str = "",
        grant_expires_at: datetime | None = None,
        paid: Paid | None = None,
        **terms: Any,
    ) -> Batch:
        """Read terms as `issue_codes` takes them, and refuses them."""
        restrictions = cast("Restrictions", terms)
        audience = _Audience.of(restrictions)
        grant_terms = {
            "credits": credits,
            "origin": origin,
            "note": note,
            "expires_at": grant_expires_at,
            "paid": paid,
            "created_by": by,
        }
        columns = {**_columns(restrictions, audience), "created_by": by}
        return cls(columns, grant_terms, audience)

    @sensitive_variables("text", "texts", "pair")
    @transaction.atomic
    def issue(self, texts: list[str]) -> list[IssuedCode]:
        """Make a code of each text: all of them or none."""
        first = _new_code(texts[0], **self.terms)
        made = [first, *(_copy_for(text, first) for text in texts[1:])]
        grant = _new_grant(first, **self.grant_terms)
        bulk.insert(made, grant, entries.opening_entry(grant))
        self.audience.put_on(made)
        events.codes_issued((code, grant.credits) for code in made)
        return [IssuedCode(*pair) for pair in zip(made, texts, strict=True)]


def save_codes(grants: list[CreditGrant]) -> None:
    """Save new codes, all different, each with its grant; inside a transaction."""
    bulk.insert_each(grants, [entries.opening_entry(grant) for grant in grants])
    events.codes_issued((grant.code, grant.credits) for grant in grants)


def set_state(code: CreditCode, state: str, **record: Unpack[Record]) -> None:
    """Disable a code or make it active again; nothing else of it is written.

    It waits for a purchase under way, which has locked the code. Safe to repeat; with
    an `idempotency_key` done once, whatever came after it.

    Raises:
        CodeClosed: the code is closed.
        IdempotencyKeyReused: the key stands for another code or state.
        ValueError: `state` is neither.
    """
    if state not in KINDS:
        raise ValueError(f"A code can't be set to {state!r}.")
    with own_transaction():
        locked = history.lock(code)
        if history.done_before(KINDS[state], record, code=code):
            code.state = locked.state
            return
        history.refuse_closed(locked)
        code.state = state
        if locked.state != state:
            code.save(update_fields=["state"])
            history.keep(code, KINDS[state], record)


def edit_code(
    code: CreditCode, values: Mapping[str, Any], *, by: AbstractBaseUser | None = None
) -> None:
    """Set what staff set on a code, by the name of its field; nothing else is written.

    `learners` and `groups` are lists. Whom a code is for can be named only: once it
    names somebody, and until `named_only` is set to False with nobody named.

    Raises:
        CodeClosed: the code is closed.
        WiderThanParent: a child code would allow what its parent does not.
    """
    rows = {name: values[name] for name in ("learners", "groups") if name in values}
    columns = {name: value for name, value in values.items() if name not in rows}
    with own_transaction():
        locked = history.lock(code)
        history.refuse_closed(locked)
        before = history.terms_in_text(locked)
        for name, value in columns.items():
            setattr(locked, name, value)
        for name, named in rows.items():
            getattr(locked, name).set(named)
            locked.named_only = locked.named_only or bool(named)
            columns["named_only"] = locked.named_only
        if columns:
            with reinstating(locked):
                locked.save(update_fields=list(columns))
        if columns.get("named_only") is False:
            open_to_everybody(locked)
        narrowing.refuse_wider(locked, values)
        history.keep_edit(locked, before, {"by": by})


def open_to_everybody(code: CreditCode) -> None:
    """Let everybody use a code that names nobody, whomever it was for before.

    Whoever it names still, it stays for them alone.
    """
    code.named_only = False
    code.save(update_fields=["named_only"])


def new_text() -> str:
    return cast("str", settings.load("CODE_GENERATOR")())


@sensitive_variables("text")
def _new_code(text: str, **terms: Any) -> CreditCode:
    starts_at, expires_at = terms.get("starts_at"), terms.get("expires_at")
    refuse_far_away(starts_at, expires_at)
    if starts_at and expires_at and starts_at >= expires_at:
        raise ValueError("A code must end after it starts.")
    if terms.get("ends_access") and not expires_at:
        raise ValueError("Access can't end with a code that has no end.")
    return _copy_for(text, CreditCode(**terms))


@sensitive_variables("text")
def _copy_for(text: str, alike: CreditCode) -> CreditCode:
    code_text.refuse_unfit(text)
    code = copy(alike)
    code.digest = code_text.digest(text, key=settings.CODE_KEYS[0])
    code.last_four = code_text.last_four(text)
    return code


def _columns(restrictions: Restrictions, audience: _Audience) -> dict[str, Any]:
    """Return the restrictions that are columns of the code itself."""
    columns: dict[str, Any] = {**restrictions}
    for rows in ("learners", "groups"):
        columns.pop(rows, None)
    for cap in ("credits_per_learner", "redemptions_per_learner"):
        if columns.get(cap) is not None and columns[cap] < 1:
            raise ValueError("A cap is 1 at least; leave it out for none.")
    try:
        tidy = email_domain.tidied(columns.get("email_domains", ()))
    except ValidationError as error:
        raise ValueError(" ".join(error.messages)) from error
    named_only = bool(columns.get("named_only") or tidy or audience.names_some)
    return {
        **columns,
        "email_domains": "\n".join(tidy),
        "named_only": named_only,
    }


@dataclass(frozen=True, slots=True)
class _Audience:
    """The learners and groups of new codes, which are rows of their own."""

    learners: list[AbstractBaseUser]
    groups: list[Group]

    @classmethod
    def of(cls, restrictions: Restrictions) -> _Audience:
        return cls(
            list(dict.fromkeys(restrictions.get("learners", ()))),
            list(dict.fromkeys(restrictions.get("groups", ()))),
        )

    @property
    def names_some(self) -> bool:
        return bool(self.learners or self.groups)

    def put_on(self, made: list[CreditCode]) -> None:
        self._link(CreditCode.learners, made, self.learners)
        self._link(CreditCode.groups, made, self.groups)

    def _link(self, relation: Any, made: list[CreditCode], others: list[Any]) -> None:
        # Named after the site's own user model.
        other = relation.field.m2m_reverse_field_name()
        relation.through._default_manager.bulk_create(
            relation.through(**{"creditcode": code, other: each})
            for code in made
            for each in others
        )


def _new_grant(
    code: CreditCode, credits: int, *, paid: Paid | None = None, **terms: Any
) -> CreditGrant:
    if not 1 <= credits <= MOST_GRANTED:
        raise ValueError(f"A grant has 1 to {MOST_GRANTED} credits.")
    refuse_far_away(terms.get("expires_at"))
    return CreditGrant(
        code=code,
        credits=credits,
        remaining=credits,
        **paid_columns(paid),
        **terms,
    )


def _chunk_sizes(count: int) -> Iterator[int]:
    while count > 0:
        yield min(count, CHUNK)
        count -= CHUNK
