"""Forms of terms that undo nothing which somebody else changed meanwhile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

OPENED = "opened_terms"


def opened_field() -> forms.CharField:
    """Return a field, to be named `OPENED`, for the terms when the form was opened."""
    return forms.CharField(required=False, widget=forms.HiddenInput)


def as_opened(live: Mapping[str, str]) -> str:
    return json.dumps(live)


def refuse_stale(form: Any, live: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Add an error to each field that somebody else has changed meanwhile.

    `live` are the terms now and `wanted` those that were entered, as texts.
    """
    opened = _read(form.data.get(form.add_prefix(OPENED)))
    if opened is None:
        return
    for name in form.fields.keys() & live.keys():
        if opened.get(name) != live[name] != wanted[name]:
            form.add_error(name, _changed(form.fields[name], live[name]))
    # Whoever has read the message and saves again means it.
    form.data = form.data.copy()
    form.data[form.add_prefix(OPENED)] = as_opened(live)


def _read(opened: str | None) -> dict[str, str] | None:
    try:
        read = json.loads(opened or "")
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _changed(field: Any, live: str) -> ValidationError:
    if not live:
        text = _("Somebody has emptied this while you were editing.")
    elif isinstance(field, forms.BooleanField):
        text = _("Somebody has changed this while you were editing.")
    else:
        choices = {str(key): str(name) for key, name in getattr(field, "choices", ())}
        text = _("Somebody has changed this to “%(value)s” while you were editing.") % {
            "value": choices.get(live, live)
        }
    mend = _("Enter what is right, and save or publish again.")
    return ValidationError(f"{text} {mend}")
