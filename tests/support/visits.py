"""Code of another app that a visitor's request runs: a view of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.urls import path

ADDRESS = "another-app/"
_waiting: list[Callable[[Any], Any]] = []
_answers: list[Any] = []


def view(request: Any) -> HttpResponse:
    _answers.append(_waiting.pop()(request))
    return HttpResponse()


urlpatterns = [path(ADDRESS, view)]


def visit(code: Callable[[Any], Any], client: Any = None) -> Any:
    """Return what `code` returns while a visitor's request is answered."""
    _waiting.append(code)
    (client or Client()).get(f"/{ADDRESS}")
    return _answers.pop()
