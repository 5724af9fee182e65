"""New codes, and credits put on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, cast

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.views.decorators.debug import sensitive_variables

from ..conf import settings
from ..exceptions import CodeTaken
from . import codes, domains, ledger
from .models import CreditCode, CreditGrant, LedgerEntry
from .terms import MOST_GRANTED

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, Group
    from typing_extensions import Unpack

CHUNK = 1_000


class Restrictions(TypedDict, total=False):
    """For whom a code is, how much of it each may have, and what ends with it.

    All may be left out.
    """

    learners: Iterable[AbstractBaseUser]
    groups: Iterable[Group]
    email_domains: Iterable[str]
    include_subdomains: bool
    credits_per_learner: int | None
    redemptions_per_learner: int | None
    one_order_only: bool
    ends_access: bool


@dataclass(frozen=True, slots=True, repr=False)
class IssuedCode:
    """A new code together with its text, which is shown now and never again."""

    code: CreditCode
    text: str


@sensitive_variables("text")
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
    by: AbstractBaseUser | None = None,
    **restrictions: Unpack[Restrictions],
) -> IssuedCode:
    """Make a code with a first grant of `credits` whole credits.

    `text` is chosen by the caller, else generated; `content` is an Oscar `Range`.
    `restrictions` are named as the code's fields.

    Raises:
        CodeTaken: there is a code with this text, in any spelling.
        ValueError: `credits` or a cap is not positive, there are more than a thousand
            million credits, it ends before it starts or never although access is to
            end with it, an e-mail domain is none, or `text` has fewer than 8 letters
            or is too long.
    """
    text = text or new_text()
    audience, limits = _Audience.of(restrictions), _columns(restrictions)
    code = _new_code(
        text,
        label=label,
        starts_at=starts_at,
        expires_at=expires_at,
        content=content,
        created_by=by,
        **limits,
    )
    if codes.find(text):
        raise CodeTaken("There is a code with this text already.")
    # No decorator: its frame would show the text in an error report.
    with transaction.atomic():
        try:
            with transaction.atomic():
                code.save(force_insert=True)
        except IntegrityError as error:
            raise CodeTaken("There is a code with this text already.") from error
        audience.put_on([code])
        add_grant(
            code, credits, origin=origin, note=note, expires_at=grant_expires_at, by=by
        )
    return IssuedCode(code, text)


def add_grant(
    code: CreditCode,
    credits: int,
    *,
    origin: str = CreditGrant.Origin.SALE,
    note: str = "",
    expires_at: datetime | None = None,
    by: AbstractBaseUser | None = None,
) -> CreditGrant:
    """Put `credits` whole credits on `code`, with an expiry of their own.

    Raises:
        ValueError: `credits` is not positive, or more than a thousand million.
    """
    return ledger.put(
        _new_grant(
            code,
            credits,
            origin=origin,
            note=note,
            expires_at=expires_at,
            created_by=by,
        )
    )


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
    by: AbstractBaseUser | None = None,
    **restrictions: Unpack[Restrictions],
) -> Iterator[list[IssuedCode]]:
    """Make `count` alike codes with generated texts, a thousand at a time.

    Each list is one transaction, yielded after its commit: a run that is broken
    off leaves whole codes only, and each of them has been handed out.

    Raises:
        ValueError: `credits` or a cap is not positive, there are more than a thousand
            million credits, it ends before it starts or never although access is to
            end with it, or an e-mail domain is none.
    """
    audience, limits = _Audience.of(restrictions), _columns(restrictions)
    terms = {
        "label": label,
        "starts_at": starts_at,
        "expires_at": expires_at,
        "content": content,
        "created_by": by,
        **limits,
    }
    grant_terms = {
        "credits": credits,
        "origin": origin,
        "note": note,
        "expires_at": grant_expires_at,
        "created_by": by,
    }
    for size in _chunk_sizes(count):
        yield _issue_chunk(size, terms, grant_terms, audience)


@sensitive_variables("text", "texts", "pair")
@transaction.atomic
def _issue_chunk(
    size: int,
    terms: dict[str, Any],
    grant_terms: dict[str, Any],
    audience: _Audience,
) -> list[IssuedCode]:
    texts = [new_text() for _ in range(size)]
    made = CreditCode.objects.bulk_create([_new_code(text, **terms) for text in texts])
    audience.put_on(made)
    grants = CreditGrant.objects.bulk_create(
        [_new_grant(code, **grant_terms) for code in made]
    )
    LedgerEntry.objects.bulk_create(map(ledger.opening_entry, grants))
    return [IssuedCode(*pair) for pair in zip(made, texts, strict=True)]


def set_state(code: CreditCode, state: str) -> None:
    """Disable a code or make it active again; nothing else of it is written.

    It waits for a purchase under way, which has locked the code.
    """
    code.state = state
    code.save(update_fields=["state"])


def new_text() -> str:
    return cast("str", settings.load("CODE_GENERATOR")())


@sensitive_variables("text")
def _new_code(text: str, **terms: Any) -> CreditCode:
    is_short = len(codes.canonical(text)) < codes.SHORTEST_TEXT
    if is_short or len(text) > codes.LONGEST_TEXT:
        raise ValueError(
            f"The text of a code needs {codes.SHORTEST_TEXT} letters or digits at"
            f" least, and {codes.LONGEST_TEXT} at most."
        )
    starts_at, expires_at = terms.get("starts_at"), terms.get("expires_at")
    if starts_at and expires_at and starts_at >= expires_at:
        raise ValueError("A code must end after it starts.")
    if terms.get("ends_access") and not expires_at:
        raise ValueError("Access can't end with a code that has no end.")
    digest = codes.digest(text, key=settings.CODE_KEYS[0])
    return CreditCode(digest=digest, ending=codes.ending(text), **terms)


def _columns(restrictions: Restrictions) -> dict[str, Any]:
    """Return the restrictions that are columns of the code itself."""
    columns: dict[str, Any] = {**restrictions}
    for rows in ("learners", "groups"):
        columns.pop(rows, None)
    for cap in ("credits_per_learner", "redemptions_per_learner"):
        if columns.get(cap) is not None and columns[cap] < 1:
            raise ValueError("A cap is 1 at least; leave it out for none.")
    try:
        tidy = domains.tidied(columns.get("email_domains", ()))
    except ValidationError as error:
        raise ValueError(" ".join(error.messages)) from error
    return {**columns, "email_domains": "\n".join(tidy)}


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


def _new_grant(code: CreditCode, credits: int, **terms: Any) -> CreditGrant:
    if not 1 <= credits <= MOST_GRANTED:
        raise ValueError(f"A grant has 1 to {MOST_GRANTED} credits.")
    return CreditGrant(
        code=code,
        credits=credits,
        remaining=credits,
        **terms,
    )


def _chunk_sizes(count: int) -> Iterator[int]:
    while count > 0:
        yield min(count, CHUNK)
        count -= CHUNK
