"""A million codes and ledger entries: the admin's list, issuing, the audit."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from tempfile import NamedTemporaryFile
from typing import Any
from uuid import uuid4

import django

django.setup()

from django.core.files import File  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402

from oscar_training_credits import api  # noqa: E402
from oscar_training_credits.credits.codes import (  # noqa: E402
    code_text,
    jobs,
)
from oscar_training_credits.credits.models import (  # noqa: E402
    CreditCode,
    CreditGrant,
    LedgerEntry,
)
from oscar_training_credits.shop.dashboard.codes import sheets  # noqa: E402
from oscar_training_credits.test.factories import make_learner  # noqa: E402

from . import ledger  # noqa: E402
from .serving import QUICK, CannotRun, Case, milliseconds, serve  # noqa: E402

CODES = 1_000 if QUICK else 1_000_000
ISSUED = 1_000 if QUICK else 100_000
CHUNK = 1_000
EXPORT = reverse("training_credits:code-export")
LIST = reverse("admin:training_credits_creditcode_changelist")


def issuing() -> float:
    began = time.perf_counter()
    for _chunk in api.issue_codes(ISSUED, label="Benchmark", credits=100):
        pass
    return ISSUED / (time.perf_counter() - began)


def issuing_by_a_job() -> float:
    staff = make_learner()
    began = time.perf_counter()
    job = jobs.plan_issue(
        ISSUED, key=uuid4().hex, by=staff, label="Benchmark", credits=100
    )
    jobs.confirm(job, by=staff)
    jobs.run(job.pk)
    return ISSUED / (time.perf_counter() - began)


def copying() -> float:
    """COPY the same rows, texts and digests made in the same way."""
    if connection.vendor != "postgresql":
        insert_chunk()
        raise CannotRun("COPY is PostgreSQL's")
    began = time.perf_counter()
    for _start in range(0, ISSUED, CHUNK):
        with transaction.atomic(), connection.cursor() as cursor:
            codes, grants = keys(cursor, CreditCode), keys(cursor, CreditGrant)
            for model, rows in chunk(codes, grants).items():
                names = ", ".join(rows[0])
                into = f"COPY {model._meta.db_table} ({names}) FROM STDIN"
                with cursor.copy(into) as copy:
                    for row in rows:
                        copy.write_row(tuple(row.values()))
    return ISSUED / (time.perf_counter() - began)


def insert_chunk() -> None:
    """Show that the rows fit into the tables, and leave none behind."""
    numbers = range(10**9, 10**9 + CHUNK)
    with transaction.atomic(), connection.cursor() as cursor:
        for model, rows in chunk(numbers, numbers).items():
            names, values = ", ".join(rows[0]), ", ".join(["%s"] * len(rows[0]))
            into = f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({values})"  # noqa: S608
            cursor.executemany(into, [tuple(row.values()) for row in rows])
        transaction.set_rollback(True)


def chunk(codes: Sequence[int], grants: Sequence[int]) -> dict[Any, list[Any]]:
    """Return the rows of new codes, their grants and entries, by model."""
    now = timezone.now()
    made = {"label": "Benchmark", "created_at": now}
    given = {"credits": 100, "created_at": now}
    code = columns(CreditCode(**made))
    grant = columns(CreditGrant(remaining=100, **given))
    entry = columns(LedgerEntry(kind="grant", balance=100, **given))
    del entry["id"]
    texts = [code_text.generate() for _code in codes]
    return {
        CreditCode: [
            {
                **code,
                "id": key,
                "digest": code_text.digest(text, key="key"),
                "last_four": text[-4:],
            }
            for key, text in zip(codes, texts, strict=True)
        ],
        CreditGrant: [
            {**grant, "id": key, "code_id": of}
            for key, of in zip(grants, codes, strict=True)
        ],
        LedgerEntry: [{**entry, "grant_id": key} for key in grants],
    }


def columns(row: Any) -> dict[str, Any]:
    """Return the values of a new row as the database takes them, by column."""
    return {
        field.column: field.get_db_prep_save(getattr(row, field.attname), connection)
        for field in row._meta.local_concrete_fields
        if not field.generated
    }


def keys(cursor: Any, model: Any) -> list[int]:
    cursor.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
        [model._meta.db_table, CHUNK],
    )
    return [key for (key,) in cursor.fetchall()]


def more_memory() -> float:
    """Return the megabytes that a million codes take beyond the first thousand."""
    list(api.issue_codes(CHUNK, label="Benchmark", credits=100))
    before = peak()
    for _chunk in api.issue_codes(CODES, label="Benchmark", credits=100):
        pass
    return peak() - before


def exporting(client: Client, kind: str) -> Case:
    """Return what measures the megabytes that a file of all codes takes."""

    def export() -> float:
        client.get(EXPORT, {"q": "no-such-label", "as": kind}).getvalue()
        before = peak()
        for _piece in client.get(EXPORT, {"as": kind}).streaming_content:
            pass
        return peak() - before

    return export


def checking() -> float:
    """Return the megabytes that it takes to check a million rows for an import."""
    staff = make_learner()
    with NamedTemporaryFile("w+", suffix=".csv") as file:
        file.write("code,credits,label\n")
        for number in range(CODES):
            file.write(f"BENCHMARK-{number:08},100,Benchmark\n")
        file.flush()
        before = peak()
        with File(open(file.name, "rb")) as upload:  # noqa: PTH123
            rows = sheets.rows_in(upload)
            job = jobs.plan_import(rows, key=uuid4().hex, name="x", by=staff)
        jobs.run(job.pk)
        after = peak()
    jobs.discard(job)
    return after - before


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def listed(client: Client, query: str) -> Case:
    def view() -> float:
        taken = milliseconds(lambda: client.get(LIST + query))
        assert client.get(LIST + query).status_code == 200
        return taken

    return view


def auditing() -> float:
    began = time.perf_counter()
    findings = list(api.audit())
    if findings:
        raise RuntimeError(findings[0])
    return time.perf_counter() - began


def cases() -> dict[str, Case]:
    client = Client()
    client.force_login(make_learner(is_staff=True, is_superuser=True))
    last_four = CreditCode.objects.values_list("last_four", flat=True).first()
    return {
        "issuing": issuing,
        "issuing by a job": issuing_by_a_job,
        "copying": copying,
        "more memory": more_memory,
        "export csv": exporting(client, "csv"),
        "export xlsx": exporting(client, "xlsx"),
        "check file": checking,
        "list first page": listed(client, ""),
        "list used up": listed(client, "?under=1"),
        "list search": listed(client, f"?q={last_four}"),
        "list search label": listed(client, "?q=no-such-label"),
        "auditing": auditing,
    }


def prepare() -> None:
    ledger.make_tables()
    ledger.generate(1_000 if QUICK else 1_000_000)


if __name__ == "__main__":
    prepare()
    serve(cases())
