"""Tokens by which programs call the API: made, found by their text, and revoked."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from .models import ApiToken, Scope

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

PREFIX = "tct_"
"""What a token begins with, so that scanners for leaked secrets know it."""
RANDOM_BYTES = 32
GROUP = 4
NOTED_AFTER = timedelta(hours=1)
"""How often it is written down that a token is in use."""


@dataclass(frozen=True, slots=True, repr=False)
class IssuedToken:
    """A new token together with its text, which is shown now and never again."""

    token: ApiToken
    text: str


@sensitive_variables("text")
def issue_token(
    user: AbstractBaseUser,
    *,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    text: str | None = None,
) -> IssuedToken:
    """Make a token that acts as `user`, within these scopes.

    `text` is what `new_text` returned before, by which a second click is known: it is
    made once, and returned again.

    Raises:
        ValueError: there is no scope, or one that is unknown, or `text` is none that
            `new_text` returns, or somebody else's.
    """
    wanted = list(dict.fromkeys(scopes))
    if not wanted or not set(wanted) <= set(Scope.values):
        raise ValueError("A token has one of the known scopes at least.")
    text = text or new_text()
    if not re.fullmatch(rf"{PREFIX}[\w-]{{43}}", text, re.ASCII):
        raise ValueError("The text of a token is made by `new_text`.")
    try:
        with transaction.atomic():
            token = ApiToken.objects.create(
                user_id=user.pk,
                name=name,
                scopes=wanted,
                expires_at=expires_at,
                digest=_digest(text),
                last_four=text[-GROUP:],
            )
    except IntegrityError:
        token = ApiToken.objects.get(digest=_digest(text))
        if token.user_id != user.pk:
            raise ValueError("There is a token with this text.") from None
    return IssuedToken(token, text)


def new_text() -> str:
    """Return the text of a token that is to be made: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


@sensitive_variables("text")
def find_token(text: str) -> ApiToken | None:
    """Return the token with this text, if it can be used now: one query."""
    tokens = ApiToken.objects.select_related("user")
    found = tokens.filter(digest=_digest(text)).first()
    return found if found and found.is_valid(timezone.now()) else None


def note_use(token: ApiToken) -> None:
    """Write down that a token is in use, once in an hour."""
    now = timezone.now()
    if not token.used_at or token.used_at < now - NOTED_AFTER:
        ApiToken.objects.filter(pk=token.pk).update(used_at=now)


def revoke_token(token: ApiToken) -> None:
    """Let a token be used no more, for good. Safe to repeat."""
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(
        revoked_at=timezone.now()
    )


@sensitive_variables()
def _digest(text: str) -> str:
    # With 256 random bits nobody can guess it: no key is needed, nor a slow digest.
    return hashlib.sha256(text.encode()).hexdigest()
