"""The answer that is shown beside a code box after a redirect, once.

Django's messages are shown at the top of a site's pages; these belong to the box.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.messages.storage.base import BaseStorage

from ...aliases import Request

KEY = "training_credits_answer"


def put(request: Request, text: str, *, accepted: bool) -> None:
    request.session[KEY] = {"text": str(text), "accepted": accepted}


def pop(request: Request) -> dict[str, Any] | None:
    """Return `text` and `accepted` of the last answer, or None."""
    session = getattr(request, "session", None)
    answer: dict[str, Any] | None = session.pop(KEY, None) if session else None
    return answer


class Overheard(BaseStorage):
    """What a request is told meanwhile in Django's messages; kept nowhere."""

    def _get(self, *args: Any, **kwargs: Any) -> tuple[list[Any], bool]:
        return [], True

    def _store(self, *args: Any, **kwargs: Any) -> list[Any]:
        return []


@contextmanager
def overhearing(request: Request) -> Iterator[Overheard]:
    """Collect the messages of Oscar's own code, which would stand out of sight."""
    usual, request._messages = request._messages, Overheard(request)
    try:
        yield request._messages
    finally:
        request._messages = usual
