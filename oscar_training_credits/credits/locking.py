"""Locks on rows that let others refer to them meanwhile, where the database can.

A plain `FOR UPDATE` also holds up whoever writes a row with a foreign key to the locked
one, until the end of the transaction, and a deferred key even in its COMMIT, which no
time-out ends.
"""

from __future__ import annotations

from typing import TypeVar

from django.db import connections
from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


def for_update(rows: QuerySet[M]) -> QuerySet[M]:
    """Lock these rows, when they are read, until the transaction ends."""
    features = connections[rows.db].features
    return rows.select_for_update(no_key=features.has_select_for_no_key_update)


def lock_by_key(rows: QuerySet[M]) -> list[M]:
    """Find these rows, lock them by primary key, in its order, and return them.

    For rows that somebody may delete meanwhile; those that are gone are left out. What
    finds the rows must not change. InnoDB locks an index from which it reads before the
    row, and a DELETE locks the row before its indexes: the two wait for each other.
    """
    keys = list(rows.values_list("pk", flat=True))
    if not keys:
        return []
    found = rows.model._default_manager.using(rows.db).filter(pk__in=keys)
    return list(for_update(found.order_by("pk")))
