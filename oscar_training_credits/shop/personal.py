"""Pages with what is for one person: no cache keeps them, and no browser.

A browser that goes back after log-out would show them again out of its memory.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.utils.cache import add_never_cache_headers

from ..aliases import Request
from ..mixins import Extension

ATTRIBUTE = "training_credits_personal"


class PersonalPageMixin(Extension):
    """For a view whose page may hold lessons, links that claim places, or a code box.

    Only an answer that holds one of them is kept by nobody. The others stay as the
    site sends them.
    """

    def dispatch(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return guard(super().dispatch(request, *args, **kwargs), request)


def mark(request: Request) -> None:
    """Note that the answer to `request` holds what is for one person."""
    setattr(request, ATTRIBUTE, True)


def guard(response: Any, request: Request) -> Any:
    """Let nobody keep `response`, if what is for one person is drawn in it."""
    if hasattr(response, "add_post_render_callback"):
        response.add_post_render_callback(partial(_close, request=request))
    else:
        _close(response, request=request)
    return response


def _close(response: Any, *, request: Request) -> None:
    if getattr(request, ATTRIBUTE, False):
        add_never_cache_headers(response)
