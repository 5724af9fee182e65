"""The views behind a site's addresses, whatever they are wrapped in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.urls import URLResolver, get_resolver
from django.views import View


@dataclass(frozen=True, slots=True)
class ViewInUse:
    """A view as it stands in the site's URLs, and a class that is behind it."""

    name: str
    """The name of its URL with the namespaces, or its address if it has none."""
    callback: Callable[..., Any]
    view_class: type


def views_in_use() -> Iterator[ViewInUse]:
    """Yield each class of views that answers at an address of the site, once a name."""
    seen = set()
    for name, callback in _walk(get_resolver().url_patterns):
        for view_class in _classes_behind(callback):
            if (name, view_class) not in seen:
                seen.add((name, view_class))
                yield ViewInUse(name, callback, view_class)


def _walk(
    patterns: Any, *, route: str = "/", namespace: str = ""
) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        address = f"{route}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else ""
            inner = inner or namespace
            yield from _walk(pattern.url_patterns, route=address, namespace=inner)
        else:
            name = f"{namespace}{pattern.name}" if pattern.name else address
            yield name, pattern.callback


def _classes_behind(callback: Any) -> list[type]:
    """Return the view classes that a callback leads to.

    Decorators that use `functools.wraps` keep the name of the class; others keep the
    view among their variables, as a function's or an object's.
    """
    found: list[type] = []
    seen: set[int] = set()
    waiting = [callback]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if view_class := _class_of(one):
            found.append(view_class)
        else:
            waiting += _wrapped_by(one)
    return list(dict.fromkeys(found))


def _class_of(view: Any) -> type | None:
    view_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if isinstance(view_class, type):
        return view_class
    return view if isinstance(view, type) and issubclass(view, View) else None


def _wrapped_by(view: Any) -> list[Any]:
    parts = [cell.cell_contents for cell in _cells_of(view)]
    parts += [getattr(view, "__wrapped__", None), getattr(view, "__self__", None)]
    if isinstance(view, partial):
        parts += [view.func, *view.args, *view.keywords.values()]
    elif not isinstance(view, type):
        parts += vars(view).values() if hasattr(view, "__dict__") else ()
    return [part for part in parts if callable(part)]


def _cells_of(view: Any) -> list[Any]:
    function = getattr(view, "__func__", view)
    return [
        cell for cell in getattr(function, "__closure__", None) or () if _is_full(cell)
    ]


def _is_full(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
