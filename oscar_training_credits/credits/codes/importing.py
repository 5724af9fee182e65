"""Codes that were issued elsewhere: rows of a file, kept, checked, and then imported.

All rows are checked before any is imported, and again for codes that were issued since
when that is confirmed. Of a text only its digest is kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone, translation
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from ...conf import settings
from ...exceptions import FileRefused
from .. import wording
from ..models import CodeJob, CodeJobEvent, CodeJobPart, CreditCode, CreditGrant
from ..terms import Paid, paid_columns
from . import code_text
from .cells import READERS, WrongCell, code_in, restored, storable
from .issuing import CHUNK, save_codes

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

State = CodeJob.State

MOST_ROWS = 1_000_000

Error = tuple[int, str, str]
"""The number of a row, the column, and what is wrong."""


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """A row of a file as it is read: its number there, and cells by their column."""

    number: int
    cells: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    """Why its cells can't be told, if they can't."""


# Kept


def keep_rows(
    rows: Iterable[Row],
    *,
    key: str,
    name: str,
    by: AbstractBaseUser,
    currency: str = "",
) -> CodeJob:
    """Return a job with the rows of a file, which are to be checked.

    Once for each `key`. `name` is that of the file, `currency` what credits in it were
    sold in.

    Raises:
        FileRefused: there are no rows, or too many, or reading them raises it.
    """
    with transaction.atomic():
        values = {"kind": CodeJob.Kind.IMPORT, "created_by": by}
        job, is_new = CodeJob.objects.get_or_create(
            idempotency_key=key, defaults=values
        )
        if not is_new:
            return job
        for number, chunk in enumerate(_chunks(rows)):
            job.parts.create(number=number, rows=chunk)
            job.total += len(chunk)
            if job.total > MOST_ROWS:
                text = _("There are more than %(most)s rows. Import several files.")
                raise FileRefused(text % {"most": wording.large_number(MOST_ROWS)})
        if not job.total:
            raise FileRefused(_("There are no rows below the headings."))
        job.terms = {
            "file": name[:200],
            "credits": 0,
            "currency": currency,
            "language": translation.get_language(),
        }
        job.state, job.active_at = State.CHECKING, timezone.now()
        job.save()
        job.events.create(kind=CodeJobEvent.Kind.CREATED, by_id=by.pk)
    return job


@sensitive_variables("rows", "source", "row")
def _chunks(rows: Iterable[Row]) -> Iterator[list[dict[str, Any]]]:
    source, keys = iter(rows), settings.CODE_KEYS
    with closing(_Seen()) as seen:
        while chunk := [_kept(row, keys, seen) for row in islice(source, CHUNK)]:
            yield chunk


@sensitive_variables("row", "text", "keys")
def _kept(row: Row, keys: list[str], seen: _Seen) -> dict[str, Any]:
    """Return a row as it is kept to be checked: with digests in place of the text."""
    cells = {name: storable(row.cells[name]) for name in READERS if name in row.cells}
    kept: dict[str, Any] = {"number": row.number, "cells": cells, "errors": []}
    if row.problem:
        kept["errors"].append(("", row.problem))
        return kept
    try:
        text = code_in(row.cells.get("code"))
    except WrongCell as error:
        kept["errors"].append(("code", str(error)))
        return kept
    kept["digests"] = [code_text.digest(text, key=key) for key in keys]
    kept["last_four"] = code_text.last_four(text)
    if (earlier := seen.before(kept["digests"][0], row.number)) is not None:
        same = _("Row %(number)d has the same code.") % {"number": earlier}
        kept["errors"].append(("code", same))
    return kept


class _Seen:
    """The digests of a file, in a scratch file: a million would fill the memory."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")
        self._rows.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY, number INT)")

    def close(self) -> None:
        self._rows.close()

    def before(self, digest: str, number: int) -> int | None:
        """Note a digest; return the row that had it before, if any."""
        key = bytes.fromhex(digest)
        sql = "INSERT OR IGNORE INTO seen VALUES (?, ?)"
        if self._rows.execute(sql, [key, number]).rowcount:
            return None
        sql = "SELECT number FROM seen WHERE digest = ?"
        (earlier,) = self._rows.execute(sql, [key]).fetchone()
        return int(earlier)


# Checked


def check_part(job: CodeJob, number: int) -> None:
    """Check the rows of a part, inside the transaction of the job's step.

    Those of a job that was confirmed are right, unless their code is there meanwhile.
    """
    part = job.parts.get(number=number)
    with translation.override(job.terms.get("language")):
        errors = _taken(part) if job.is_confirmed else _check_rows(part)
    part.errors = errors
    part.save(update_fields=["rows", "errors"])
    wrong = len({number for number, _column, _text in errors})
    credits = 0 if job.is_confirmed else sum(row["credits"] for row in part.rows)
    CodeJob.objects.filter(pk=job.pk).update(
        failed=F("failed") + wrong,
        terms={**job.terms, "credits": job.terms["credits"] + credits},
    )


def end_check(job: CodeJob) -> None:
    """Go on when all rows are checked: with a refusal, a question, or the codes."""
    job.refresh_from_db(fields=["failed"])
    after = State.RUNNING if job.is_confirmed else State.DRAFT
    if job.failed:
        after = State.REFUSED
        job.parts.update(rows=[])
    CodeJob.objects.filter(pk=job.pk).update(state=after, done=0)


def _check_rows(part: CodeJobPart) -> list[Error]:
    """Put what the rows say in their place, and return what is wrong."""
    checked = [_check(row) for row in part.rows]
    digests = [digest for row in part.rows for digest in row.get("digests", ())]
    issued = _issued(digests)
    for row, (_values, errors) in zip(part.rows, checked, strict=True):
        if not issued.isdisjoint(row.get("digests", ())) and not row["errors"]:
            errors.append(("code", _is_there()))
    numbers = [row["number"] for row in part.rows]
    part.rows = [values for values, errors in checked if not errors]
    return [
        (number, *error)
        for number, (_values, errors) in zip(numbers, checked, strict=True)
        for error in errors
    ]


def _check(row: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return what a row says, and what is wrong."""
    errors = [(column, text) for column, text in row["errors"]]
    if "" in dict(errors):
        return {}, errors
    values: dict[str, Any] = {"number": row["number"]}
    for column, read in READERS.items():
        try:
            values[column] = read(restored(row["cells"].get(column)), column)
        except WrongCell as error:
            errors.append((column, str(error)))
    _check_days(values, errors)
    if not errors:
        values["digest"], values["last_four"] = row["digests"][0], row["last_four"]
    return values, errors


def _check_days(values: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    starts, expires = values.get("starts"), values.get("expires")
    if starts and expires and starts >= expires:
        errors.append(("expires", _("It must end after it starts.")))
    elif expires and expires <= timezone.now():
        errors.append(("expires", _("This moment has passed.")))
    for name in ("starts", "expires"):
        moment = values.get(name)
        values[name] = moment.isoformat() if moment else ""


def _taken(part: CodeJobPart) -> list[Error]:
    """Return which codes of a part have been issued since it was checked."""
    issued = _issued([row["digest"] for row in part.rows])
    return [
        (row["number"], "code", _is_there())
        for row in part.rows
        if row["digest"] in issued
    ]


def _issued(digests: list[str]) -> set[str]:
    codes = CreditCode.objects.filter(digest__in=digests)
    return set(codes.values_list("digest", flat=True))


def _is_there() -> str:
    return _("There is a code with this text already.")


def errors_of(job: CodeJob) -> Iterator[Error]:
    """Yield the number of each row with an error, the column, and what is wrong."""
    parts = job.parts.exclude(errors=[]).order_by("number")
    for errors in parts.values_list("errors", flat=True).iterator(chunk_size=10):
        yield from errors


# Imported


def import_part(job: CodeJob, number: int) -> None:
    """Make the codes of a part, inside the transaction of the job's step.

    A code that was issued at this very moment is left out, and noted.
    """
    part = job.parts.get(number=number)
    with translation.override(job.terms.get("language")):
        part.errors = _taken(part)
    left_out = {number for number, _column, _text in part.errors}
    now = timezone.now()
    save_codes(
        [_grant(row, job, now) for row in part.rows if row["number"] not in left_out]
    )
    if left_out:
        CodeJob.objects.filter(pk=job.pk).update(failed=F("failed") + len(left_out))
    part.rows = []
    part.save(update_fields=["rows", "errors"])


def _grant(row: dict[str, Any], job: CodeJob, now: datetime) -> CreditGrant:
    amount = row["paid"]
    paid = Paid(Decimal(amount), job.terms["currency"]) if amount else None
    code = CreditCode(
        digest=row["digest"],
        last_four=row["last_four"],
        label=row["label"],
        reference=row["reference"],
        holder=row["holder"],
        notes=row["notes"],
        starts_at=_stored_moment(row["starts"]),
        expires_at=_stored_moment(row["expires"]),
        created_at=now,
        created_by_id=job.created_by_id,
    )
    return CreditGrant(
        code=code,
        credits=row["credits"],
        remaining=row["credits"],
        origin=CreditGrant.Origin.IMPORT,
        note=str(job),
        **paid_columns(paid),
        created_at=now,
        created_by_id=job.created_by_id,
    )


def _stored_moment(text: str) -> datetime | None:
    return parse_datetime(text) if text else None
