"""The database itself keeps ledger entries, whoever speaks to it."""

from __future__ import annotations

from functools import partial
from io import StringIO
from itertools import islice

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, connection, migrations, models, transaction
from django.db.migrations.state import ProjectState

from oscar_training_credits.credits.ledger import auditing, triggers
from oscar_training_credits.credits.models import CreditGrant, LedgerEntry
from oscar_training_credits.test.factories import make_code

pytestmark = pytest.mark.all_databases

TABLE = LedgerEntry._meta.db_table
TRIGGERS = list(triggers.TRIGGERS[connection.vendor])
NO_DELETE_TRIGGER = "SQLite's own flush deletes row by row, so it has no such trigger"


def run(sql: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def missing() -> list[str]:
    return triggers.missing_triggers(connection, TABLE)


def functions() -> int:
    """Count the triggers' function, on a database that has such things."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        named = "SELECT COUNT(*) FROM pg_proc WHERE proname = %s"
        cursor.execute(named, [triggers.REFUSE])
        return cursor.fetchone()[0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "credits = 1",
        "balance = balance + 1",
        "created_at = NULL",
        "grant_id = 0",
        "credits = credits",
    ],
)
def test_sql_cannot_change_an_entry(change):
    make_code(50)

    with pytest.raises(DatabaseError, match="never changed"):
        run(f"UPDATE {TABLE} SET {change}")  # noqa: S608

    assert LedgerEntry.objects.get().credits == 50


@pytest.mark.django_db
@pytest.mark.skipif("connection.vendor == 'sqlite'", reason=NO_DELETE_TRIGGER)
def test_sql_cannot_delete_an_entry():
    make_code(50)

    with pytest.raises(DatabaseError, match="never deleted"):
        run(f"DELETE FROM {TABLE}")  # noqa: S608

    assert LedgerEntry.objects.count() == 1


@pytest.mark.django_db
def test_all_triggers_are_there_after_all_migrations():
    assert missing() == []


@pytest.mark.django_db
def test_a_change_that_meets_no_entry_is_nothing():
    run(f"UPDATE {TABLE} SET credits = 1 WHERE id = 0")  # noqa: S608
    run(f"DELETE FROM {TABLE} WHERE id = 0")  # noqa: S608


@pytest.mark.django_db(transaction=True)
def test_a_site_can_be_flushed():
    make_code(50)

    call_command("flush", interactive=False, verbosity=0)

    assert not LedgerEntry.objects.exists()
    assert missing() == []


@pytest.mark.django_db(transaction=True)
def test_a_dump_can_be_loaded(tmp_path):
    make_code(50)
    dump = StringIO()
    call_command("dumpdata", "training_credits", stdout=dump)
    call_command("flush", interactive=False, verbosity=0)
    file = tmp_path / "dump.json"
    file.write_text(dump.getvalue())

    call_command("loaddata", file, verbosity=0)

    assert LedgerEntry.objects.get().credits == 50


@pytest.fixture
def migrate(transactional_db):
    """A way to migrate; all the way forward again afterwards."""
    yield partial(call_command, "migrate", verbosity=0)
    if missing():
        call_command("migrate", verbosity=0)


def test_the_tables_go_and_come_with_their_triggers(migrate):
    before = functions()

    migrate("training_credits", "zero")

    assert TABLE not in connection.introspection.table_names()
    assert functions() == 0

    # All apps, as others have tables that refer to these.
    migrate()

    assert missing() == []
    assert functions() == before


@pytest.fixture
def without_triggers(transactional_db):
    with connection.schema_editor(atomic=False) as editor:
        triggers.drop_triggers(apps, editor)
    yield
    with connection.schema_editor(atomic=False) as editor:
        triggers.create_triggers(apps, editor)


def test_the_audit_misses_triggers_that_are_gone(without_triggers):
    make_code(50)

    assert missing() == TRIGGERS
    assert functions() == 0
    rows = islice(auditing.audit(), len(TRIGGERS))
    found = [(each.rule, each.model, each.pk) for each in rows]
    assert found == [("triggers", "ledgerentry", None)] * len(TRIGGERS)
    run(f"UPDATE {TABLE} SET credits = 40, balance = 40")  # noqa: S608
    run(f"DELETE FROM {TABLE}")  # noqa: S608
    CreditGrant.objects.all().delete()


def change_the_table(*operations: migrations.operations.base.Operation) -> None:
    """Do and undo what a later migration of the table would do."""
    migration = migrations.Migration("changed", "training_credits")
    migration.operations = list(operations)
    state = ProjectState.from_apps(apps)
    with connection.schema_editor(atomic=migration.atomic) as editor:
        migration.apply(state.clone(), editor)
    with connection.schema_editor(atomic=migration.atomic) as editor:
        migration.unapply(state, editor)


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_copies_the_table_can_put_them_back():
    longer = migrations.AlterField(
        "ledgerentry", "kind", models.CharField(max_length=11)
    )

    change_the_table(longer)
    lost = missing()
    change_the_table(triggers.keep_entries(), longer, triggers.keep_entries())

    assert lost == (TRIGGERS if connection.vendor == "sqlite" else [])
    assert missing() == []
