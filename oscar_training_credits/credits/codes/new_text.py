"""The text of a new code, carried past the redirect to the one page that shows it.

It must not be in an address, a log or a session, and nobody may see it twice. So half
of it goes with the browser and half stays in the session: random bytes, and the text
combined with them. Either alone says nothing, and the page that shows it takes both
away.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.views.decorators.debug import sensitive_variables

from ...aliases import Request

NAME = "training_credits_new_code"
SECONDS = 300
"""How long the browser keeps its half."""


@sensitive_variables()
def carry(request: Request, response: Any, owner: int | str, text: str) -> None:
    """Let the page that `response` leads to, in this session, show `text` once.

    `owner` is the key of the code, or says what else it is the text of.
    """
    half = secrets.token_bytes(len(text.encode()))
    request.session[NAME] = [owner, half.hex()]
    response.set_cookie(
        NAME,
        _combined(text.encode(), half).hex(),
        max_age=SECONDS,
        path=response.url,
        secure=request.is_secure(),
        httponly=True,
        samesite="Strict",
    )


@sensitive_variables()
def take(request: Request, owner: int | str) -> str:
    """Return the text that is to be shown for its owner, once; empty for none."""
    whose, half = request.session.get(NAME, (None, ""))
    if whose != owner:
        return ""
    del request.session[NAME]
    try:
        other = bytes.fromhex(request.COOKIES.get(NAME, ""))
        return _combined(other, bytes.fromhex(half)).decode()
    except ValueError:
        return ""


def forget(request: Request, response: Any) -> None:
    """Take the browser's half away from the page that has shown the text."""
    response.delete_cookie(NAME, path=request.path)


@sensitive_variables()
def _combined(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
