"""No table keeps an index that another one serves as well: each costs every write."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection

pytestmark = pytest.mark.all_databases

MODELS = list(apps.get_app_config("training_credits").get_models())


def indexed_columns(model):
    """Return the columns of each index of a table, in order, by the index's name."""
    with connection.cursor() as cursor:
        table = model._meta.db_table
        found = connection.introspection.get_constraints(cursor, table)
    return {
        name: tuple(each["columns"])
        for name, each in found.items()
        if each["columns"]
        and (each["index"] or each["unique"] or each["primary_key"])
        and each.get("type", "btree") not in ("gin", "fulltext")
    }


def is_served(columns, others):
    return any(columns == other[: len(columns)] for other in others)


@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_index_begins_as_another_does(model):
    indexes = indexed_columns(model)

    doubled = [
        name
        for name, columns in indexes.items()
        if is_served(columns, [indexes[other] for other in indexes if other != name])
    ]

    assert doubled == []


@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_each_foreign_key_but_one_is_served_by_an_index(model):
    leading = {columns[0] for columns in indexed_columns(model).values()}

    unserved = {
        field.name
        for field in model._meta.concrete_fields
        if field.remote_field and field.column not in leading
    }

    if connection.vendor == "mysql":
        assert unserved == set()
    else:
        # Nobody asks for the entries of one change.
        assert unserved == ({"change"} if model.__name__ == "LedgerEntry" else set())
