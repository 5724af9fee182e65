"""A strict Content-Security-Policy, for the tests that ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings

POLICY = "default-src 'self'"


class StrictPolicy:
    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        response = self.get_response(request)
        if getattr(settings, "STRICT_POLICY", False):
            response["Content-Security-Policy"] = POLICY
        return response
