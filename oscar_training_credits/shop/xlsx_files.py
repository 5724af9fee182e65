"""XLSX files of any length, sent while they are written.

The libraries that write XLSX write all of it before the first byte is sent. What a
list needs of the format is little: texts, which are no formulas by their type, and
numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import chain, islice
from typing import Any
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

from django.http import StreamingHttpResponse

from .csv_files import plain

MOST_ROWS = 1_048_576
"""What a sheet holds; the rest goes on the next."""
LONGEST_TEXT = 32_767
AT_ONCE = 2**16
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATION_TYPE = "application/vnd.openxmlformats-package.relationships+xml"
KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"


class _Out:
    """What a ZIP is written to, and taken from while it is."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces, self.size = [], 0
        return data


def xlsx_response(name: str, rows: Iterable[Iterable[Any]]) -> StreamingHttpResponse:
    """Return `rows`, the first with the headings, as a file that is downloaded."""
    response = StreamingHttpResponse(_written(rows), content_type=CONTENT_TYPE)
    response["Content-Disposition"] = f'attachment; filename="{name}.xlsx"'
    return response


def _written(rows: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    out, source = _Out(), iter(rows)
    sheets: list[str] = []
    with ZipFile(out, "w", ZIP_DEFLATED, compresslevel=1) as parts:
        first = next(source, ())
        while not sheets or first is not None:
            sheets.append(f"sheet{len(sheets) + 1}")
            with parts.open(f"xl/worksheets/{sheets[-1]}.xml", "w") as sheet:
                sheet.write(f'{XML}<worksheet xmlns="{MAIN}"><sheetData>'.encode())
                for row in chain([first], islice(source, MOST_ROWS - 1)):
                    sheet.write(_row(row))
                    if out.size > AT_ONCE:
                        yield out.take()
                sheet.write(b"</sheetData></worksheet>")
            first = next(source, None)  # type: ignore[arg-type]
        for path, text in _frame(sheets):
            parts.writestr(path, XML + text)
    yield out.take()


def _row(row: Iterable[Any]) -> bytes:
    return f"<row>{''.join(map(_cell, row))}</row>".encode()


def _cell(value: Any) -> str:
    value = plain(value)
    if value == "":
        return "<c/>"
    if not isinstance(value, str):
        return f"<c><v>{Decimal(value):f}</v></c>"
    text = escape(NO_XML.sub("", value[:LONGEST_TEXT]))
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _frame(sheets: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the parts of the file that say what the others are."""
    listed = related = typed = ""
    for n, name in enumerate(sheets, start=1):
        listed += f'<sheet name="{n}" sheetId="{n}" r:id="r{n}"/>'
        related += _relation(f"r{n}", "worksheet", f"worksheets/{name}.xml")
        typed += _type(f"worksheets/{name}.xml", "worksheet")
    spaces = f'xmlns="{MAIN}" xmlns:r="{OFFICE}"'
    book = f"<workbook {spaces}><sheets>{listed}</sheets></workbook>"
    whole = _relation("r1", "officeDocument", "xl/workbook.xml")
    default = f'<Default Extension="rels" ContentType="{RELATION_TYPE}"/>'
    types = default + _type("workbook.xml", "sheet.main") + typed
    yield "xl/workbook.xml", book
    yield "xl/_rels/workbook.xml.rels", _relations(related)
    yield "_rels/.rels", _relations(whole)
    yield "[Content_Types].xml", f'<Types xmlns="{TYPES}">{types}</Types>'


def _relations(relations: str) -> str:
    return f'<Relationships xmlns="{RELATIONS}">{relations}</Relationships>'


def _relation(id_: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{id_}" Type="{OFFICE}/{kind}" Target="{target}"/>'


def _type(path: str, kind: str) -> str:
    return f'<Override PartName="/xl/{path}" ContentType="{KINDS}.{kind}+xml"/>'
