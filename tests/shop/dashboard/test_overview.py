"""Staff see a year of credits at a glance."""

from __future__ import annotations

from datetime import datetime, timedelta
from datetime import timezone as zones

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.urls import reverse

from oscar_training_credits import api
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import place_order
from ...support.shop import csv_rows, text_of, words

pytestmark = pytest.mark.django_db

TEXT = "ACME-TEAM-2027"
PAGE = reverse("training_credits:code-overview")
NOW = datetime(2027, 3, 10, 12, tzinfo=zones.utc)


@pytest.fixture
def staff(client):
    with time_machine.travel(NOW, tick=False):
        client.force_login(make_learner(is_staff=True, is_superuser=True))
        yield client


@pytest.fixture
def year(staff):
    """100 granted last May; 20 and 5 redeemed in February, 5 given back in March."""
    with time_machine.travel(NOW - timedelta(days=300), tick=False):
        make_code(100, text=TEXT)
        make_code(7, expires_at=NOW - timedelta(days=100))
    django, rust = make_training("Django", credits=20), make_training("Rust", credits=5)
    with time_machine.travel(NOW - timedelta(days=30), tick=False):
        place_order(make_learner(), (django.product, 1), text=TEXT)
        order = place_order(make_learner(), (rust.product, 1), text=TEXT)
    with time_machine.travel(NOW - timedelta(hours=1), tick=False):
        api.refund_order(order, idempotency_key="a")


def test_the_months_stand_in_a_table_the_latest_first(staff, year):
    page = words(text_of(staff.get(PAGE)))

    assert "March 2027 75 0 5 0 0 0 0 0 80 February 2027 100 0 0 0 0 25 0 0 75" in page
    assert "May 2026 0 107 0 0 0 0 0 0 107 April 2026 0 0" in page
    assert "March 2026" not in page


def test_the_bars_are_told_apart_and_summed_up(staff, year):
    response = staff.get(PAGE)

    assert "Granted: 107 Redeemed: 20 Unused: 7" in words(text_of(response))
    page = BeautifulSoup(response.content, "html.parser")
    granted, redeemed = (
        page.select_one(f".training-chart__drawing .training-chart__{name}")["d"]
        for name in ("granted", "redeemed")
    )
    # 107 of 200, and 25 of 200; what came back in March is no bar below the line.
    assert (granted.count("v-107.0"), granted.count("M")) == (1, 1)
    assert (redeemed.count("v-25.0"), redeemed.count("M")) == (1, 1)


def test_what_was_redeemed_for_what(staff, year):
    response = staff.get(PAGE)

    assert "Django 20 Rust 5" in words(text_of(response))
    bars = response.context["products"]
    assert [(bar.name, bar.percent) for bar in bars] == [("Django", 100), ("Rust", 25)]


def test_a_shop_that_has_just_begun(staff):
    page = words(text_of(staff.get(PAGE)))

    assert "No credits were used." in page
    assert "March 2027 0 0 0 0 0 0 0 0 0" in page


def test_the_months_as_a_file(staff, year):
    headings, *rows = csv_rows(staff.get(PAGE, {"as": "csv"}))

    assert headings[:2] == ["Month", "Outstanding before"]
    assert len(rows) == 12
    assert rows[-1] == ["2027-03", "75", "0", "5", "0", "0", "0", "0", "0", "80"]
