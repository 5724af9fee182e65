"""Indexes by which PostgreSQL finds a piece of a text among a million codes.

They need the extension pg_trgm. Where that is not installed, and whoever migrates may
not install it, the search is as right, and slower: it reads all codes.
"""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, transaction

NAME = "training_credits_code_label_part"
HOLDER_NAME = "training_credits_code_holder_part"


def create_label_index(apps: Any, schema_editor: Any) -> None:
    """Make the index of labels, if this is PostgreSQL and lets it be made."""
    _create(apps, schema_editor, NAME, "label")


def create_holder_index(apps: Any, schema_editor: Any) -> None:
    """Make the index of holders and references, if PostgreSQL lets it be made."""
    _create(apps, schema_editor, HOLDER_NAME, "holder", "reference")


def drop_label_index(apps: Any, schema_editor: Any) -> None:
    _drop(schema_editor, NAME)


def drop_holder_index(apps: Any, schema_editor: Any) -> None:
    _drop(schema_editor, HOLDER_NAME)


def _create(apps: Any, schema_editor: Any, name: str, *columns: str) -> None:
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    table = apps.get_model("training_credits", "CreditCode")._meta.db_table
    # As Django writes `icontains`.
    parts = [f"UPPER({column}::text) gin_trgm_ops" for column in columns]
    try:
        with transaction.atomic(using=connection.alias):
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            schema_editor.execute(
                f"CREATE INDEX {name} ON {connection.ops.quote_name(table)}"
                f" USING gin ({', '.join(parts)})"
            )
    except DatabaseError:
        # Not allowed, or not there: docs/performance.md says how to do it later.
        return


def _drop(schema_editor: Any, name: str) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX IF EXISTS {name}")
