"""On PostgreSQL codes are read with their grants, or locked, by one statement.

The ORM needs two, and takes longer to build them than PostgreSQL to answer. It is how
the other databases are asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from django.db import connections, router

from ..models import AppliedCode, CreditCode, CreditGrant

COLUMNS = """
    SELECT
        {codes}, {grants},
        EXISTS (SELECT FROM {learners} WHERE creditcode_id = codes.id),
        EXISTS (SELECT FROM {groups} WHERE creditcode_id = codes.id)
"""
APPLIED = f"""
    {COLUMNS}
    FROM {{applied}} AS applied
    JOIN {{code}} AS codes ON codes.id = applied.code_id
    LEFT JOIN {{grant}} AS grants ON grants.code_id = codes.id
    WHERE applied.basket_id = %s
    ORDER BY applied.id, grants.id
"""
# Sorted before they are locked: codes in the order of their keys, and the grants of
# each after it.
LOCK = f"""
    {COLUMNS}
    FROM {{code}} AS codes JOIN {{grant}} AS grants ON grants.code_id = codes.id
    WHERE codes.id = ANY(%s)
    ORDER BY codes.id, grants.id
    FOR NO KEY UPDATE OF codes, grants
"""
TABLES = {
    "applied": AppliedCode._meta.db_table,
    "code": CreditCode._meta.db_table,
    "grant": CreditGrant._meta.db_table,
    "learners": CreditCode.learners.through._meta.db_table,
    "groups": CreditCode.groups.through._meta.db_table,
}


def is_possible() -> bool:
    """Tell whether codes are read from a PostgreSQL."""
    return connections[router.db_for_read(CreditCode)].vendor == "postgresql"


def applied_codes(basket_id: int) -> list[CreditCode]:
    """Return the codes on a basket with their grants, in the order applied."""
    return _codes(APPLIED, basket_id, router.db_for_read(CreditCode))


def lock_codes(code_ids: Iterable[int]) -> list[CreditCode]:
    """Return the codes with their grants, all rows locked.

    A grant that somebody else adds while this waits for the code is not among them,
    nor is a code that has no grant.
    """
    return _codes(LOCK, list(code_ids), router.db_for_write(CreditCode))


def _codes(statement: str, wanted: Any, alias: str) -> list[CreditCode]:
    sql, code_names, grant_names = _built(statement)
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, [wanted])
        rows = cursor.fetchall()
    codes: dict[int, CreditCode] = {}
    grants: dict[int, list[CreditGrant]] = {}
    ends = len(code_names)
    for row in rows:
        pk = row[0]
        if pk not in codes:
            code = CreditCode.from_db(alias, code_names, row[:ends])
            code.has_learners, code.has_groups = row[-2:]  # type: ignore[attr-defined]
            codes[pk], grants[pk] = code, []
        if row[ends] is not None:
            grant = CreditGrant.from_db(alias, grant_names, row[ends:-2])
            grant.code = codes[pk]
            grants[pk].append(grant)
    for pk, code in codes.items():
        _keep_grants(code, grants[pk])
    return list(codes.values())


@cache
def _built(statement: str) -> tuple[str, list[str], list[str]]:
    """Return the statement, and the names of a code's and of a grant's columns.

    The keys of both come first.
    """
    codes, grants = CreditCode._meta.concrete_fields, CreditGrant._meta.concrete_fields
    sql = statement.format(
        **TABLES,
        codes=", ".join(f"codes.{field.column}" for field in codes),
        grants=", ".join(f"grants.{field.column}" for field in grants),
    )
    return sql, [each.attname for each in codes], [each.attname for each in grants]


def _keep_grants(code: CreditCode, grants: list[CreditGrant]) -> None:
    """Let `code.grants.all()` answer with `grants`, as if prefetched."""
    rows: Any = code.grants.all()
    rows._result_cache, rows._prefetch_done = grants, True
    code._prefetched_objects_cache = {"grants": rows}  # type: ignore[attr-defined]
