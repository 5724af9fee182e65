"""The answer that is shown beside a code box after a redirect, once.

Django's messages are shown at the top of a site's pages; these belong to the box.
"""

from __future__ import annotations

from typing import Any

KEY = "training_credits_answer"


def put(request: Any, text: str, *, accepted: bool) -> None:
    request.session[KEY] = {"text": str(text), "accepted": accepted}


def pop(request: Any) -> dict[str, Any] | None:
    """Return `text` and `accepted` of the last answer, or None."""
    session = getattr(request, "session", None)
    answer: dict[str, Any] | None = session.pop(KEY, None) if session else None
    return answer
