"""Staff read what became of credits in a period."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import place_order
from ...support.shop import csv_rows, text_of, words

pytestmark = pytest.mark.django_db

TEXT = "ACME-TEAM-2026"
PAGE = reverse("training_credits:code-outstanding")


@pytest.fixture
def code():
    """Of 100 credits 40 are redeemed, 20 of them given back; 5 are a present."""
    code = make_code(100, text=TEXT, label="=ACME")
    CreditCode.objects.update(holder="ACME Ltd")
    course = make_training("Django", credits=20)
    orders = [
        place_order(make_learner(), (course.product, 1), text=TEXT) for _n in range(2)
    ]
    api.refund_order(orders[0], idempotency_key="a")
    api.add_grant(code, 5, origin="goodwill")
    return code


def read(client, **query):
    response = client.get(PAGE, query)
    assert response.status_code == 200
    return words(text_of(response))


def file_of(client, **query):
    return csv_rows(client.get(PAGE, {**query, "as": "csv"}))


NUMBERS = "0 105 20 0 0 0 40 0 0 85"


def test_of_this_month_all_together(admin_client, code):
    page = read(admin_client)

    assert "Outstanding after 0 105 20 0 0 0 40 0 0 85" in page


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        ("code", [f"=ACME (code ending 2026) {NUMBERS}"]),
        ("holder", [f"ACME Ltd {NUMBERS}"]),
        ("reference", [f"None given {NUMBERS}"]),
        (
            "origin",
            [
                "Goodwill 0 5 0 0 0 0 0 0 0 5",
                "Sold or imported 0 100 20 0 0 0 40 0 0 80",
            ],
        ),
    ],
)
def test_for_each(admin_client, code, by, rows):
    page = read(admin_client, by=by)

    assert all(row in page for row in rows)


def test_after_a_period_what_was_outstanding_is_outstanding(admin_client, code):
    day = (timezone.localdate() + timedelta(days=1)).isoformat()

    with time_machine.travel(timezone.now() + timedelta(days=2)):
        admin_client.force_login(make_learner(is_staff=True, is_superuser=True))
        rows = file_of(admin_client, first_day=day, last_day=day, by="code")

    # A text is no formula in the file.
    assert rows[1] == ["'=ACME (code ending 2026)", "85", *["0"] * 8, "85"]


def test_the_file_has_headings(admin_client, code):
    headings, row = file_of(admin_client)

    assert headings[1:3] == ["Outstanding before", "Granted"]
    assert row == ["All together", *NUMBERS.split()]


@pytest.mark.parametrize(
    "query",
    [
        {"first_day": "soon"},
        {"first_day": "9999-12-31"},
        {"first_day": "2026-02-01", "last_day": "2026-01-01"},
        {"last_day": "\0"},
        {"by": "learner"},
    ],
)
def test_what_is_no_period_is_said_at_its_field(admin_client, code, query):
    for more in ({}, {"as": "csv"}, {"as": "xlsx"}):
        response = admin_client.get(PAGE, {**query, **more})

        assert response.status_code == 200
        assert response.context["form"].errors


def test_in_the_money_that_credits_were_sold_for(admin_client, code):
    api.add_grant(code, 10, paid=api.Paid(Decimal("99.90"), "GBP"))

    page = read(admin_client, unit="money", by="holder")

    sums = "£0.00 £99.90 £0.00 £0.00 £0.00 £0.00 £0.00 £0.00 £0.00 £99.90"
    assert f"Outstanding after {sums}" in page
    assert f"ACME Ltd {sums}" in page
    headings, row = file_of(admin_client, unit="money", by="holder")
    assert headings[:2] == ["Holder", "Currency"]
    assert row[:2] + row[-1:] == ["ACME Ltd", "GBP", "99.90"]


def test_an_amount_below_zero_is_a_number_in_the_file(admin_client):
    code = make_code(10, paid=api.Paid(Decimal("100"), "GBP"))
    api.adjust_credits(code, -3, reason="mistake")

    headings, row = file_of(admin_client, unit="money")

    assert row[headings.index("Adjusted")] == "-30.00"


def test_no_price_is_on_record(admin_client, code):
    assert "The price of no credits is on record." in read(admin_client, unit="money")


def test_what_credits_are_sold_for_is_entered_where_they_are_issued(admin_client):
    new = reverse("training_credits:code-create")
    form = admin_client.get(new)
    assert "Sold for (GBP)" in text_of(form)
    filled = form.context["form"]
    admin_client.post(
        new,
        {
            "label": "ACME",
            "credits": "100",
            "origin": "sale",
            "paid": "1000",
            "key": filled["key"].value(),
            "generated": filled["generated"].value(),
        },
    )
    code = CreditCode.objects.get()
    top_up = reverse("training_credits:code-top-up", args=[code.pk])
    key = admin_client.get(top_up).context["form"]["key"].value()
    admin_client.post(
        top_up, {"credits": "5", "origin": "sale", "paid": "40.50", "key": key}
    )

    detail = admin_client.get(reverse("training_credits:code-detail", args=[code.pk]))
    assert "Sale £1,000.00" in words(text_of(detail))
    paid = code.grants.order_by("pk").values_list("paid_amount", "paid_currency")
    assert list(paid) == [(Decimal("1000.00"), "GBP"), (Decimal("40.50"), "GBP")]


@pytest.mark.parametrize("amount", ["-1", "1.001", "much", "1e99"])
def test_what_is_no_amount_is_refused_at_its_field(admin_client, code, amount):
    top_up = reverse("training_credits:code-top-up", args=[code.pk])
    key = admin_client.get(top_up).context["form"]["key"].value()

    response = admin_client.post(
        top_up, {"credits": "5", "origin": "sale", "paid": amount, "key": key}
    )

    assert response.context["form"].errors.keys() == {"paid"}
    assert code.grants.count() == 2
