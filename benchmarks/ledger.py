"""A ledger of a million entries, made by copying what one order left behind."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import connection

from oscar_training_credits.credits.codes import word_index
from oscar_training_credits.credits.ledger.triggers import create_triggers
from oscar_training_credits.test.factories import (
    make_issued,
    make_learner,
    make_training,
)
from tests.support.orders import place_order

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
        "change_id": "NULL",
    },
}
STORED_COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
    AND attgenerated = ''
"""
NEXT_KEY = """
    SELECT setval(pg_get_serial_sequence('{table}', 'id'), MAX(id)) FROM {table}
"""
GRANT_COPIES = {
    "training_credits_creditgrant": {"id": "{grant}", "remaining": "0"},
    "training_credits_ledgerentry": {
        "id": "{first_entry}",
        "grant_id": "{grant}",
        "change_id": "NULL",
    },
}
NAMES = {
    "n": f"{FIRST} + n",
    "grant": f"{FIRST} + n / {PER_GRANT}",
    "first_entry": f"{FIRST} + n / {PER_GRANT} * {ENTRIES_PER_GRANT}",
    "per": str(PER_GRANT),
}


def make_tables() -> None:
    """Make all tables from the models, in seconds, and what migrations add to them."""
    call_command("migrate", run_syncdb=True, verbosity=0, interactive=False)
    with connection.schema_editor() as editor:
        create_triggers(apps, editor)
    with connection.schema_editor() as editor:
        word_index.create(apps, editor)


def generate(entries: int) -> None:
    """Place an order, and on PostgreSQL copy it with all that hangs on it.

    A hundred orders have a grant of their own. The role must be a superuser.
    """
    issued, product = make_issued(PER_GRANT), make_training(credits=1).product
    place_order(make_learner(), (product, 1), text=issued.text)
    if connection.vendor != "postgresql":
        return
    orders = entries // ENTRIES_PER_GRANT * PER_GRANT
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table, values in COPIES.items():
            copy(cursor, table, values, orders, step=1)
        for table, values in GRANT_COPIES.items():
            copy(cursor, table, values, orders, step=PER_GRANT)
        cursor.execute("SET session_replication_role = DEFAULT")
        for table in {*COPIES, *GRANT_COPIES}:
            cursor.execute(NEXT_KEY.format(table=table))
        cursor.execute("VACUUM ANALYZE")


def copy(
    cursor: Any, table: str, values: dict[str, str], orders: int, *, step: int
) -> None:
    cursor.execute(STORED_COLUMNS, [table])
    names = [f'"{name}"' for (name,) in cursor.fetchall()]
    chosen = [
        values.get(name.strip('"'), f"copied.{name}").format(**NAMES) for name in names
    ]
    last = "max" if step == 1 else "min"
    cursor.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(chosen)}"  # noqa: S608
        f" FROM generate_series(0, {orders - 1}, {step}) AS n, {table} AS copied"
        f" WHERE copied.id = (SELECT {last}(id) FROM {table} WHERE id < {FIRST})"
    )
