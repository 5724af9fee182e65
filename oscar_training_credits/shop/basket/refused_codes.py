"""The code of a learner that was refused last, by its number: for a request of more.

Only a code of which the learner may know. Its text is kept nowhere.
"""

from __future__ import annotations

from ...aliases import Request
from ...credits.codes.rules import Purchase, for_learner
from ...credits.models import CreditCode
from ...exceptions import CreditCodeRefused

KEY = "training_credits_refused"


def remember(request: Request, refused: BaseException | None) -> None:
    """Remember which code was refused, if it was one that the learner may know."""
    if isinstance(refused, CreditCodeRefused) and refused.code:
        request.session[KEY] = refused.code.pk


def last_refused(request: Request) -> CreditCode | None:
    """Return the code that was refused last in this session, or None."""
    session = getattr(request, "session", None)
    key = session.get(KEY) if session else None
    if not key:
        return None
    code = CreditCode.objects.filter(pk=key).first()
    is_theirs = code and for_learner(code, Purchase(request.user)) is None
    return code if is_theirs else None
