"""Numbers and names in addresses and forms, as databases can hold them."""

from __future__ import annotations

import re

from django.urls import register_converter
from django.urls.converters import IntConverter, StringConverter

# Databases hold 64 bits, and some fail when they are asked for more.
NUMBER = "[0-9]{1,18}"


class RowNumberConverter(IntConverter):
    """The number of a row: a 404 if it has more digits than any row's."""

    regex = NUMBER


class OrderNumberConverter(StringConverter):
    """The number of an order: a 404 if PostgreSQL could hold no such text."""

    regex = r"[^/\x00]+"


def number_in(text: str) -> int | None:
    """Return the number that a visitor sent, if it could be that of a row."""
    return int(text) if re.fullmatch(NUMBER, text) else None


register_converter(RowNumberConverter, "training_row")
register_converter(OrderNumberConverter, "training_order")
