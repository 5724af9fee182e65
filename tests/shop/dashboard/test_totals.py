"""Wherever Oscar's dashboard sums up orders, credits stand beside the money."""

from __future__ import annotations

import csv
import io

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.orders import place_order
from ...support.shop import text_of, words

pytestmark = pytest.mark.django_db

TEXT = "ACME-TEAM-2026"


@pytest.fixture
def customer():
    return make_learner(email="ann@example.com")


@pytest.fixture
def orders(customer):
    """One order in credits and money, one in credits, one in money."""
    make_code(200, text=TEXT)
    course = make_training("Django", credits=55, access_days=30).product
    book = make_product("A book", "90.00")
    return [
        place_order(customer, (course, 1), (book, 1), text=TEXT),
        place_order(customer, (course, 1), text=TEXT),
        place_order(customer, (book, 1)),
    ]


@pytest.fixture
def staff(admin_client):
    return admin_client


def seen(client, name, *args, **query):
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return words(text_of(response))


def rows_of(response):
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))


def test_a_customers_page(staff, customer, orders):
    page = seen(staff, "dashboard:user-detail", customer.pk)

    assert "Paid in credits 110 credits" in page
    assert "£90.00 + 55 credits" in page
    assert "£0.00" not in page


def test_a_customers_page_lists_access_and_what_was_redeemed(staff, customer, orders):
    api.refund_order(orders[1], idempotency_key="a")

    page = seen(staff, "dashboard:user-detail", customer.pk)

    assert "Django Running" in page
    assert f"#{orders[0].number} ACME (code ending 2026) 55 0" in page
    assert f"#{orders[1].number} ACME (code ending 2026) 55 55" in page
    assert f"#{orders[2].number} ACME" not in page


def test_who_may_not_see_access_sees_none_on_a_customers_page(customer, orders):
    client = Client()
    user = make_learner(is_staff=True)
    named = Permission.objects.filter(codename__in=["view_user", "change_user"])
    user.user_permissions.set(named)
    client.force_login(user)

    page = seen(client, "dashboard:user-detail", customer.pk)

    assert "Paid in credits 110 credits" in page
    assert "Running" not in page


def test_the_page_of_a_customer_without_credits(staff, customer):
    place_order(customer, (make_product("A book", "90.00"), 1))

    page = seen(staff, "dashboard:user-detail", customer.pk)

    assert "£90.00" in page
    assert "credits" not in page.lower()


def test_the_file_of_selected_orders(staff, orders):
    response = staff.post(
        reverse("dashboard:order-list"),
        {
            "action": "download_selected_orders",
            "selected_order": [order.pk for order in orders],
        },
    )

    [header, *rows] = rows_of(response)
    number, value = header.index("Order number"), header.index("Order value")
    assert header[-1] == "Credits"
    assert {row[number]: (row[value], row[-1]) for row in rows} == {
        str(orders[0].number): ("90.00", "55"),
        str(orders[1].number): ("0.00", "55"),
        str(orders[2].number): ("90.00", "0"),
    }


def test_the_report_of_orders(staff, orders):
    page = seen(staff, "dashboard:reports-index", report_type="order_report")

    assert "£90.00 + 55 credits" in page
    assert "£0.00" not in page


def test_the_file_of_the_report_of_orders(staff, orders):
    query = {"report_type": "order_report", "download": "on"}
    [header, *rows] = rows_of(staff.get(reverse("dashboard:reports-index"), query))

    assert header[-2:] == ["Date placed", "Credits"]
    assert {row[0]: (row[3], row[-1]) for row in rows} == {
        str(orders[0].number): ("90.00", "55"),
        str(orders[1].number): ("0.00", "55"),
        str(orders[2].number): ("90.00", "0"),
    }


def test_the_report_of_users(staff, customer, orders):
    query = {"report_type": "user_analytics"}
    page = seen(staff, "dashboard:reports-index", **query)
    [header, *rows] = rows_of(
        staff.get(reverse("dashboard:reports-index"), {**query, "download": "on"})
    )

    assert "£180.00 + 110 credits" in page
    assert header[-1] == "Credits"
    [row] = [row for row in rows if row[0] == customer.email]
    assert row[-1] == "110"


def test_the_statistics_of_orders(staff, orders):
    assert "110 credits" in seen(staff, "dashboard:order-stats")


def test_the_first_page(staff, orders):
    page = seen(staff, "dashboard:index")

    assert "Last 24 hours 110 credits All time 110 credits" in page


@pytest.mark.parametrize("name", ["dashboard:index", "dashboard:order-stats"])
def test_a_shop_without_credits_is_told_nothing_of_them(staff, name):
    assert "credits" not in seen(staff, name).lower().replace("training credits", "")


def test_partner_users_count_their_own_orders(client, orders):
    partner_user = make_learner(email="partner@example.com", is_staff=False)
    permission = Permission.objects.get(codename="dashboard_access")
    partner_user.user_permissions.add(permission)
    partner = get_model("partner", "Partner").objects.create(name="Other")
    partner.users.add(partner_user)
    client.force_login(partner_user)

    assert "110 credits" not in seen(client, "dashboard:index")
