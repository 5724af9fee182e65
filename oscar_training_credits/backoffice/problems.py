"""What a caller is told that did not work: problem details, as in RFC 9457."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from django.core.exceptions import (
    NON_FIELD_ERRORS,
    PermissionDenied,
    ValidationError,
)
from django.db import OperationalError
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions as drf
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from .. import exceptions as ours
from ..credits.ledger.refunding import RefundRefusal
from ..credits.patience import nothing_taken, undo_request

logger = logging.getLogger("training_credits")

WHOLE = (NON_FIELD_ERRORS, "non_field_errors")
"""What Django and its REST framework call errors about several fields."""
CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its name in the address of its type, status and title."""

    name: str
    status: int
    title: Any


KINDS = {
    kind.name: kind
    for kind in [
        Kind("invalid", 400, gettext_lazy("The request is not valid.")),
        Kind("key-missing", 400, gettext_lazy("An Idempotency-Key is needed.")),
        Kind("unauthorized", 401, gettext_lazy("A valid token is needed.")),
        Kind("scope", 403, gettext_lazy("The token does not have the scope.")),
        Kind("forbidden", 403, gettext_lazy("The token's user may not do that.")),
        Kind("not-found", 404, gettext_lazy("There is nothing here.")),
        Kind("method", 405, gettext_lazy("This can't be done here.")),
        Kind("not-acceptable", 406, gettext_lazy("The answer is JSON only.")),
        Kind("code-taken", 409, gettext_lazy("There is a code with this text.")),
        Kind("code-closed", 409, gettext_lazy("The code is closed.")),
        Kind("credits", 409, gettext_lazy("There are not enough credits.")),
        Kind("parent", 409, gettext_lazy("The parent code does not allow that.")),
        Kind("nothing-gained", 409, gettext_lazy("The access would add nothing.")),
        Kind("decided", 409, gettext_lazy("The request has been answered.")),
        Kind("not-approved", 409, gettext_lazy("The code can't pay for that.")),
        Kind("not-asked", 409, gettext_lazy("The request is not taken.")),
        Kind("refund", 409, gettext_lazy("The credits can't be given back.")),
        Kind("media-type", 415, gettext_lazy("The body has to be JSON.")),
        Kind("key-reused", 422, gettext_lazy("The key stands for something else.")),
        Kind("throttled", 429, gettext_lazy("There were too many wrong codes.")),
        Kind("try-again", 503, gettext_lazy("Nothing was done. Try again.")),
    ]
}
"""All problems of the API, by their names. Their order is that of the manual."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for one caller."""

    kind: str
    detail: str = ""
    errors: list[dict[str, str]] = field(default_factory=list)
    """Where in the body or the query it is, and what."""
    headers: dict[str, str] = field(default_factory=dict)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    """Why credits of lines of an order are not given back."""

    def response(self, request: Any) -> Response:
        kind = KINDS[self.kind]
        page = reverse("training_credits_backoffice:problem", args=[kind.name])
        body: dict[str, Any] = {
            "type": request.build_absolute_uri(page),
            "title": str(kind.title),
            "status": kind.status,
        }
        if self.detail:
            body["detail"] = self.detail
        if self.errors:
            body["errors"] = self.errors
        if self.refusals:
            body["refusals"] = self.refusals
        return Response(
            body, kind.status, headers=self.headers, content_type=CONTENT_TYPE
        )


class InsufficientScope(drf.APIException):
    """The token is not for that; the message names the scope that is."""

    status_code = status.HTTP_403_FORBIDDEN


class NotPermitted(drf.APIException):
    """The token's user may not do that in the dashboard either."""

    status_code = status.HTTP_403_FORBIDDEN


class KeyMissing(drf.APIException):
    """What changes something needs an idempotency key."""

    status_code = status.HTTP_400_BAD_REQUEST


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an error that was raised on purpose; None for any other.

    What was done for the request is undone.
    """
    problem = _problem_of(error)
    if isinstance(error, OperationalError):
        logger.error("The API: the database gave up", exc_info=error)
        undo_request()
    elif problem:
        set_rollback()
    return problem.response(context["request"]) if problem else None


def _problem_of(error: Exception) -> Problem | None:
    if isinstance(error, OperationalError):
        return Problem("try-again", nothing_taken())
    if isinstance(error, (drf.APIException, Http404, PermissionDenied)):
        return _of_framework(error)
    if isinstance(error, ValidationError):
        return Problem("invalid", errors=list(_errors_in(error.messages)))
    return _of_service(error)


def _of_framework(error: Exception) -> Problem:
    match error:
        case drf.ValidationError():
            return Problem("invalid", errors=list(_errors_in(error.detail)))
        case KeyMissing():
            return Problem("key-missing")
        case InsufficientScope():
            text = _("It needs the scope %(scope)s.")
            return Problem("scope", text % {"scope": error.detail})
        case NotPermitted():
            return Problem("forbidden", str(error.detail))
        case drf.NotAuthenticated() | drf.AuthenticationFailed():
            challenge = 'Bearer realm="training credits"'
            return Problem("unauthorized", headers={"WWW-Authenticate": challenge})
        case drf.ParseError():
            return Problem("invalid", str(error.detail))
        case drf.NotFound() | Http404():
            return Problem("not-found")
        case drf.MethodNotAllowed():
            return Problem("method")
        case drf.NotAcceptable():
            return Problem("not-acceptable")
        case drf.UnsupportedMediaType():
            return Problem("media-type")
        case drf.Throttled(wait=wait):
            return Problem("throttled", headers={"Retry-After": str(int(wait or 0))})
    return Problem("forbidden")


def _of_service(error: Exception) -> Problem | None:
    match error:
        case ours.CodeTaken():
            return Problem("code-taken")
        case ours.CodeClosed():
            return Problem("code-closed")
        case ours.NotEnoughCredits():
            return Problem("credits", str(error))
        case ours.WiderThanParent():
            return Problem("parent", str(error))
        case ours.IdempotencyKeyReused():
            return Problem("key-reused")
        case ours.NothingGained():
            return Problem("nothing-gained", str(error))
        case ours.RequestDecided():
            return Problem("decided")
        case ours.NotApproved():
            return Problem("not-approved", str(error))
        case ours.NotAsked():
            return Problem("not-asked", str(error))
        case ours.RefundRefused(refusals=refusals):
            return Problem("refund", refusals=[_kept(each) for each in refusals])
    return None


def _kept(refusal: RefundRefusal) -> dict[str, Any]:
    return {
        "line": refusal.order_line_id,
        "reason": refusal.obstacle.value,
        "left": refusal.left,
    }


def _errors_in(detail: Any, pointer: str = "#") -> Iterator[dict[str, str]]:
    """Return all texts in nested errors, each with a JSON pointer to its place."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = pointer if name in WHOLE else f"{pointer}/{_escaped(name)}"
            yield from _errors_in(inner, own)
    elif isinstance(detail, Iterable) and not isinstance(detail, str):
        for number, inner in enumerate(detail):
            # Texts in a list are all about the list; others about one member each.
            own = pointer if isinstance(inner, str) else f"{pointer}/{number}"
            yield from _errors_in(inner, own)
    else:
        yield {"pointer": pointer, "detail": str(detail)}


def _escaped(name: Any) -> str:
    """Return a name as a JSON pointer has it that stands in an address (RFC 6901)."""
    text = str(name).replace("~", "~0").replace("/", "~1")
    return quote(text, safe="~", errors="replace")
