"""Measure `check_ledger` on a ledger of a million entries, on PostgreSQL.

Usage: DATABASE_URL=postgres://… python scripts/measure_audit.py [THOUSANDS OF ENTRIES]

The database must be migrated, and may be thrown away: one order is placed and then
copied with all that hangs on it, a hundred to a grant. The role must be a superuser.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIRST = 1_000
PER_GRANT = 100
ENTRIES_PER_GRANT = PER_GRANT + 1

# By table, what differs from the row that is copied: n numbers the orders, from 0.
COPIES = {
    "order_order": {"id": "{n}", "number": "'copy-' || {n}", "basket_id": "NULL"},
    "order_line": {"id": "{n}", "order_id": "{n}"},
    "training_credits_redemption": {
        "id": "{n}",
        "order_id": "{n}",
        "order_number": "'copy-' || {n}",
        "basket_id": "NULL",
    },
    "payment_source": {
        "id": "{n}",
        "order_id": "{n}",
        "reference": "'redemption-' || {n}",
    },
    "training_credits_settledline": {"id": "{n}", "order_line_id": "{n}"},
    "training_credits_access": {"id": "{n}", "order_line_id": "{n}"},
    "training_credits_redemptionline": {
        "id": "{n}",
        "redemption_id": "{n}",
        "settled_line_id": "{n}",
        "grant_id": "{grant}",
    },
    "training_credits_ledgerentry": {
        "id": "{first_entry} + 1 + n % {per}",
        "grant_id": "{grant}",
        "redemption_id": "{n}",
        "balance": "{per} - 1 - n % {per}",
    },
}
GRANT_COPIES = {
    "training_credits_creditgrant": {"id": "{grant}", "remaining": "0"},
    "training_credits_ledgerentry": {"id": "{first_entry}", "grant_id": "{grant}"},
}
NAMES = {
    "n": f"{FIRST} + n",
    "grant": f"{FIRST} + n / {PER_GRANT}",
    "first_entry": f"{FIRST} + n / {PER_GRANT} * {ENTRIES_PER_GRANT}",
    "per": str(PER_GRANT),
}


def main(entries: int) -> None:
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from oscar_training_credits.credits.models import LedgerEntry

    if not LedgerEntry.objects.exists():
        generate(entries // ENTRIES_PER_GRANT * PER_GRANT)
    print(f"{LedgerEntry.objects.count():,} entries", flush=True)
    measure()


def generate(orders: int) -> None:
    from django.db import connection

    from oscar_training_credits.test.factories import (
        make_issued,
        make_learner,
        make_training,
    )
    from tests.orders import place_order

    issued, product = make_issued(PER_GRANT), make_training(credits=1).product
    place_order(make_learner(), (product, 1), text=issued.text)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table, values in COPIES.items():
            copy(cursor, table, values, orders, step=1)
        for table, values in GRANT_COPIES.items():
            copy(cursor, table, values, orders, step=PER_GRANT)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE")


def copy(cursor, table: str, values: dict[str, str], orders: int, *, step: int) -> None:
    cursor.execute(f"SELECT * FROM {table} WHERE false")  # noqa: S608
    names = [f'"{column.name}"' for column in cursor.description]
    chosen = [
        values.get(name.strip('"'), f"copied.{name}").format(**NAMES) for name in names
    ]
    last = "max" if step == 1 else "min"
    cursor.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(chosen)}"  # noqa: S608
        f" FROM generate_series(0, {orders - 1}, {step}) AS n, {table} AS copied"
        f" WHERE copied.id = (SELECT {last}(id) FROM {table} WHERE id < {FIRST})"
    )
    print(f"{table}: {cursor.rowcount:,} rows", flush=True)


def measure() -> None:
    from oscar_training_credits.credits import auditing as of_credits
    from oscar_training_credits.shop import auditing as of_orders

    before = peak_memory()
    began = time.perf_counter()
    for rule in [*of_credits.RULES, *of_orders.RULES]:
        started = time.perf_counter()
        findings = sum(1 for _finding in rule.findings())
        print(
            f"{time.perf_counter() - started:7.2f} s  {rule.name}: {findings}",
            flush=True,
        )
    print(f"{time.perf_counter() - began:7.2f} s  in all")
    print(f"{peak_memory() - before} MB more memory than before")


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["1000"])[0]) * 1000)
