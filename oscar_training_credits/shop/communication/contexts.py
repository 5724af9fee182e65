"""The context of a mail, as it is kept until the mail is sent: no rows, only ids.

A context is a function of a module with what it is called with, as `partial` puts them
together. It is called when the mail is rendered: in its language, with the rows as they
are by then.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any, TypeVar

from django.apps import apps
from django.contrib.sites.models import Site
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from ...exceptions import DeliveryDropped

Context = Callable[[], dict[str, Any]]
"""Returns what the templates are given."""
Attachment = tuple[str, bytes, str]
"""The name of a file, what is in it, and its media type."""
Attachments = Callable[[], list[Attachment]]
"""Returns what is attached to a mail."""

T = TypeVar("T")

ROW = "row"
DAY, MOMENT = "date", "datetime"


def as_call(context: Context | Attachments) -> dict[str, Any]:
    """Return a context, or what reads attachments, as JSON.

    Raises:
        TypeError: it holds what cannot be read again, such as a function in a function.
    """
    call = context if isinstance(context, partial) else partial(context)
    path = f"{call.func.__module__}.{call.func.__qualname__}"
    if "<" in path or import_string(path) is not call.func:
        raise TypeError(f"{path} is not found again by its name.")
    kwargs = {name: as_json(value) for name, value in call.keywords.items()}
    return {"function": path, "args": as_json(call.args), "kwargs": kwargs}


def called(call: dict[str, Any]) -> Callable[[], Any]:
    """Return the context that was kept, or what reads attachments.

    Raises:
        DeliveryDropped: a row that it is about is gone.
    """
    function = import_string(call["function"])
    kwargs = {name: from_json(value) for name, value in call["kwargs"].items()}
    return partial(_told, partial(function, *from_json(call["args"]), **kwargs))


def as_json(value: Any) -> Any:
    """Return a row as its id, days and moments as ISO 8601, plain values as they are.

    Raises:
        TypeError: it is anything else.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Model):
        return {ROW: value._meta.label, "pk": str(value.pk)}
    if isinstance(value, datetime):
        return {MOMENT: value.isoformat()}
    if isinstance(value, date):
        return {DAY: value.isoformat()}
    if isinstance(value, (list, tuple)):
        return [as_json(each) for each in value]
    raise TypeError(f"The context of a mail cannot hold {type(value).__name__}.")


def from_json(value: Any) -> Any:
    """Return what `as_json` was given; rows as they are now, tuples as lists.

    Raises:
        DeliveryDropped: the row is gone.
    """
    if isinstance(value, list):
        return [from_json(each) for each in value]
    if not isinstance(value, dict):
        return value
    if MOMENT in value:
        return datetime.fromisoformat(value[MOMENT])
    if DAY in value:
        return date.fromisoformat(value[DAY])
    return _row(value[ROW], value["pk"])


def _row(label: str, pk: str) -> Model:
    rows = apps.get_model(label)._base_manager
    try:
        row: Model = rows.get(pk=pk)
    except ObjectDoesNotExist:
        raise DeliveryDropped(_("What it is about is gone.")) from None
    return row


def _told(context: Callable[[], T]) -> T:
    try:
        return context()
    except Site.DoesNotExist:
        # A mistake in the site's settings, to be mended.
        raise
    except ObjectDoesNotExist as error:
        raise DeliveryDropped(_("What it is about is gone.")) from error
