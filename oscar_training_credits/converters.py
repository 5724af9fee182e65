"""Numbers in addresses and forms, as databases can hold them."""

from __future__ import annotations

import re

from django.urls import register_converter
from django.urls.converters import IntConverter

# Databases hold 64 bits, and some fail when they are asked for more.
NUMBER = "[0-9]{1,18}"


class RowNumberConverter(IntConverter):
    """The number of a row: a 404 if it has more digits than any row's."""

    regex = NUMBER


def number_in(text: str) -> int | None:
    """Return the number that a visitor sent, if it could be that of a row."""
    return int(text) if re.fullmatch(NUMBER, text) else None


register_converter(RowNumberConverter, "training_row")
