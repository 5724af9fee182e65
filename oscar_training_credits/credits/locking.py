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
