"""Staff read what credits were used for in a period."""

from __future__ import annotations

import pytest
from django.urls import reverse

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
PAGE = reverse("training_credits:code-use")


@pytest.fixture
def code():
    """Of 100 credits two learners redeem 20 and 25; 20 are given back."""
    code = make_code(100, text=TEXT, label="ACME")
    CreditCode.objects.update(holder="=ACME Ltd")
    django, rust = make_training("Django", credits=20), make_training("Rust", credits=5)
    lee = make_learner(first_name="Lee", last_name="Roe")
    order = place_order(lee, (django.product, 1), text=TEXT)
    kim = make_learner(email="kim@acme.example", first_name="", last_name="")
    place_order(kim, (django.product, 1), (rust.product, 1), text=TEXT)
    api.refund_order(order, idempotency_key="a")
    return code


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        (None, ["Django 2 2 40 20 20 Rust 1 1 5 0 5"]),
        ("product", ["Django 2 2 40 20 20 Rust 1 1 5 0 5"]),
        ("holder", ["=ACME Ltd 2 2 45 20 25"]),
        ("learner", ["kim@acme.example 1 1 25 0 25 Lee Roe 1 1 20 20 0"]),
        ("code", ["ACME (code ending 2026) 2 2 45 20 25"]),
    ],
)
def test_for_each(admin_client, code, by, rows):
    response = admin_client.get(PAGE, {"by": by} if by else {})

    assert response.status_code == 200
    assert all(row in words(text_of(response)) for row in rows)


def test_the_rows_lead_to_what_they_are_about(admin_client, code):
    page = admin_client.get(PAGE, {"by": "code"}).content.decode()

    assert reverse("training_credits:code-detail", args=[code.pk]) in page


def test_what_is_deleted_has_a_name(admin_client, code):
    for learner in {each.learner for each in code.redemptions.all()}:
        learner.delete()

    assert "Deleted accounts 2 0 45 20 25" in words(
        text_of(admin_client.get(PAGE, {"by": "learner"}))
    )


def test_the_file_has_all_rows_and_no_formula(admin_client, code):
    headings, row = csv_rows(admin_client.get(PAGE, {"by": "holder", "as": "csv"}))

    assert headings == [
        "Holder",
        "Orders",
        "Learners",
        "Redeemed",
        "Given back",
        "Kept",
    ]
    assert row == ["'=ACME Ltd", "2", "2", "45", "20", "25"]


def test_nothing_was_used(admin_client):
    assert "No credits were used." in text_of(admin_client.get(PAGE))


@pytest.mark.parametrize("query", [{"first_day": "soon"}, {"by": "moon"}])
def test_what_is_no_report_is_said_at_its_field(admin_client, query):
    response = admin_client.get(PAGE, query)

    assert response.status_code == 200
    assert response.context["form"].errors
