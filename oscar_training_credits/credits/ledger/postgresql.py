"""On PostgreSQL, codes are locked by one statement, and credits taken by another.

Orders paid by the same code wait for one another from its lock to the commit, and so
for each question that is asked in between. And the ORM takes longer to build the
statements that it needs for this than PostgreSQL to answer them. `redemption` has the
ORM's way, for the other databases; what is decided under the lock is the same there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from django.db import connections, router

from ...exceptions import NotEnoughCredits
from ..models import CreditCode, CreditGrant, LedgerEntry, Redemption

# Sorted before they are locked: codes in the order of their keys, and the grants of
# each after it.
LOCK = """
    SELECT
        {codes}, {grants},
        EXISTS (SELECT FROM {learners} WHERE creditcode_id = codes.id),
        EXISTS (SELECT FROM {groups} WHERE creditcode_id = codes.id)
    FROM {code} AS codes JOIN {grant} AS grants ON grants.code_id = codes.id
    WHERE codes.id = ANY(%s)
    ORDER BY codes.id, grants.id
    FOR NO KEY UPDATE OF codes, grants
"""

TAKE = """
    WITH redeemed AS (
        INSERT INTO {redemption} ({columns}) VALUES {redemptions}
        RETURNING id, code_id
    ), taken AS (
        UPDATE {grant} AS grants SET remaining = remaining - wanted.credits
        FROM (VALUES {wanted}) AS wanted (grant_id, credits)
        WHERE grants.id = wanted.grant_id AND remaining >= wanted.credits
        RETURNING grants.id, code_id, remaining, wanted.credits
    )
    INSERT INTO {entry} (grant_id, redemption_id, kind, credits, balance, created_at)
    SELECT taken.id, redeemed.id, %s, -taken.credits, remaining, %s
    FROM taken JOIN redeemed USING (code_id)
    RETURNING grant_id, redemption_id, balance
"""

TABLES = {
    "code": CreditCode._meta.db_table,
    "grant": CreditGrant._meta.db_table,
    "learners": CreditCode.learners.through._meta.db_table,
    "groups": CreditCode.groups.through._meta.db_table,
    "redemption": Redemption._meta.db_table,
    "entry": LedgerEntry._meta.db_table,
}


def is_used() -> bool:
    """Tell whether the ledger is on a PostgreSQL."""
    return connections[_alias()].vendor == "postgresql"


def lock_codes(code_ids: Iterable[int]) -> list[CreditCode]:
    """Return the codes with their grants, all rows locked, by one statement.

    A grant that somebody else adds while this waits for the code is not among them,
    nor is a code that has no grant.
    """
    alias, (sql, code_names, grant_names) = _alias(), _locking()
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, [list(code_ids)])
        rows = cursor.fetchall()
    codes: dict[int, CreditCode] = {}
    grants: dict[int, list[CreditGrant]] = {}
    ends = len(code_names)
    for row in rows:
        grant = CreditGrant.from_db(alias, grant_names, row[ends:-2])
        if grant.code_id not in codes:
            code = CreditCode.from_db(alias, code_names, row[:ends])
            code.has_learners, code.has_groups = row[-2:]  # type: ignore[attr-defined]
            codes[code.pk], grants[code.pk] = code, []
        grant.code = codes[grant.code_id]
        grants[grant.code_id].append(grant)
    for code in codes.values():
        _keep_grants(code, grants[code.pk])
    return list(codes.values())


def redeem_credits(
    redemptions: Sequence[Redemption], parts: Mapping[CreditGrant, int], *, kind: str
) -> None:
    """Save new redemptions, take their credits from locked grants, and enter that.

    `parts` is what is taken from each grant, by the redemption of its code.

    Raises:
        NotEnoughCredits: a grant holds fewer; the caller's transaction is to be
            rolled back.
    """
    sql, names = _taking(len(redemptions), len(parts))
    values = [getattr(each, name) for each in redemptions for name in names]
    wanted = [value for grant, part in parts.items() for value in (grant.pk, part)]
    alias = _alias()
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, [*values, *wanted, kind, redemptions[0].created_at])
        entered = cursor.fetchall()
    if len(entered) < len(parts):
        raise NotEnoughCredits("A grant holds fewer credits than are to be taken.")
    grants = {grant.pk: grant for grant in parts}
    saved = {each.code_id: each for each in redemptions}
    for grant_id, redemption_id, balance in entered:
        grants[grant_id].remaining = balance
        saved[grants[grant_id].code_id].pk = redemption_id
    for each in redemptions:
        each._state.adding, each._state.db = False, alias


def _alias() -> str:
    return router.db_for_write(Redemption)


def _rows(count: int, values: list[str]) -> str:
    return ", ".join([f"({', '.join(values)})"] * count)


@cache
def _locking() -> tuple[str, list[str], list[str]]:
    """Return the statement, and the names of a code's and of a grant's columns."""
    codes, grants = CreditCode._meta.concrete_fields, CreditGrant._meta.concrete_fields
    sql = LOCK.format(
        **TABLES,
        codes=", ".join(f"codes.{field.column}" for field in codes),
        grants=", ".join(f"grants.{field.column}" for field in grants),
    )
    return sql, [each.attname for each in codes], [each.attname for each in grants]


@lru_cache
def _taking(redemptions: int, grants: int) -> tuple[str, list[str]]:
    """Return the statement, and the names of a redemption's columns."""
    fields = [each for each in Redemption._meta.concrete_fields if not each.primary_key]
    sql = TAKE.format(
        **TABLES,
        columns=", ".join(str(field.column) for field in fields),
        redemptions=_rows(redemptions, ["%s"] * len(fields)),
        wanted=_rows(grants, ["%s::bigint", "%s::integer"]),
    )
    return sql, [field.attname for field in fields]


def _keep_grants(code: CreditCode, grants: list[CreditGrant]) -> None:
    """Let `code.grants.all()` answer with `grants`, as if prefetched."""
    rows: Any = code.grants.all()
    rows._result_cache, rows._prefetch_done = grants, True
    code._prefetched_objects_cache = {"grants": rows}  # type: ignore[attr-defined]
