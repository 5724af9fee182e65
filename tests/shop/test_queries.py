"""How many queries pages cost with the package, and without it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from oscar_training_credits import api
from oscar_training_credits.credits.ledger import postgresql
from oscar_training_credits.credits.models import TrainingProduct
from oscar_training_credits.test.factories import make_code, make_learner, make_product
from sandbox.academy.models import CoursePage

from ..support.pages import course_index, make_course
from .direct_purchase.test_direct_purchase import Buyer

pytestmark = pytest.mark.any_database

ROOT = Path(__file__).parent.parent.parent
PAGES = ["basket", "index", "shipping-method", "payment-details", "preview"]
TEN_BOOKS = [f"{page}, 10 books" for page in [*PAGES, "placing"]]
SPARED = {1: 0, 10: 9}
"""Oscar reads the stock of each line; with the package that is one query for all."""
PURCHASE = 42
AFTERWARDS = ["thank-you", "orders", "order"]


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """The queries of Oscar's pages without the package, and with it."""
    # Made by the first worker that asks: it takes two databases.
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    file = folder / "counts.json"
    with Path(folder, "counts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            file.write_text(json.dumps(count()))
    return json.loads(file.read_text())


def count():
    running = [start(with_credits=each) for each in ("", "1")]
    answers = [process.communicate() for process in running]
    assert not any(process.returncode for process in running), answers
    return [json.loads(out) for out, _errors in answers]


def start(*, with_credits):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.count_queries"],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.plain_settings",
            "WITH_CREDITS": with_credits,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def queries(client, address):
    """Count the queries of a page's second view: the first fills caches."""
    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        response = client.get(address)
    assert response.status_code == 200
    return len(captured)


# Oscar's own pages


def test_ordinary_products_cost_no_query_more(counts):
    plain, ours = counts

    dearer = {name: (n, ours[name]) for name, n in plain.items() if ours[name] > n}

    assert len(plain) > 20
    assert dearer == {}


def test_stock_of_ten_ordinary_lines_is_read_at_once(counts):
    plain, ours = counts

    spared = {page: plain[page] - ours[page] for page in TEN_BOOKS}

    assert {page: n for page, n in spared.items() if n < SPARED[10]} == {}


@pytest.mark.parametrize("number", [1, 50])
def test_a_list_of_training_costs_no_query_more(counts, number):
    plain, ours = counts

    assert ours[f"list, {number} training"] <= plain[f"list, {number} books"]


def test_the_page_of_a_training_product_costs_no_query_more(counts):
    plain, ours = counts

    assert ours["product page, training"] <= plain["product page, books"]


# Each code restricted to a range costs what Oscar asks to read the range, and two
# queries for its products: one for the rule, one for the split.
@pytest.mark.parametrize("lines", [1, 10])
@pytest.mark.parametrize(
    ("basket", "more"),
    [
        ("books with a code", 0),
        ("training with money", 2),
        ("training with a code", 3),
        ("training with two codes", 3),
        ("training with a code for all", 3 + 1 + 2),
        ("training with a code for some", 3 + 4 + 2),
    ],
)
def test_a_basket_costs_a_few_queries_more(counts, lines, basket, more):
    plain, ours = counts

    dearer = {
        page: ours[f"{page}, {lines} {basket}"] - plain[f"{page}, {lines} books"]
        for page in PAGES
    }

    more -= SPARED[lines]
    assert {page: n for page, n in dearer.items() if n > more} == {}


@pytest.mark.parametrize("lines", [1, 10])
@pytest.mark.parametrize("basket", ["training with money", "training with a code"])
def test_looking_at_an_order_costs_no_query_more(counts, lines, basket):
    plain, ours = counts

    dearer = {
        page: ours[f"{page}, {lines} {basket}"] - plain[f"{page}, {lines} books"]
        for page in AFTERWARDS
    }

    assert {page: n for page, n in dearer.items() if n > 0} == {}


@pytest.mark.parametrize(
    ("basket", "lines", "more"),
    [
        ("books", 1, -7),
        ("books", 10, -34),
        ("books with a code", 1, -7),
        ("books with a code", 10, -34),
        ("training with money", 1, 1),
        ("training with money", 10, -26),
        ("training with a code", 1, 8),
        ("training with a code", 10, -19),
        ("training with two codes", 10, -19),
    ],
)
def test_placing_an_order_costs_no_more_than_it_did(counts, basket, lines, more):
    # On SQLite, whatever else is tested; on PostgreSQL a code takes four less.
    plain, ours = counts

    dearer = ours[f"placing, {lines} {basket}"] - plain[f"placing, {lines} books"]

    assert dearer <= more


# Pages of courses


def add_courses(number):
    for _course in range(number):
        make_course(make_product(), credits=20)
    return course_index()


@pytest.mark.django_db
def test_prices_cost_a_list_of_course_pages_two_queries_at_any_length():
    few = queries(Client(), add_courses(2).url)
    index = add_courses(48)

    with_prices = queries(Client(), index.url)

    assert with_prices == few
    TrainingProduct.objects.all().delete()
    CoursePage.objects.update(credits=None)
    assert with_prices <= queries(Client(), index.url)
    CoursePage.objects.update(product=None)
    assert with_prices <= queries(Client(), index.url) + 2


@pytest.fixture
def bare(db):
    """A course page that sells nothing."""
    return make_course(None)


@pytest.fixture
def buyer(course):
    return Buyer(course)


def test_a_course_page_costs_a_stranger_few_queries_more(bare, course):
    client = Client()

    more = queries(client, course.url) - queries(client, bare.url)

    assert more <= 1


def test_a_course_page_costs_a_learner_few_queries_more(bare, buyer):
    client = buyer.client

    more = queries(client, buyer.course.url) - queries(client, bare.url)

    assert more <= 3


def test_a_course_page_with_a_code_applied_costs_few_queries_more(bare, buyer):
    make_code(100, text="ACME-TEAM")
    buyer.box("ACME-TEAM")
    client = buyer.client

    more = queries(client, buyer.course.url) - queries(client, bare.url)

    assert more <= 5


def test_a_course_page_costs_a_learner_with_access_few_queries_more(bare, buyer):
    make_code(100, text="ACME-TEAM")
    buyer.box("ACME-TEAM")
    buyer.confirm()
    client = buyer.client

    more = queries(client, buyer.course.url) - queries(client, bare.url)

    assert more <= 3


def test_one_query_tells_whether_a_learner_may_see(course):
    learner, training = make_learner(), course.training

    with CaptureQueriesContext(connection) as captured:
        api.has_access(learner, training)

    assert len(captured) == 1


def test_no_query_tells_that_a_stranger_may_not_see(course):
    stranger = Client().get("/").context["user"]
    training = course.training

    with CaptureQueriesContext(connection) as captured:
        api.has_access(stranger, training)

    assert len(captured) == 0


def test_a_purchase_in_place_takes_few_queries(course):
    make_code(100, text="ACME-TEAM")
    for buyer in (Buyer(course), Buyer(course)):
        buyer.box("ACME-TEAM")
        page = buyer.page()
        # Of the first one, that fills caches, nothing is counted.
        with CaptureQueriesContext(connection) as captured:
            buyer.confirm(page)

    own = [query for query in captured if "SAVEPOINT" not in query["sql"]]
    buyer.order()
    assert len(own) <= PURCHASE - (4 if postgresql.is_used() else 0)
