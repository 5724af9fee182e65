"""The package on its own site: spending, pages of courses, purchases in place."""

from __future__ import annotations

import itertools
import time
from typing import Any

import django

django.setup()

from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402
from django.utils import timezone  # noqa: E402
from oscar.core.loading import get_model  # noqa: E402

from oscar_training_credits.credits.codes.issuing import (  # noqa: E402
    issue_code,
    issue_codes,
)
from oscar_training_credits.credits.ledger import redemption  # noqa: E402
from oscar_training_credits.credits.ledger.quoting import Item  # noqa: E402
from oscar_training_credits.credits.models import AppliedCode  # noqa: E402
from oscar_training_credits.test.factories import (  # noqa: E402
    make_learner,
    make_product,
)
from tests.shop.direct_purchase.test_direct_purchase import Buyer  # noqa: E402
from tests.support.pages import course_index, make_course  # noqa: E402

from . import notices  # noqa: E402
from .ledger import make_tables  # noqa: E402
from .serving import (  # noqa: E402
    CLIENTS,
    QUICK,
    SECONDS,
    Case,
    Spend,
    milliseconds,
    once,
    serve,
    spends_a_second,
)

MANY = 20 if QUICK else 10_000
CREDITS = 50_000_000
CODE = "BENCHMARK-2026"
SPENT: list[int] = []
READY = int(SECONDS * 200) + 20
"""How many orders wait for each client: more than it can pay."""

# Spending: the rows that one order of one line and one code needs, and no more.

BARE_TABLES = """
    CREATE TABLE bare_grant (
        id integer PRIMARY KEY, remaining integer NOT NULL CHECK (remaining >= 0)
    );
    CREATE TABLE bare_entry (
        grant_id integer NOT NULL REFERENCES bare_grant, reference varchar(40) NOT NULL,
        credits integer NOT NULL, created_at timestamp NOT NULL,
        PRIMARY KEY (grant_id, reference)
    )
"""
TAKE = (
    "UPDATE bare_grant SET remaining = remaining - 1 WHERE id = %s AND remaining >= 1"
)
ENTER = "INSERT INTO bare_entry VALUES (%s, %s, -1, %s)"


def bare(codes: int) -> Case:
    """A conditional UPDATE and an INSERT, in a transaction, by the same driver."""

    def prepare(number: int) -> Spend:
        keys = itertools.cycle(range(1 + number % codes, codes + 1))
        tag, numbers = time.time_ns(), itertools.count()

        def spend() -> None:
            key = next(keys)
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(TAKE, [key])
                reference = f"{tag}-{number}-{next(numbers)}"
                cursor.execute(ENTER, [key, reference, timezone.now()])

        return spend

    return lambda: spends_a_second(prepare)


def ours(codes: int) -> Case:
    """All rules asked, under the lock, and the order's credits redeemed."""

    def measure() -> float:
        waiting = prepare_orders(codes)

        def prepare(number: int) -> Spend:
            mine = iter(waiting[number::CLIENTS])
            return lambda: spend(*next(mine))

        return spends_a_second(prepare)

    return measure


def spend(basket: Any, order: Any, learner: Any) -> None:
    item = Item(key=basket.pk, product_id=1, unit_credits=1, quantity=1)
    with transaction.atomic():
        quote = redemption.lock_and_quote(
            [item], basket=basket, learner=learner, order_number=order.number
        )
        redemption.redeem(order, quote, learner=learner)


def prepare_orders(codes: int) -> list[tuple[Any, Any, Any]]:
    """Return baskets with a code applied, each with the order that it becomes."""
    Basket, Order = get_model("basket", "Basket"), get_model("order", "Order")
    tag, numbers = time.time_ns(), range(READY * CLIENTS)
    # Each client is a learner: the rows of orders of one alone lock theirs together.
    learners = [make_learner() for _client in range(CLIENTS)] * READY
    baskets = Basket.objects.bulk_create(Basket(owner=each) for each in learners)
    zero = dict.fromkeys(
        (
            "total_incl_tax",
            "total_excl_tax",
            "shipping_incl_tax",
            "shipping_excl_tax",
        ),
        0,
    )
    orders = Order.objects.bulk_create(
        Order(
            number=f"{tag}-{number}",
            basket=basket,
            user=basket.owner,
            currency="GBP",
            date_placed=timezone.now(),
            **zero,
        )
        for number, basket in zip(numbers, baskets, strict=True)
    )
    AppliedCode.objects.bulk_create(
        AppliedCode(basket=basket, code_id=SPENT[number % codes])
        for number, basket in zip(numbers, baskets, strict=True)
    )
    return list(zip(baskets, orders, learners, strict=True))


# Pages of courses, and purchases in place


def visited(client: Client, page: Any) -> Case:
    return lambda: milliseconds(lambda: client.get(page.url))


def purchase() -> float:
    buyer = Buyer(make_course(make_product(), credits=1))
    buyer.box(CODE)
    page = buyer.page()
    taken = once(lambda: buyer.confirm(page))
    buyer.order()
    return taken


def cases() -> dict[str, Case]:
    bare_page = make_course(None)
    course = make_course(make_product(), credits=1)
    learner, holder = Buyer(course), Buyer(course)
    holder.box(CODE)
    return {
        "bare hot": bare(1),
        "bare many": bare(MANY),
        "ours hot": ours(1),
        "ours many": ours(MANY),
        "page bare": visited(Client(), bare_page),
        "page visitor": visited(Client(), course),
        "page bare learner": visited(learner.client, bare_page),
        "page learner": visited(learner.client, course),
        "page bare holder": visited(holder.client, bare_page),
        "page code applied": visited(holder.client, course),
        "purchase in place": purchase,
        "page alone": notices.page_alone(course.url),
        "page while sending": notices.page_while_sending(course.url),
    }


def prepare() -> None:
    make_tables()
    setup_test_environment()
    with connection.cursor() as cursor:
        for statement in BARE_TABLES.split(";"):
            cursor.execute(statement)
        cursor.executemany(
            "INSERT INTO bare_grant VALUES (%s, %s)",
            [(number, CREDITS) for number in range(1, MANY + 1)],
        )
    issue_code(label="Benchmark", credits=900_000_000, text=CODE)
    for chunk in issue_codes(MANY, label="Benchmark", credits=CREDITS):
        SPENT.extend(issued.code.pk for issued in chunk)
    course_index()


if __name__ == "__main__":
    prepare()
    serve(cases())
