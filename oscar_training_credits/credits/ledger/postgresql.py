"""On PostgreSQL credits are taken by one statement, as codes are locked by another.

Orders paid by the same code wait for one another from its lock to the commit, and so
for each question that is asked in between. And the ORM takes longer to build the
statements that it needs for this than PostgreSQL to answer them. `redemption` has the
ORM's way, for the other databases; what is decided under the lock is the same there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from django.db import connections, router

from ...exceptions import NotEnoughCredits
from ..models import CreditGrant, LedgerEntry, Redemption

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
    "grant": CreditGrant._meta.db_table,
    "redemption": Redemption._meta.db_table,
    "entry": LedgerEntry._meta.db_table,
}


def is_used() -> bool:
    """Tell whether the ledger is on a PostgreSQL."""
    return connections[_alias()].vendor == "postgresql"


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
