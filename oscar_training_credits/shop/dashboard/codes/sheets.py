"""Files with a list of codes, CSV or XLSX, read row by row and strictly."""

from __future__ import annotations

import codecs
import csv
import io
import zlib
from collections.abc import Iterator, Sequence
from typing import Any
from zipfile import BadZipFile, ZipFile

from django.utils.translation import gettext as _

from ....credits import wording
from ....credits.codes.cells import COLUMNS, REQUIRED
from ....credits.codes.importing import Row
from ....exceptions import FileRefused

MEGABYTE = 2**20
MOST_BYTES = 100 * MEGABYTE
MOST_SHEET_ROWS = 100_000
"""Their texts lie in memory: longer lists come as CSV."""
MOST_UNPACKED = 200 * MEGABYTE
MOST_KEPT = 32 * MEGABYTE
"""Of all but the rows themselves, such as their texts: that lies in memory."""
DELIMITERS = ",;\t"
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
OLD_OR_LOCKED = b"\xd0\xcf\x11\xe0"
"""How files of Excel begin that are in its former format, or have a password."""
BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BadZipFile,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What reading a sheet that somebody has tampered with was seen to raise."""


def too_large() -> str:
    text = _("The file is larger than %(most)d MB. Import several smaller ones.")
    return text % {"most": MOST_BYTES // MEGABYTE}


def rows_in(file: Any) -> Iterator[Row]:
    """Yield the rows of an uploaded file below its headings, without empty ones.

    Raises:
        FileRefused: it can't be read, or its headings are wrong.
    """
    if file.size > MOST_BYTES:
        raise FileRefused(too_large())
    beginning = file.read(4_096)
    file.seek(0)
    if beginning.startswith(b"PK"):
        return _rows(_sheet(file), limit=MOST_SHEET_ROWS)
    if beginning.startswith(OLD_OR_LOCKED):
        raise FileRefused(_("Save it as XLSX without a password, or as CSV."))
    return _rows(_lines(file, beginning))


def _rows(lines: Iterator[Sequence[Any]], limit: int | None = None) -> Iterator[Row]:
    columns = _headings(next(lines, ()))
    count = 0
    for number, cells in enumerate(lines, start=2):
        filled = _without_end(cells)
        if not filled:
            continue
        count += 1
        if limit is not None and count > limit:
            text = _(
                "A sheet may have %(most)s rows. Save it as CSV: it may have more."
            )
            raise FileRefused(text % {"most": wording.large_number(limit)})
        if len(filled) > len(columns):
            yield Row(number, problem=_("There are more cells than headings."))
        else:
            yield Row(number, dict(zip(columns, filled, strict=False)))


def _without_end(cells: Sequence[Any]) -> list[Any]:
    """Return the cells up to the last that is not empty."""
    filled = list(cells)
    while filled and (filled[-1] is None or not str(filled[-1]).strip()):
        filled.pop()
    return filled


def _headings(cells: Sequence[Any]) -> list[str]:
    names = [_heading(cell) for cell in _without_end(cells)]
    if unknown := [name for name in names if name not in COLUMNS]:
        raise FileRefused(
            _("Unknown headings: %(unknown)s. There may be: %(known)s.")
            % {
                "unknown": ", ".join(f"“{name[:40]}”" for name in unknown[:5]),
                "known": ", ".join(COLUMNS),
            }
        )
    if missing := [name for name in REQUIRED if name not in names]:
        text = _("The first row must have the headings %(missing)s as well.")
        raise FileRefused(text % {"missing": ", ".join(missing)})
    if len({*names}) < len(names):
        raise FileRefused(_("A heading is there twice."))
    return names


def _heading(cell: Any) -> str:
    return str(cell if cell is not None else "").strip().lower()


# CSV


def _lines(file: Any, beginning: bytes) -> Iterator[Sequence[str]]:
    marks = [name for mark, name in MARKS.items() if beginning.startswith(mark)]
    encoding = marks[0] if marks else "utf-8"
    if not marks and b"\0" in beginning:
        raise FileRefused(_("This is no text. Choose a CSV or XLSX file."))
    text = io.TextIOWrapper(file.file, encoding=encoding, newline="")
    number = 0
    try:
        first = text.readline(10_000)
        text.seek(0)
        lines = csv.reader(text, delimiter=_delimiter(first), strict=True)
        for number, line in enumerate(lines, start=1):  # noqa: B007
            yield line
    except UnicodeError as error:
        raise FileRefused(
            _("Its letters are not in UTF-8. Save it as “CSV UTF-8” or XLSX.")
        ) from error
    except csv.Error as error:
        raise FileRefused(
            _("It is no proper CSV after row %(number)d: %(error)s.")
            % {"number": number, "error": error}
        ) from error
    finally:
        text.detach()


def _delimiter(line: str) -> str:
    """Return what stands between the headings, of which none holds any of these."""
    return max(DELIMITERS, key=line.count)


# XLSX


def _sheet(file: Any) -> Iterator[Sequence[Any]]:
    try:
        import openpyxl
    except ImportError as error:
        raise FileRefused(_("This site reads CSV files only.")) from error
    try:
        _refuse_bomb(file)
        book = openpyxl.load_workbook(file, read_only=True)
        try:
            if len(book.sheetnames) > 1:
                raise FileRefused(
                    _("It has several sheets. Save the one with the codes alone.")
                )
            sheet = book.worksheets[0]
            # What it says of its own size need not be true.
            sheet.reset_dimensions()
            yield from sheet.iter_rows(values_only=True)
        finally:
            book.close()
    except BROKEN as error:
        raise FileRefused(_("It is broken. Save it anew as XLSX or CSV.")) from error


def _refuse_bomb(file: Any) -> None:
    with ZipFile(file) as parts:
        sizes = [(part.filename, part.file_size) for part in parts.infolist()]
    unpacked = sum(size for _name, size in sizes)
    kept = sum(size for name, size in sizes if "worksheets/" not in name)
    if unpacked > MOST_UNPACKED or kept > MOST_KEPT:
        raise FileRefused(_("It is too large once unpacked. Save it as CSV."))
    file.seek(0)
