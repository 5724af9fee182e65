"""What no database stores or compares: in every search, filter and field of ours."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ..support.orders import place_order
from ..support.pages import make_course

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

TEXT = "ACME-TEAM-2026"
ODD = {
    "nul": "Django\0Foundations",
    "last day": "9999-12-31",
    "first day": "0001-01-01",
    "surrogate": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
}
ODDLY = pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
REPORTED = ("q", "ordering", "p", "kind", "credit_only", "has_page", "has_price")
CHOSEN = ("q", "p")
SEARCHES = {
    "training_credits_products": (*REPORTED, "export"),
    "training_credits_products_results": REPORTED,
    "training_credits_usage": (*REPORTED, "export"),
    "training_credits_usage_results": REPORTED,
    "training_credits_changes": ("changed_at_before", "changed_at_after", "ordering"),
    **{
        f"training_{what}_chooser:{view}": CHOSEN
        for what in ("product", "course", "range")
        for view in ("choose", "choose_results")
    },
    "training_credits:access-list": (
        "learner",
        "training",
        "state",
        "ground",
        "order",
        "sort",
        "page",
    ),
    "training_credits:access-give": ("email", "training"),
    "training_credits:delivery-list": ("learner", "training", "state", "sort"),
    "admin:training_credits_creditcode_changelist": ("q", "o", "state__exact"),
    "admin:training_credits_redemption_changelist": ("q",),
    "admin:training_credits_ledgerentry_changelist": ("q", "kind__exact"),
    "admin:training_credits_access_changelist": ("q",),
    "admin:training_credits_place_changelist": ("q",),
    "admin:training_credits_takenpayment_changelist": ("q", "settled_at__isempty"),
}


@pytest.fixture
def boss():
    client = Client()
    client.force_login(make_learner(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def training():
    return make_training("Django Foundations")


@pytest.fixture
def order(learner, training):
    make_code(text=TEXT)
    return place_order(learner, (training.product, 1), text=TEXT)


@pytest.mark.parametrize("name", SEARCHES)
def test_no_search_and_no_filter_fails(boss, order, name):
    for field in SEARCHES[name]:
        for odd in ODD.values():
            response = boss.get(reverse(name), {field: odd})

            assert response.status_code < 500, (field, odd)
            if response.streaming:
                assert b"".join(response.streaming_content)


@pytest.mark.parametrize("name", ["products", "usage"])
def test_nothing_is_found_that_holds_a_nul(boss, order, name):
    address = reverse(f"training_credits_{name}")

    assert "Django Foundations" in boss.get(address, {"q": "foundations"}).text
    found = boss.get(address, {"q": "Django\0"}).context["object_list"]

    assert list(found) == []


@ODDLY
def test_no_field_of_the_boxes_fails(learner, training, odd):
    course = make_course(make_product("On a page"), credits=20)
    known = [course.training.pk]
    client = Client()
    for logged_in in (False, True):
        if logged_in:
            client.force_login(learner)
        for address, fields in (
            (reverse("training_credits:apply"), ("code", "next")),
            (reverse("training_credits:purchase-apply", args=known), ("code", "next")),
            (
                reverse("training_credits:purchase-confirm", args=known),
                ("next", "shown"),
            ),
            (reverse("basket:vouchers-add"), ("code",)),
        ):
            for field in fields:
                response = client.post(address, {field: odd})

                assert response.status_code < 500, (address, field)


@ODDLY
def test_no_text_in_an_address_fails(boss, odd):
    assert boss.get(reverse("training_credits:claim", args=[odd])).status_code == 404


@ODDLY
@pytest.mark.urlconf("tests.api_urls")
def test_no_field_of_the_api_fails(learner, odd):
    client = Client()
    client.force_login(learner)

    response = client.post(reverse("api-basket-add-voucher"), {"vouchercode": odd})

    assert response.status_code < 500


@ODDLY
def test_no_field_of_the_pages_of_access_fails(boss, order, odd):
    access = order.lines.get().training_access
    forms = {
        "give": ("email", "training", "last_day", "reason", "key"),
        "extend": ("last_day", "for_ever", "reason"),
        "end": ("reason",),
    }
    for name, fields in forms.items():
        args = [] if name == "give" else [access.pk]
        address = reverse(f"training_credits:access-{name}", args=args)
        for field in fields:
            response = boss.post(address, {"reason": "Goodwill", field: odd})

            assert response.status_code < 500, (name, field)
