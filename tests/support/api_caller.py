"""A back office that calls the API with a token."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from django.test import Client

from oscar_training_credits.credits import api_tokens
from oscar_training_credits.credits.models import Scope

from .roles import client_in, client_of

RIGHTS = (
    *("view_creditcode", "add_creditcode", "change_creditcode", "rotate_creditcode"),
    *("adjust_creditcode", "cut_creditcode", "add_creditgrant", "view_access"),
    *("add_access", "change_access", "view_creditrequest", "change_creditrequest"),
    *("view_order", "change_order"),
)
"""All that the API asks of a token's user."""
ROOT = "/api/training"


class Caller:
    """Sends JSON with a token, and a new idempotency key for each change."""

    def __init__(self, user: Any, scopes: Iterable[str] = Scope.values) -> None:
        self.issued = api_tokens.issue_token(user, name="CRM", scopes=scopes)
        self.user = user
        self.client = Client(headers={"Authorization": f"Bearer {self.issued.text}"})

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"{ROOT}{path}", query)

    def send(
        self, path: str, *, key: str | None = None, method: str = "post", **body: Any
    ) -> Any:
        headers = {"Idempotency-Key": f'"{key or uuid4()}"'}
        call = getattr(self.client, method)
        return call(
            f"{ROOT}{path}", body, content_type="application/json", headers=headers
        )


def caller_with(*rights: str, scopes: Iterable[str] = Scope.values) -> Caller:
    """Return a back office whose token acts as staff with these rights, or with all."""
    return Caller(client_of(*(rights or RIGHTS)).user, scopes)


def caller_in(role: str, rights: tuple[str, ...] = RIGHTS) -> Caller:
    """Return a back office whose token acts as a user in this role."""
    return Caller(client_in(role, rights).user)
