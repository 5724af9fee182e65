"""The database that the tests run on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from pathlib import Path
from typing import Any

import dj_database_url

DESCRIBE_MODELS = {"django_content_type", "auth_permission"}


def chosen(*, scratch: Path) -> dict[str, Any]:
    """Return the settings of the database that DATABASE_URL names, or of SQLite."""
    url = os.environ.get("DATABASE_URL", "")
    if not url or url.startswith("sqlite"):
        return sqlite(scratch / "test.sqlite3")
    if url.startswith("mysql"):
        return mysql(url)
    return dict(dj_database_url.parse(url))


def sqlite(path: Path) -> dict[str, Any]:
    # A file and not memory: the live server's threads get connections and locks
    # of their own, as on a real site.
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;",
        },
        "TEST": {"NAME": str(path)},
    }


def mysql(url: str) -> dict[str, Any]:
    import pymysql

    pymysql.install_as_MySQLdb()
    settings = dict(dj_database_url.parse(url))
    settings["OPTIONS"] = {"charset": "utf8mb4", **settings.get("OPTIONS", {})}
    settings["TEST"] = {"CHARSET": "utf8mb4"}
    return settings


def migrations_digest() -> str:
    """Return a name for the database that today's migrations build."""
    from django.apps import apps
    from django.conf import settings

    digest = hashlib.sha256(repr(settings.LANGUAGE_CODE).encode())
    for package in ("Django", "django-oscar", "wagtail"):
        digest.update(importlib.metadata.version(package).encode())
    for app in apps.get_app_configs():
        digest.update(app.name.encode())
        for pattern in ("migrations/*.py", "models.py", "models/*.py"):
            for file in sorted(Path(app.path).glob(pattern)):
                digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:20]


def spread_keys() -> None:
    """Let the keys of each table of an SQLite database begin at a thousand of its own.

    Where every first row is number 1, code that takes the key of one row for that of
    another still finds the right one. Elsewhere numbers go on from test to test, and
    differ soon enough; SQLite's are rolled back with the rows.
    """
    from django.apps import apps
    from django.db import connection

    tables = [model._meta.db_table for model in apps.get_models()]
    with connection.cursor() as cursor:
        for number, table in enumerate(tables, start=1):
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            cursor.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)",
                [table, number * 1_000],
            )


def empty_tables() -> None:
    """Take away what a test has committed, as Django's `flush` does.

    `flush` empties some 250 tables that are empty already, and the two that describe
    the models, which it then fills again with what it deleted.
    """
    from django.contrib.sites.management import create_default_site
    from django.core.management import call_command
    from django.core.management.color import no_style
    from django.db import connection

    if connection.vendor == "postgresql" and not _is_superuser():
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
        return
    tables = tables_with_rows() - DESCRIBE_MODELS
    if connection.vendor == "postgresql":
        quoted = map(connection.ops.quote_name, sorted(tables))
        # Neither foreign keys nor the ledger's triggers hinder a replica.
        statements = ["SET LOCAL session_replication_role = replica"]
        statements += [f"DELETE FROM {table}" for table in quoted]  # noqa: S608
    else:
        statements = connection.ops.sql_flush(no_style(), sorted(tables))
    connection.ops.execute_sql_flush(statements)
    create_default_site(None, verbosity=0)


def tables_with_rows() -> set[str]:
    """Return the names of the models' tables that are not empty."""
    from django.db import connection

    names = connection.introspection.django_table_names(include_views=False)
    quoted = map(connection.ops.quote_name, names)
    questions = ", ".join(
        f"EXISTS (SELECT 1 FROM {table})"  # noqa: S608
        for table in quoted
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {questions}")
        answers = cursor.fetchone()
    return {name for name, has_rows in zip(names, answers, strict=True) if has_rows}


def _is_superuser() -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


def reading_codes() -> int:
    """Return in how many queries the codes on a basket are read with their credits."""
    from django.db import connection

    return 1 if connection.vendor == "postgresql" else 2
