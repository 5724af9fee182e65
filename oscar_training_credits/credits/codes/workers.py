"""Whether a site has workers for long tasks, by Django's tasks or their backport."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...conf import settings

LIBRARIES = ("django.tasks", "django_tasks")
"""Django's own, from 6.0 on, comes first; a backend of a site is one of either."""


def library() -> Any:
    """Return the library of tasks, or None if none is installed."""
    for name in LIBRARIES:
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    return None


def has_workers() -> bool:
    """Tell whether tasks are done by somebody else, not here and not never."""
    if (tasks := library()) is None:
        return False
    backend = tasks.task_backends[settings.TASK_BACKEND]
    name = type(backend).__module__
    return not name.endswith(("backends.immediate", "backends.dummy"))
