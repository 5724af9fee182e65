"""What people are told where the database gives up: it waited too long for others.

A site sets how long, by `lock_timeout`, `statement_timeout` or MariaDB's
`innodb_lock_wait_timeout`; a deadlock ends a wait at once.
"""

from __future__ import annotations

import logging
from typing import Any

from django.contrib import messages
from django.db import OperationalError, transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from ..aliases import Request

logger = logging.getLogger("training_credits")


def nothing_taken() -> str:
    """Return what is said where nothing was done, and it can be tried again."""
    return _("A problem occurred, and nothing was taken. Please try again.")


def is_tried_again(request: Request) -> bool:
    """Tell whether somebody is told to try again: not who merely looks at something."""
    return request.method not in ("GET", "HEAD")


def undo_request() -> None:
    """Undo what was done in the transaction of the request, if it has one."""
    if transaction.get_connection().in_atomic_block:
        transaction.set_rollback(True)


class PatientAdminMixin:
    """For admins: say so where the database gave up on what was to be saved."""

    def changeform_view(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return _patiently(super().changeform_view, request, *args, **kwargs)  # type: ignore[misc]

    def changelist_view(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return _patiently(super().changelist_view, request, *args, **kwargs)  # type: ignore[misc]


class PatientMixin:
    """For views that change something: say so where the database gave up on that."""

    request: Request

    def dispatch(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        act: Any = super().dispatch  # type: ignore[misc]
        try:
            return act(request, *args, **kwargs)
        except OperationalError:
            if not is_tried_again(request):
                raise
            logger.exception("%s: the database gave up", type(self).__name__)
            undo_request()
            return self.say_nothing_done()

    def say_nothing_done(self) -> HttpResponse:
        messages.error(self.request, nothing_taken())
        return HttpResponseRedirect(self.request.get_full_path())


def _patiently(act: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
    try:
        return act(request, *args, **kwargs)
    except OperationalError:
        if not is_tried_again(request):
            raise
        logger.exception("Admin: the database gave up")
        undo_request()
        messages.error(request, nothing_taken())
        return HttpResponseRedirect(request.get_full_path())
