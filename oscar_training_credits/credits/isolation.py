"""Transactions in which a row that was waited for is read as it is then.

The services lock rows and read what decides after that. At *repeatable read* those
reads show the moment before the wait: on MariaDB silently, on PostgreSQL with an error
once the row is locked. So each service sets *read committed* for its own transaction,
whatever level the site has chosen, unless it is called inside one of the site's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DatabaseError, transaction

LEVELS = (
    "SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')"
)
SET_LEVEL = "SET SESSION TRANSACTION ISOLATION LEVEL "


@contextmanager
def own_transaction() -> Iterator[None]:
    """Do a service's work: all of it or nothing, and at *read committed*."""
    with read_committed(), transaction.atomic():
        yield


@contextmanager
def read_committed() -> Iterator[None]:
    """Let transactions that begin inside this read what has been committed by then.

    Inside a transaction it does nothing, as that has a level already.
    """
    connection: Any = transaction.get_connection()
    connection.ensure_connection()
    is_inside = connection.in_atomic_block or not connection.autocommit
    if is_inside or connection.vendor not in WAYS:
        yield
        return
    with WAYS[connection.vendor](connection):
        yield


@contextmanager
def _on_postgresql(connection: Any) -> Iterator[None]:
    """Let the driver say so when it begins a transaction: no statement more."""
    driver = connection.connection
    former = driver.isolation_level
    driver.isolation_level = type(connection.isolation_level).READ_COMMITTED
    try:
        yield
    finally:
        if not driver.closed:
            driver.isolation_level = former


@contextmanager
def _on_mysql(connection: Any) -> Iterator[None]:
    if connection.isolation_level == "read committed":  # Django's default
        yield
        return
    driver = connection.connection
    with connection.cursor() as cursor:
        cursor.execute(LEVELS)
        former = cursor.fetchall()[0][1].replace("-", " ")
        cursor.execute(SET_LEVEL + "READ COMMITTED")
    try:
        yield
    finally:
        if connection.connection is driver:
            # Where the connection is lost, so is its level.
            with suppress(DatabaseError), connection.cursor() as cursor:
                cursor.execute(SET_LEVEL + former)


WAYS = {"postgresql": _on_postgresql, "mysql": _on_mysql}
