"""Triggers with which the database refuses a stale row that is written as a whole.

A service's UPDATE names its own columns and nothing else; one that writes a row back as
somebody remembers it names all of them. PostgreSQL and SQLite tell a trigger which
columns are named, so there it fires for the second kind alone, and costs a service
nothing. MariaDB does not.

They are made after every `migrate` where they are missing, as SQLite loses them when a
migration copies their table.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from .models.columns import ServiceColumns

FUNCTION = "training_credits_refuse_stale"
REFUSED = "is written by a service, which names no other column."

CREATE_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% {REFUSED}', TG_ARGV[0]
        USING ERRCODE = 'restrict_violation';
    END $$
"""

TRIGGER = {
    "postgresql": f"""
        CREATE TRIGGER {{name}} BEFORE UPDATE OF {{row_column}} ON {{table}}
        FOR EACH ROW WHEN ({{changed}}) EXECUTE FUNCTION {FUNCTION}('{{columns}}')
    """,
    "sqlite": f"""
        CREATE TRIGGER {{name}} BEFORE UPDATE OF {{row_column}} ON {{table}}
        WHEN {{changed}}
        BEGIN SELECT RAISE(ABORT, '{{columns}} {REFUSED}'); END
    """,
}
DIFFERS = {"postgresql": "IS DISTINCT FROM", "sqlite": "IS NOT"}
PRESENT = {
    "postgresql": "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A')",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
}


def guarded_models() -> list[type[ServiceColumns]]:
    """Return the models whose tables the database guards."""
    models = apps.get_app_config("training_credits").get_models()
    return [
        model
        for model in models
        if issubclass(model, ServiceColumns) and model.ROW_COLUMN
    ]


def missing_guards(connection: BaseDatabaseWrapper) -> list[type[ServiceColumns]]:
    """Return the models whose tables ought to have a guard and have none."""
    if connection.vendor not in TRIGGER:
        return []
    with connection.cursor() as cursor:
        cursor.execute(PRESENT[connection.vendor])
        present = {name for (name,) in cursor.fetchall()}
        missing = [each for each in guarded_models() if name_of(each) not in present]
        tables = connection.introspection.table_names(cursor) if missing else []
        return [
            model
            for model in missing
            if model._meta.db_table in tables
            and _guarded_columns(model) <= _columns_of(model, connection, cursor)
        ]


def name_of(model: type[ServiceColumns]) -> str:
    """Return the name of a table's guard."""
    return f"{model._meta.db_table}_not_stale"


def create_guards(sender: Any, *, using: str, **kwargs: Any) -> None:
    """Put the guards that are missing on their tables, after a migration."""
    connection = connections[using]
    missing = [
        model
        for model in missing_guards(connection)
        if router.allow_migrate_model(using, model)
    ]
    if not missing:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(CREATE_FUNCTION)
        for model in missing:
            cursor.execute(_trigger(model, connection))


def _trigger(model: type[ServiceColumns], connection: BaseDatabaseWrapper) -> str:
    quote = connection.ops.quote_name
    columns = [_column(model, name) for name in sorted(model.SERVICE_COLUMNS)]
    differs = DIFFERS[connection.vendor]
    changed = [f"OLD.{quote(name)} {differs} NEW.{quote(name)}" for name in columns]
    return TRIGGER[connection.vendor].format(
        name=quote(name_of(model)),
        row_column=quote(_column(model, model.ROW_COLUMN)),
        table=quote(model._meta.db_table),
        changed=" OR ".join(changed),
        columns=", ".join(columns),
    )


def _guarded_columns(model: type[ServiceColumns]) -> set[str]:
    names = {*model.SERVICE_COLUMNS, model.ROW_COLUMN}
    return {_column(model, name) for name in names}


# Fewer than the model has, or by older names, where a site has migrated back.
def _columns_of(
    model: type[ServiceColumns], connection: BaseDatabaseWrapper, cursor: Any
) -> set[str]:
    describe = connection.introspection.get_table_description
    return {column.name for column in describe(cursor, model._meta.db_table)}


def _column(model: type[ServiceColumns], name: str) -> str:
    field: Any = model._meta.get_field(name)
    column: str = field.column
    return column
