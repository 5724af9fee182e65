"""A shop that has issued a million codes, and five million movements of credits.

Rows are copied from one order that was placed as any other, and differ by their number.
"""
# ruff: noqa: S608

from __future__ import annotations

import time
from datetime import timedelta
from math import ceil
from typing import Any

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402
from oscar.core.loading import get_model  # noqa: E402

from oscar_training_credits.credits.api_tokens import issue_token  # noqa: E402
from oscar_training_credits.credits.models import CreditCode, Scope  # noqa: E402
from oscar_training_credits.test.factories import (  # noqa: E402
    make_issued,
    make_learner,
    make_training,
)
from tests.support.orders import place_order  # noqa: E402

from .ledger import NEXT_KEY, STORED_COLUMNS, make_tables  # noqa: E402
from .rows import CALLS, PAGES, REPORTS  # noqa: E402
from .serving import QUICK, Case, serve  # noqa: E402

FIRST = 1_000
BLOCKS = 100 if QUICK else 100_000
"""Of ten codes each: five are unused, three partly, one is used up, one has little."""
CODES = 10 * BLOCKS
ORDERS = 37 * BLOCKS
LONG = 1_000 if QUICK else 100_000
"""How many orders were paid with one and the same code."""
LEARNERS = 200 if QUICK else 200_000
PRODUCTS = 50
TEXT = "BENCHMARK-OF-A-MILLION"

# n numbers the codes, from 1; three holders in ten have a tenth of all codes each.
CODE_ROWS = f"""
    SELECT n, created, CASE WHEN n / 7 % 10 > 2
      THEN created + interval '1 day' * (300 + n * 31 % 400) END AS expires
    FROM (
      SELECT n, now() - interval '3 years'
        * (1 - CASE WHEN n = {CODES} THEN 0.75 ELSE n / {CODES}.0 END) AS created
      FROM generate_series(1, {CODES}::bigint) AS n
    ) AS numbers
"""
# n numbers the orders, from 0, and those of a code are not beside one another.
ORDER_ROWS = f"""
    SELECT n, code, place, each, grants.created_at
      + (now() - grants.created_at) * (place + 1) / (number + 1) AS at
    FROM (
      SELECT n, {FIRST} + m / 37 * 10 + CASE
          WHEN r < 12 THEN 5 + r / 4 WHEN r < 22 THEN 8 ELSE 9 END AS code,
        CASE WHEN r < 12 THEN r % 4 WHEN r < 22 THEN r - 12 ELSE r - 22 END AS place,
        CASE WHEN r < 12 THEN 4 WHEN r < 22 THEN 10 ELSE 15 END AS number,
        CASE WHEN r BETWEEN 12 AND 21 THEN 10 ELSE 5 END AS each
      FROM generate_series(0, {ORDERS - 1}::bigint) AS n,
        LATERAL (SELECT n * 1000003 % {ORDERS} AS m) AS shuffled,
        LATERAL (SELECT m % 37 AS r) AS kinds
      UNION ALL
      SELECT n, {FIRST + CODES}, n - {ORDERS}, {LONG}, 1
      FROM generate_series({ORDERS}::bigint, {ORDERS + LONG - 1}) AS n
    ) AS numbers
    JOIN training_credits_creditgrant AS grants ON grants.id = code
"""
LEFT = f"""CASE WHEN n = {CODES} THEN {LONG} * 9 ELSE
    (ARRAY[100, 100, 100, 100, 100, 80, 80, 80, 0, 25])[n % 10 + 1] END"""
LABELS = "ARRAY['spring cohort', 'autumn academy', 'managers', 'evening course']"

TABLES: list[tuple[str, str, dict[str, str]]] = [
    (
        "training_credits_creditcode",
        CODE_ROWS,
        {
            "id": f"{FIRST} + n",
            "digest": "md5(n::text) || md5('more' || n)",
            "last_four": "upper(substr(md5(n::text), 1, 4))",
            "label": f"({LABELS})[n / 3 % 4 + 1] || ', no. ' || n",
            "reference": "'C-' || n / 5",
            "holder": "CASE WHEN n / 10 % 10 < 3 THEN 'Great customer ' || n / 10 % 10"
            " ELSE 'Customer ' || n % 20011 END",
            "state": "CASE WHEN n % 50 = 7 THEN 'disabled'"
            " WHEN n % 100 = 13 THEN 'closed' ELSE 'active' END",
            "expires_at": "expires",
            "starts_at": "CASE WHEN n % 50 = 3 AND expires IS NULL"
            " THEN now() + interval '30 days' END",
            "content_id": "CASE WHEN n % 20 = 1 THEN n / 20 % 5 + 1 END",
            "is_test": "n % 1000 = 5",
            "created_at": "created",
        },
    ),
    (
        "training_credits_creditgrant",
        CODE_ROWS,
        {
            "id": f"{FIRST} + n",
            "code_id": f"{FIRST} + n",
            "credits": f"CASE WHEN n = {CODES} THEN {LONG} * 10 ELSE 100 END",
            "remaining": LEFT,
            "paid_amount": "CASE WHEN n % 3 = 0 THEN 240 END",
            "paid_currency": "CASE WHEN n % 3 = 0 THEN 'GBP' ELSE '' END",
            "created_at": "created",
        },
    ),
    (
        "training_credits_creditgrant",
        f"{CODE_ROWS} WHERE n % 10 = 0",
        {
            "id": f"{FIRST + CODES} + n",
            "code_id": f"{FIRST} + n",
            "credits": "20",
            "remaining": "20",
            "origin": "'goodwill'",
            "expires_at": "created + interval '1 year'",
            "created_at": "created",
        },
    ),
    (
        "training_credits_codechange",
        CODE_ROWS,
        {"id": f"{FIRST} + n", "code_id": f"{FIRST} + n", "changed_at": "created"},
    ),
    (
        "order_order",
        ORDER_ROWS,
        {
            "id": f"{FIRST} + n",
            "number": "'copy-' || n",
            "basket_id": "NULL",
            "user_id": f"{FIRST} + n % {LEARNERS}",
            "date_placed": "at",
        },
    ),
    (
        "order_line",
        ORDER_ROWS,
        {
            "id": f"{FIRST} + n",
            "order_id": f"{FIRST} + n",
            "product_id": f"(SELECT min(id) FROM catalogue_product) + n % {PRODUCTS}",
            "title": f"'Course ' || n % {PRODUCTS}",
        },
    ),
    (
        "training_credits_settledline",
        ORDER_ROWS,
        {
            "id": f"{FIRST} + n",
            "order_line_id": f"{FIRST} + n",
            "unit_credits": "each",
            "quantity": "1",
        },
    ),
    (
        "training_credits_redemption",
        ORDER_ROWS,
        {
            "id": f"{FIRST} + n",
            "order_id": f"{FIRST} + n",
            "order_number": "'copy-' || n",
            "basket_id": "NULL",
            "code_id": "code",
            "learner_id": f"{FIRST} + n % {LEARNERS}",
            "credits": "each",
            "created_at": "at",
        },
    ),
    (
        "training_credits_redemptionline",
        ORDER_ROWS,
        {
            "id": f"{FIRST} + n",
            "redemption_id": f"{FIRST} + n",
            "grant_id": "code",
            "unit_credits": "each",
            "credits": "each",
            "settled_line_id": f"{FIRST} + n",
        },
    ),
    (
        "training_credits_ledgerentry",
        f"""SELECT * FROM training_credits_creditgrant AS grants
            WHERE grants.id > {FIRST} ORDER BY grants.created_at""",
        {
            "id": "DEFAULT",
            "grant_id": "of.id",
            "change_id": "of.code_id",
            "credits": "of.credits",
            "balance": "of.credits",
            "created_at": "of.created_at",
        },
    ),
    (
        "training_credits_ledgerentry",
        ORDER_ROWS,
        {
            "id": "DEFAULT",
            "grant_id": "code",
            "redemption_id": f"{FIRST} + n",
            "change_id": "NULL",
            "kind": "CASE WHEN n % 40 = 0 THEN 'hold' ELSE 'redeem' END",
            "credits": "-each",
            "balance": f"CASE WHEN code = {FIRST + CODES} THEN {LONG} * 10 ELSE 100 END"
            " - each * (place + 1)",
            "created_at": "at",
        },
    ),
]
TURNED_AWAY = f"""
    INSERT INTO training_credits_turnedaway (code_id, learner_id, reason, day, times)
    SELECT {FIRST} + n * 7 % {CODES} + 1, {FIRST} + n % {LEARNERS},
      (ARRAY['spent', 'expired', 'not_enough'])[n % 3 + 1],
      current_date - (n % 400)::int, 1 + n % 3
    FROM generate_series(0, {CODES // 2 - 1}::bigint) AS n
"""


def make() -> None:
    """Fill the tables; on PostgreSQL alone, by a superuser."""
    learner = make_learner()
    issued, product = make_issued(100), make_training(credits=1).product
    place_order(learner, (product, 1), text=issued.text)
    for _number in range(PRODUCTS - 1):
        make_training(credits=1)
    for number in range(5):
        get_model("offer", "Range").objects.create(name=f"Range {number}")
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        indexes = dropped_indexes(cursor)
        copy_learners(cursor, learner)
        for table, rows, values in TABLES:
            copy(cursor, table, rows, values)
        cursor.execute(TURNED_AWAY)
        for index in indexes:
            cursor.execute(index)
        cursor.execute("SET session_replication_role = DEFAULT")
        for table in sorted({table for table, _rows, _values in TABLES}):
            cursor.execute(NEXT_KEY.format(table=table))
        cursor.execute("VACUUM ANALYZE")


def dropped_indexes(cursor: Any) -> list[str]:
    """Drop what would slow the rows down, and return how it is made again."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s)"
        " AND indexname NOT IN (SELECT conname FROM pg_constraint)",
        [[table for table, _rows, _values in TABLES]],
    )
    indexes = cursor.fetchall()
    for name, _definition in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    return [definition for _name, definition in indexes]


def copy_learners(cursor: Any, learner: Any) -> None:
    table = get_user_model()._meta.db_table
    values = {
        "id": f"{FIRST} + n",
        "username": "'person' || n",
        "email": "'person' || n || '@example.com'",
    }
    copy(cursor, table, f"SELECT generate_series(0, {LEARNERS - 1}) AS n", values)


def copy(cursor: Any, table: str, rows: str, values: dict[str, str]) -> None:
    cursor.execute(STORED_COLUMNS, [table])
    names = [name for (name,) in cursor.fetchall() if values.get(name) != "DEFAULT"]
    chosen = [values.get(name, f'copied."{name}"') for name in names]
    columns = ", ".join(f'"{name}"' for name in names)
    cursor.execute(
        f"INSERT INTO {table} ({columns}) SELECT {', '.join(chosen)}"
        f" FROM ({rows}) AS of, {table} AS copied"
        f" WHERE copied.id = (SELECT min(id) FROM {table})"
    )


def p95(client: Client, address: str) -> Case:
    """Return what measures the milliseconds that 95 of 100 requests take at most."""

    def view() -> float:
        taken(client, address)
        times = sorted(taken(client, address) for _time in range(2 if QUICK else 40))
        return times[ceil(len(times) * 0.95) - 1]

    return view


def taken(client: Client, address: str) -> float:
    began = time.perf_counter()
    response = client.get(address)
    if response.status_code != 200:
        raise RuntimeError(f"{address}: {response.status_code}")
    return (time.perf_counter() - began) * 1000


def cases() -> dict[str, Case]:
    client = Client()
    client.force_login(make_learner(is_staff=True, is_superuser=True))
    address = reverse("training_credits:code-list")
    one, longest = CreditCode.objects.earliest("pk"), CreditCode.objects.latest("pk")
    found = {name: p95(client, address + query) for name, query in PAGES.items()}
    for name, code in (("a code", one), ("a code of 100,000 orders", longest)):
        page = reverse("training_credits:code-detail", args=[code.pk])
        found[name] = p95(client, page)
    found.update(calls(longest))
    for name, (view, query) in REPORTS.items():
        found[f"report {name}"] = report(client, view, query)
    return found


def calls(longest: CreditCode) -> dict[str, Case]:
    """Return what measures calls of the API, by the titles of their rows."""
    user = make_learner(is_staff=True, is_superuser=True)
    token = issue_token(user, name="Benchmark", scopes=[Scope.CODES_READ]).text
    client, root = Client(headers={"Authorization": f"Bearer {token}"}), "/api/training"
    return {
        f"API {title}": p95(client, f"{root}/{call.format(longest=longest.pk)}")
        for title, call in CALLS.items()
    }


def report(client: Client, view: str, query: str) -> Case:
    """Return what measures the seconds that a report takes, of so many days."""
    asked, _and, days = query.partition("&days=")
    if days:
        first = timezone.localdate() - timedelta(days=int(days))
        asked += f"&first_day={first}&last_day={timezone.localdate()}"
    address = reverse(f"training_credits:{view}")
    return lambda: taken(client, f"{address}?{asked}") / 1000


if __name__ == "__main__":
    make_tables()
    setup_test_environment()
    make()
    serve(cases())
