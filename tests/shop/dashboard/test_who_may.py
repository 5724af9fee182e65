"""Who may do what with training on Oscar's own pages of the dashboard."""

from __future__ import annotations

import pytest
from django.urls import reverse

from oscar_training_credits import api
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import place_order
from ...support.roles import NOBODY, client_in, client_of
from ...support.shop import text_of, words

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

TEXT = "ACME-TEAM-2026"
KEY = {"confirmed": "0" * 32}
STATUS = {"new_status": "Cancelled", "confirmed": "yes"}


@pytest.fixture
def learner():
    return make_learner(email="lee@acme.example")


@pytest.fixture
def order(learner):
    make_code(100, text=TEXT)
    course = make_training("Django Foundations", price="240.00", credits=20)
    return place_order(learner, (course.product, 1), text=TEXT)


def changes_of(order):
    """Yield each post that gives credits of an order back: address and fields."""
    line = order.lines.get()
    chosen = {"selected_line": line.pk, f"selected_line_qty_{line.pk}": 1}
    page = reverse("dashboard:order-detail", args=[order.number])
    yield page, {"line_action": "give_credits_back", **chosen, **KEY}
    yield page, {"line_action": "change_line_statuses", **chosen, **STATUS}
    yield page, {"order_action": "change_order_status", **STATUS}
    chosen = {"selected_order": order.pk, **STATUS}
    yield reverse("dashboard:order-list"), {"action": "change_order_statuses", **chosen}


@pytest.mark.parametrize("role", [*NOBODY, "view_order", "change_order", "partner"])
def test_who_may_not_change_orders_gives_nothing_back(order, learner, role):
    client = client_in(role, ["view_order", "change_order"])
    page, _fields = next(changes_of(order))
    list_page = reverse("dashboard:order-list")

    for url, fields in changes_of(order):
        answer = client.post(url, fields)
        assert answer.status_code in (302, 403, 404)

    order.refresh_from_db()
    assert (order.status, order.lines.get().status) == ("Complete", "Complete")
    assert api.find_code(TEXT).balance() == 80
    assert api.has_access(learner, order.lines.get().product.training)
    answer = client.get(page)
    seen = answer.status_code, client.get(list_page).status_code
    if role == "view_order":
        assert seen == (200, 200)
        said = words(text_of(answer))
        assert "You may look at orders, but not change them." in said
    elif role == "partner":
        assert seen == (404, 200)  # an order of another's, and a list of none
    elif role == "anonymous":
        assert seen == (302, 302)
    else:
        assert seen == (403, 403)


@pytest.mark.parametrize(
    "number", range(4), ids=["line", "line status", "order", "list"]
)
def test_who_may_change_orders_does_with_a_token(order, number):
    permissions = ("view_order", "change_order")
    url, fields = list(changes_of(order))[number]

    client_of(*permissions, enforce_csrf_checks=True).post(url, fields)
    assert api.find_code(TEXT).balance() == 80
    client_of(*permissions).post(url, fields)

    assert api.find_code(TEXT).balance() == 100


@pytest.mark.parametrize("role", [*NOBODY, "view_user", "superuser"])
def test_who_sees_a_customers_training(order, learner, role):
    client = client_in(role, [])

    page = client.get(reverse("dashboard:user-detail", args=[learner.pk]))

    opens = role in ("view_user", "superuser")
    expected = 302 if role == "anonymous" else 200 if opens else 403
    assert page.status_code == expected
    if opens:
        said = words(text_of(page))
        assert "1 order paid with a code" in said
        assert ("1 period of access" in said) == (role == "superuser")
