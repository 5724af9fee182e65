"""Bodies, keys and queries that no careful client sends: refused, and nothing done."""

from __future__ import annotations

import pytest

from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
)

from ..support.api_caller import ROOT, Caller, caller_with
from ..support.orders import place_order

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

BODIES = {
    "deep list": b"[" * 100_000,
    "deep object": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "no number": b'{"label": "A", "credits": NaN}',
    "infinity": b'{"label": "A", "credits": 1e999}',
    "many digits": b'{"label": "A", "credits": ' + b"9" * 5_000 + b"}",
    "half a credit": b'{"label": "A", "credits": 1.5}',
    "NUL": b'{"label": "A\\u0000", "credits": 1}',
    "half a letter": b'{"label": "\\ud800", "credits": 1}',
    "not UTF-8": b'{"label": "\xff", "credits": 1}',
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "before year 1": b'{"label": "A", "credits": 1,'
    b' "expires_at": "0001-01-01T00:00:00+14:00"}',
    "after year 9999": b'{"label": "A", "credits": 1,'
    b' "expires_at": "9999-12-31T23:59:59-14:00"}',
    "learners by name": b'{"label": "A", "credits": 1, "learners": {"a": 1}}',
    "NUL in a range": b'{"label": "A", "credits": 1, "content": "a\\u0000"}',
    "NUL in a group": b'{"label": "A", "credits": 1, "groups": ["\\u0000"]}',
    "no amount": b'{"label": "A", "credits": 1, "paid": {"amount": "NaN"}}',
}


@pytest.fixture
def crm() -> Caller:
    caller = caller_with()
    caller.client.raise_request_exception = False
    return caller


@pytest.mark.parametrize("name", BODIES)
def test_an_odd_body_is_refused(crm, name):
    answer = crm.client.generic(
        "POST",
        f"{ROOT}/codes/",
        BODIES[name],
        content_type="application/json",
        headers={"Idempotency-Key": "one"},
    )

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert not CreditCode.objects.exists()


@pytest.mark.parametrize("key", ['"', '""', "\t", "a" * 256])
def test_an_odd_key_is_refused(crm, key):
    answer = crm.client.generic(
        "POST",
        f"{ROOT}/codes/",
        b'{"label": "A", "credits": 1}',
        content_type="application/json",
        headers={"Idempotency-Key": key},
    )

    assert answer.status_code == 400
    assert not CreditCode.objects.exists()


@pytest.mark.parametrize("path", ["/codes/", "/entries/", "/access/", "/requests/"])
@pytest.mark.parametrize(
    "query",
    [
        *("cursor=abc", "cursor=cD0x", "cursor=%ff", "cursor=cD1hYmM%3D"),
        *("cursor=cD0lMDA%3D", "page_size=x", "q=%00"),
    ],
)
def test_an_odd_query_breaks_nothing(crm, path, query):
    make_code()

    answer = crm.client.get(f"{ROOT}{path}?{query}")

    assert answer.status_code in (200, 400, 404)
    assert "json" in answer["Content-Type"]


@pytest.mark.parametrize("number", ["%00", "1%00", "%ED%A0%80", "a" * 5_000])
def test_no_order_has_an_odd_number(crm, number):
    answer = crm.client.get(f"{ROOT}/orders/{number}/")

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/codes/", {"label": "A", "credits": 1, "expires": None}, "#/expires"),
        ("/codes/", {"label": "A", "credits": 1, "a/b~ü": 1}, "#/a~1b~0%C3%BC"),
        ("/codes/", {"label": "A", "credits": 1, "\ud800": 1}, "#/%3F"),
        (
            "/codes/",
            {"label": "A", "credits": 1, "paid": {"amount": "1", "tax": "1"}},
            "#/paid/tax",
        ),
        ("/codes/{code}/grants/", {"credits": 1, "expires": None}, "#/expires"),
        ("/orders/{order}/refunds/", {"line": []}, "#/line"),
        ("/orders/{order}/refunds/preview/", {"line": []}, "#/line"),
    ],
)
def test_a_field_that_is_not_known_is_refused(crm, path, body, pointer):
    code, order = make_code(), place_order(make_learner(), (make_product(), 1))

    answer = crm.send(path.format(code=code.pk, order=order.number), **body)

    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert CreditCode.objects.get().balance() == 100


def test_a_change_of_what_cannot_be_changed_is_refused(crm):
    code = make_code(label="ACME")

    answer = crm.send(f"/codes/{code.pk}/", method="patch", label="B", credits=5)

    assert answer.status_code == 400
    code.refresh_from_db()
    assert code.label == "ACME"


LISTS = ["/codes/", "/entries/", "/access/", "/trainings/", "/requests/"]


@pytest.mark.parametrize("path", LISTS)
def test_a_filter_that_is_not_known_is_refused(crm, path):
    make_code()

    answer = crm.get(path, code_id=1)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "#/code_id"
    assert crm.get(path, page_size=5).status_code == 200
