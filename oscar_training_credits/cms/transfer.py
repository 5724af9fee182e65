"""With wagtail-transfer: another site of yours fetches pages as they are stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.decorators import sync_only_middleware

from ..aliases import Request
from .restricted import restricted_fields_open

APP = "wagtail_transfer"
PATH = f"{__name__}.TransferMiddleware"
VIEWS = frozenset({"pages_for_export", "models_for_export", "objects_for_export"})


@sync_only_middleware
class TransferMiddleware:
    """Open restricted fields for the views that wagtail-transfer exports with.

    They answer whoever has signed the request with the sites' own secret. Without this
    the other site would get empty fields, and write them over its own.
    """

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: Request) -> Any:
        return self.get_response(request)

    def process_view(self, request: Request, view: Any, args: Any, kwargs: Any) -> Any:
        if view.__module__ != f"{APP}.views" or view.__name__ not in VIEWS:
            return None
        with restricted_fields_open():
            return view(request, *args, **kwargs)
