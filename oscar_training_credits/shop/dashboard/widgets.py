"""Widgets that Oscar's script for the dashboard leaves alone."""

from __future__ import annotations

from typing import Any

from django import forms


class PlainSelect(forms.Select):
    """One that Oscar's script leaves alone: what it makes of others has no label."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(attrs={"class": "no-widget-init"}, **kwargs)
