"""Codes that were issued elsewhere: rows of a file, checked, kept, and then imported.

All rows are checked before any is imported. Of a text only its digest is kept.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from ...exceptions import FileRefused
from ..models import CodeJob, CodeJobEvent, CreditCode, CreditGrant
from ..terms import (
    MOST_GRANTED,
    Paid,
    end_of,
    far_away_text,
    is_far_away,
    paid_columns,
    start_of,
)
from . import code_text
from .issuing import CHUNK, save_codes

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

REQUIRED = ("code", "credits", "label")
COLUMNS = (*REQUIRED, "paid", "starts", "expires", "reference", "holder", "notes")
LONGEST = {"label": 200, "reference": 100, "holder": 200, "notes": 2_000}
MOST_ROWS = 1_000_000

MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(Z|[+-]\d\d:\d\d)?)?"
)
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
CONTROL_IN_NOTES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """A row of a file as it is read: its number there, and cells by their column."""

    number: int
    cells: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    """Why its cells can't be told, if they can't."""


@dataclass(slots=True, repr=False)
class _Checked:
    """A row without its text, or with what is wrong."""

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    digests: list[str] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)


class _Wrong(Exception):
    """A cell does not hold what its column is for; the message is for staff."""


@sensitive_variables("rows", "row", "chunk")
def plan_import(
    rows: Iterable[Row],
    *,
    key: str,
    name: str,
    by: AbstractBaseUser,
    currency: str = "",
) -> CodeJob:
    """Return a draft that imports `rows`, or what is refused because of its errors.

    Once for each `key`. `name` is that of the file, `currency` what credits in it were
    sold in.

    Raises:
        FileRefused: there are no rows, or too many, or reading them raises it.
    """
    with transaction.atomic(), closing(_Seen()) as seen:
        values = {"kind": CodeJob.Kind.IMPORT, "created_by": by}
        job, is_new = CodeJob.objects.get_or_create(
            idempotency_key=key, defaults=values
        )
        if not is_new:
            return job
        source = iter(rows)
        number = 0
        while chunk := [_check(row) for row in islice(source, CHUNK)]:
            _check_texts(chunk, seen)
            errors = [[row.number, *each] for row in chunk for each in row.errors]
            job.parts.create(
                number=number,
                rows=[row.values for row in chunk if not row.errors],
                errors=errors,
            )
            job.total += len(chunk)
            job.failed += sum(bool(row.errors) for row in chunk)
            if job.total > MOST_ROWS:
                text = _("There are more than %(most)d rows. Import several files.")
                raise FileRefused(text % {"most": MOST_ROWS})
            number += 1
        if not job.total:
            raise FileRefused(_("There are no rows below the headings."))
        if job.failed:
            job.state = CodeJob.State.REFUSED
            job.parts.update(rows=[])
        job.terms = {"file": name[:200], "credits": seen.credits, "currency": currency}
        job.save()
        job.events.create(kind=CodeJobEvent.Kind.CREATED, by_id=by.pk)
    return job


def errors_of(job: CodeJob) -> Iterator[tuple[int, str, str]]:
    """Yield the number of each row with an error, the column, and what is wrong."""
    parts = job.parts.exclude(errors=[]).order_by("number")
    for errors in parts.values_list("errors", flat=True).iterator(chunk_size=10):
        yield from errors


def check_again(job: CodeJob) -> int:
    """Return how many codes of a draft have been issued since; note which."""
    count = 0
    for part in job.parts.order_by("number").iterator(chunk_size=10):
        taken = _issued([row["digest"] for row in part.rows])
        if taken:
            part.errors = [_taken(row) for row in part.rows if row["digest"] in taken]
            count += len(part.errors)
            part.save(update_fields=["errors"])
    if count:
        job.parts.update(rows=[])
    return count


def import_part(job: CodeJob, number: int) -> None:
    """Make the codes of a part, inside the transaction of the job's step.

    A code that was issued at this very moment is left out, and noted.
    """
    part = job.parts.get(number=number)
    taken = _issued([row["digest"] for row in part.rows])
    now = timezone.now()
    grants = [_grant(row, job, now) for row in part.rows if row["digest"] not in taken]
    save_codes(grants)
    if taken:
        part.errors = [_taken(row) for row in part.rows if row["digest"] in taken]
        CodeJob.objects.filter(pk=job.pk).update(failed=F("failed") + len(part.errors))
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


def _issued(digests: list[str]) -> set[str]:
    codes = CreditCode.objects.filter(digest__in=digests)
    return set(codes.values_list("digest", flat=True))


def _taken(row: dict[str, Any]) -> tuple[int, str, str]:
    return row["number"], "code", _("There is a code with this text already.")


# One row


@sensitive_variables("row")
def _check(row: Row) -> _Checked:
    checked = _Checked(row.number)
    if row.problem:
        checked.errors.append(("", row.problem))
        return checked
    values = checked.values
    values["number"] = row.number
    for column, read in READERS.items():
        try:
            values[column] = read(row.cells.get(column), column)
        except _Wrong as error:
            checked.errors.append((column, str(error)))
    _check_days(checked)
    text = values.pop("code", None)
    if not text:
        return checked
    checked.digests = code_text.digests(text)
    values["digest"] = checked.digests[0]
    values["last_four"] = code_text.last_four(text)
    return checked


def _check_days(checked: _Checked) -> None:
    values = checked.values
    starts, expires = values.get("starts"), values.get("expires")
    if starts and expires and starts >= expires:
        checked.errors.append(("expires", _("It must end after it starts.")))
    elif expires and expires <= timezone.now():
        checked.errors.append(("expires", _("This moment has passed.")))
    for name in ("starts", "expires"):
        moment = values.get(name)
        values[name] = moment.isoformat() if moment else ""


@sensitive_variables("value", "text")
def _code(value: Any, column: str) -> str:
    if isinstance(value, (int, float)):
        raise _Wrong(
            _("It is a number: format the column as text, or zeros may be lost.")
        )
    text = _text(value, column)
    if not text:
        raise _Wrong(_("It is empty."))
    try:
        code_text.refuse_unfit(text)
    except ValueError as error:
        raise _Wrong(
            _("A code has %(fewest)d letters or digits at least, and %(most)d at most.")
            % {"fewest": code_text.SHORTEST_TEXT, "most": code_text.LONGEST_TEXT}
        ) from error
    return text


def _credits(value: Any, column: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, str, type(None))):
        raise _Wrong(_("It is no whole number."))
    text = str(value if value is not None else "").strip()
    if not text:
        raise _Wrong(_("It is empty."))
    if not re.fullmatch("[0-9]{1,10}", text):
        raise _Wrong(_("It is no whole number."))
    if not 1 <= int(text) <= MOST_GRANTED:
        raise _Wrong(_("It must be 1 to %(most)d.") % {"most": MOST_GRANTED})
    return int(text)


def _paid(value: Any, column: str) -> str:
    text = "" if value is None else str(value).strip()
    if text and not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,2})?", text):
        raise _Wrong(_("It is no amount such as 240 or 99.50."))
    return text


def _label(value: Any, column: str) -> str:
    text = _text(value, column)
    if not text:
        raise _Wrong(_("It is empty."))
    return text


def _text(value: Any, column: str) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _Wrong(_("It is no text."))
    text = str(value).strip()
    if text.startswith("="):
        raise _Wrong(_("It is a formula: paste it as a value."))
    if (CONTROL_IN_NOTES if column == "notes" else CONTROL).search(text):
        raise _Wrong(_("It holds characters that can't be shown."))
    if len(text) > LONGEST.get(column, len(text)):
        raise _Wrong(
            _("It has more than %(most)d letters.") % {"most": LONGEST[column]}
        )
    return text


def _starts(value: Any, column: str) -> datetime | None:
    return _moment(value, is_end=False)


def _expires(value: Any, column: str) -> datetime | None:
    return _moment(value, is_end=True)


def _moment(value: Any, *, is_end: bool) -> datetime | None:
    """Read a day as its beginning or its end, in the site's time zone; or a moment."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    moment = _day_or_moment(value)
    if is_far_away(moment):
        raise _Wrong(far_away_text())
    if not isinstance(moment, datetime):
        return end_of(moment) if is_end else start_of(moment)
    return moment if timezone.is_aware(moment) else _made_aware(moment)


def _day_or_moment(value: Any) -> date | datetime:
    if isinstance(value, datetime):
        # A sheet has no days, only their midnight.
        return value.date() if value.time() == time.min else value
    if isinstance(value, date):
        return value
    found = MOMENT.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        if found and found[2]:
            return datetime.fromisoformat(
                f"{found[1]}T{found[2]}{(found[3] or '').replace('Z', '+00:00')}"
            )
        if found:
            return date.fromisoformat(found[1])
    except ValueError:
        pass
    raise _Wrong(_("Write a day as 2026-01-31, or a moment as 2026-01-31 17:00."))


def _made_aware(moment: datetime) -> datetime:
    zone = timezone.get_default_timezone()
    early, late = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        raise _Wrong(
            _(
                "The clocks are changed then, so this time comes twice or not at all:"
                " write it as 2026-01-31 17:00+00:00."
            )
        )
    return early


READERS: dict[str, Any] = {
    "code": _code,
    "credits": _credits,
    "label": _label,
    "paid": _paid,
    "starts": _starts,
    "expires": _expires,
    "reference": _text,
    "holder": _text,
    "notes": _text,
}


# All rows


class _Seen:
    """The digests of a file, in a scratch file: a million would fill the memory."""

    def __init__(self) -> None:
        self.credits = 0
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


def _check_texts(chunk: list[_Checked], seen: _Seen) -> None:
    taken = _issued([digest for row in chunk for digest in row.digests])
    for row in chunk:
        if not row.digests:
            continue
        if (earlier := seen.before(row.digests[0], row.number)) is not None:
            text = _("Row %(number)d has the same code.") % {"number": earlier}
            row.errors.append(("code", text))
        elif not taken.isdisjoint(row.digests):
            text = _("There is a code with this text already.")
            row.errors.append(("code", text))
        if not row.errors:
            seen.credits += row.values["credits"]
