"""Triggers with which the database itself keeps ledger entries as they were written.

A migration that changes the table of entries puts `keep_entries()` last in its
operations, and first as well if it can be reversed: SQLite copies the table into a new
one and loses its triggers. `check_ledger` tells when they are missing.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.backends.base.base import BaseDatabaseWrapper

MODEL = ("training_credits", "LedgerEntry")
NOT_CHANGED = "training_credits_entry_not_changed"
NOT_DELETED = "training_credits_entry_not_deleted"
REFUSE = "training_credits_refuse"

REFUSE_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION {REFUSE}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'Ledger entries are never %.', TG_ARGV[0]
        USING ERRCODE = 'restrict_violation';
    END $$
"""

TRIGGERS = {
    # For each row and not for a statement: `loaddata` tries an UPDATE that meets no
    # row before it inserts. TRUNCATE stays allowed: `flush` is one.
    "postgresql": {
        NOT_CHANGED: f"""
            CREATE TRIGGER {{name}} BEFORE UPDATE ON {{table}}
            FOR EACH ROW EXECUTE FUNCTION {REFUSE}('changed')
        """,
        NOT_DELETED: f"""
            CREATE TRIGGER {{name}} BEFORE DELETE ON {{table}}
            FOR EACH ROW EXECUTE FUNCTION {REFUSE}('deleted')
        """,
    },
    # Here `flush` deletes rows, with the checks of foreign keys switched off. Whoever
    # does that has given up the integrity of every table.
    "mysql": {
        NOT_CHANGED: """
            CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW
            SIGNAL SQLSTATE '45000'
            SET MESSAGE_TEXT = 'Ledger entries are never changed.'
        """,
        NOT_DELETED: """
            CREATE TRIGGER {name} BEFORE DELETE ON {table} FOR EACH ROW
            IF @@SESSION.foreign_key_checks THEN
                SIGNAL SQLSTATE '45000'
                SET MESSAGE_TEXT = 'Ledger entries are never deleted.';
            END IF
        """,
    },
    # Here `flush` deletes rows like anybody else, so deleting can't be forbidden.
    "sqlite": {
        NOT_CHANGED: """
            CREATE TRIGGER {name} BEFORE UPDATE ON {table}
            BEGIN SELECT RAISE(ABORT, 'Ledger entries are never changed.'); END
        """,
    },
}

PRESENT = {
    "postgresql": """
        SELECT tgname FROM pg_trigger
        WHERE tgrelid = to_regclass(%s) AND tgenabled IN ('O', 'A')
    """,
    "mysql": """
        SELECT trigger_name FROM information_schema.triggers
        WHERE event_object_schema = DATABASE() AND event_object_table = %s
    """,
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s",
}


def create_triggers(apps: Any, schema_editor: Any) -> None:
    """Put the triggers on the table of entries. Safe to repeat."""
    drop_triggers(apps, schema_editor)
    connection = schema_editor.connection
    if connection.vendor == "postgresql":
        schema_editor.execute(REFUSE_FUNCTION, params=None)
    table = _quoted_table(apps, connection)
    for name, sql in TRIGGERS.get(connection.vendor, {}).items():
        schema_editor.execute(sql.format(name=name, table=table), params=None)


def drop_triggers(apps: Any, schema_editor: Any) -> None:
    """Take the triggers off the table of entries, if they are there."""
    connection = schema_editor.connection
    is_postgresql = connection.vendor == "postgresql"
    table = f" ON {_quoted_table(apps, connection)}" if is_postgresql else ""
    for name in TRIGGERS.get(connection.vendor, {}):
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}{table}", params=None)
    if is_postgresql:
        schema_editor.execute(f"DROP FUNCTION IF EXISTS {REFUSE}()", params=None)


def keep_entries() -> migrations.RunPython:
    """Return the operation that puts the triggers back, whichever way it is run."""
    return migrations.RunPython(create_triggers, create_triggers, atomic=False)


def missing_triggers(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    """Return the names of the triggers that ought to be on `table` and are not."""
    vendor = connection.vendor
    if vendor not in TRIGGERS:
        return []
    with connection.cursor() as cursor:
        cursor.execute(PRESENT[vendor], [table])
        present = {name for (name,) in cursor.fetchall()}
    return [name for name in TRIGGERS[vendor] if name not in present]


def _quoted_table(apps: Any, connection: BaseDatabaseWrapper) -> str:
    table = apps.get_model(*MODEL)._meta.db_table
    return connection.ops.quote_name(table)
