"""CSV files of any length, sent while they are written."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What begins a formula, for a program that opens the file as a sheet."""


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def csv_response(name: str, rows: Iterable[Iterable[Any]]) -> StreamingHttpResponse:
    """Return `rows`, the first with the headings, as a file that is downloaded.

    Texts are no formulas wherever it is opened; moments are in the site's time zone.
    """
    response = StreamingHttpResponse(_lines(rows), content_type="text/csv")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    writer: Any = csv.writer(_Echo())
    # By this mark sheets know that it is UTF-8.
    yield "\N{ZERO WIDTH NO-BREAK SPACE}"
    for row in rows:
        yield writer.writerow([_cell(value) for value in row])


def _cell(value: Any) -> Any:
    value = plain(value)
    risky = isinstance(value, str) and value.startswith(RISKY)
    return f"'{value}" if risky else value


def plain(value: Any) -> int | Decimal | str:
    """Return a value as files show it: a number, or a text."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return str(timezone.localtime(value).isoformat(" ", "minutes"))
    return value if isinstance(value, (int, Decimal)) else str(value)
