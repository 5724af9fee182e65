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

NAME = "training_credits_new_code"
SECONDS = 300
"""How long the browser keeps its half."""


@sensitive_variables()
def carry(request: Any, response: Any, code_id: int, text: str) -> None:
    """Let the page that `response` leads to, in this session, show `text` once."""
    half = secrets.token_bytes(len(text.encode()))
    request.session[NAME] = [code_id, half.hex()]
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
def take(request: Any, code_id: int) -> str:
    """Return the text that is to be shown for this code, once; empty for none."""
    owner, half = request.session.get(NAME, (None, ""))
    if owner != code_id:
        return ""
    del request.session[NAME]
    try:
        other = bytes.fromhex(request.COOKIES.get(NAME, ""))
        return _combined(other, bytes.fromhex(half)).decode()
    except ValueError:
        return ""


def forget(request: Any, response: Any) -> None:
    """Take the browser's half away from the page that has shown the text."""
    response.delete_cookie(NAME, path=request.path)


@sensitive_variables()
def _combined(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
