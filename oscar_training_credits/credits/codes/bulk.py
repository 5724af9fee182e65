"""Many codes that are alike, with a grant and its first entry each."""

from __future__ import annotations

from copy import copy
from typing import Any

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.views.decorators.debug import sensitive_variables

from ..models import CreditCode, CreditGrant, LedgerEntry

# A row of Python for each row of the database costs far more than the database itself.
INSERT = """
    WITH made AS (
        INSERT INTO {code} (digest, last_four, {code_columns})
        SELECT new.digest, new.last_four, {code_values}
        FROM unnest(%s::text[], %s::text[]) AS new (digest, last_four)
        RETURNING id, digest
    ), granted AS (
        INSERT INTO {grant} (code_id, {grant_columns})
        SELECT id, {grant_values} FROM made
        RETURNING id
    ), entered AS (
        INSERT INTO {entry} (grant_id, {entry_columns})
        SELECT id, {entry_values} FROM granted
    )
    SELECT digest, id FROM made
"""


def insert(codes: list[CreditCode], grant: CreditGrant, entry: LedgerEntry) -> None:
    """Save new codes that differ in digest and last four characters alone.

    Each gets a copy of `grant`, and that one a copy of `entry`. To be called inside a
    transaction.
    """
    connection = connections[router.db_for_write(CreditCode)]
    if connection.vendor == "postgresql":
        _insert_by_one_statement(codes, grant, entry, connection)
        return
    CreditCode.objects.bulk_create(codes)
    grants = [_copy(grant, code=code) for code in codes]
    CreditGrant.objects.bulk_create(grants)
    LedgerEntry.objects.bulk_create(_copy(entry, grant=each) for each in grants)


def insert_each(grants: list[CreditGrant], entries: list[LedgerEntry]) -> None:
    """Save new codes with a grant and an entry each, all different.

    The codes are those of `grants`, and these those of `entries`, in the same order.
    """
    CreditCode.objects.bulk_create([grant.code for grant in grants])
    for grant in grants:
        grant.code = grant.code  # its key is known by now
    CreditGrant.objects.bulk_create(grants)
    for grant, entry in zip(grants, entries, strict=True):
        entry.grant = grant
    LedgerEntry.objects.bulk_create(entries)


@sensitive_variables("digests", "params")
def _insert_by_one_statement(
    codes: list[CreditCode],
    grant: CreditGrant,
    entry: LedgerEntry,
    connection: BaseDatabaseWrapper,
) -> None:
    names: dict[str, str] = {}
    alike: dict[str, list[Any]] = {}
    differing = {"code": {"digest", "last_four"}, "grant": {"code"}, "entry": {"grant"}}
    for name, row in (("code", codes[0]), ("grant", grant), ("entry", entry)):
        names[name] = connection.ops.quote_name(row._meta.db_table)
        fields = _fields(row, but=differing[name])
        names[f"{name}_columns"] = ", ".join(
            connection.ops.quote_name(field.column) for field in fields
        )
        names[f"{name}_values"] = ", ".join(
            f"%s::{field.cast_db_type(connection)}" for field in fields
        )
        alike[name] = [
            field.get_db_prep_save(getattr(row, field.attname), connection)
            for field in fields
        ]
    digests = [code.digest for code in codes]
    last_fours = [code.last_four for code in codes]
    params = [*alike["code"], digests, last_fours, *alike["grant"], *alike["entry"]]
    with connection.cursor() as cursor:
        cursor.execute(INSERT.format(**names), params)
        keys = dict(cursor.fetchall())
    for code in codes:
        code.pk = keys[code.digest]
        code._state.adding = False
        code._state.db = connection.alias


def _fields(row: Model, *, but: set[str]) -> list[Any]:
    return [
        field
        for field in row._meta.local_concrete_fields
        if not (field.primary_key or field.generated or field.name in but)
    ]


def _copy(row: Any, **values: Any) -> Any:
    new = copy(row)
    for name, value in values.items():
        setattr(new, name, value)
    return new
