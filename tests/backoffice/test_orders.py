"""What orders took in credits, and credits given back, by the API."""

from __future__ import annotations

from typing import Any

import pytest

from oscar_training_credits.backoffice import entries
from oscar_training_credits.credits.codes.issuing import add_grant
from oscar_training_credits.credits.models import Access, Refund
from oscar_training_credits.shop.order.audit_rules import audit
from oscar_training_credits.test.factories import (
    make_code,
    make_issued,
    make_learner,
    make_product,
    make_training,
)

from ..support.api_caller import Caller, caller_with
from ..support.orders import place_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def crm() -> Caller:
    return caller_with()


@pytest.fixture
def order() -> Any:
    issued = make_issued(100)
    course, path = make_training(credits=20), make_training("A path", credits=30)
    lines = [(course.product, 1), (path.product, 1), (make_product(), 1)]
    return place_order(make_learner(), *lines, text=issued.text)


def test_an_order_says_what_it_took(crm, order):
    answer = crm.get(f"/orders/{order.number}/").json()

    assert (answer["credits"], answer["given_back"]) == (50, 0)
    assert [line["credits"] for line in answer["lines"]] == [20, 30]
    assert [code["credits"] for code in answer["codes"]] == [50]


def test_an_order_paid_in_money_took_none(crm):
    order = place_order(make_learner(), (make_product(), 1))

    assert crm.get(f"/orders/{order.number}/").json()["credits"] == 0


def test_a_preview_changes_nothing_and_says_what_a_refund_does(crm, order):
    line = order.lines.first()
    lines = [{"line": line.pk, "quantity": 1}]
    path = f"/orders/{order.number}/refunds/"

    preview = crm.send(f"{path}preview/", lines=lines).json()
    assert not Refund.objects.exists()
    done = crm.send(path, lines=lines).json()

    assert preview["credits"] == sum(each["credits"] for each in done["refunds"]) == 20
    assert preview["lines"][0]["access_ends"]
    assert done["access_ended"] == [line.pk]
    assert list(audit()) == []


def test_all_that_is_left_is_given_back_once(crm, order):
    path = f"/orders/{order.number}/refunds/"

    first, again = crm.send(path, key="one"), crm.send(path, key="one")
    with_another_key = crm.send(path, key="two")

    assert first.json() == again.json()
    assert first.json()["refunds"][0]["credits"] == 50
    assert with_another_key.json()["refunds"] == []
    assert crm.get(f"/orders/{order.number}/").json()["given_back"] == 50
    assert not Access.objects.filter(ends_at=None).exists()


@pytest.mark.parametrize("quantity", [2, 10**6])
def test_more_than_was_bought_is_refused(crm, order, quantity):
    lines = [{"line": order.lines.first().pk, "quantity": quantity}]

    answer = crm.send(f"/orders/{order.number}/refunds/", lines=lines)

    assert answer.status_code == 409
    assert answer.json()["refusals"][0]["reason"] == "too_many"
    assert not Refund.objects.exists()


def test_a_line_of_another_order_is_not_there(crm, order):
    other = place_order(make_learner(), (make_product(), 1))
    lines = [{"line": other.lines.get().pk, "quantity": 1}]

    answer = crm.send(f"/orders/{order.number}/refunds/", lines=lines)

    assert answer.status_code == 404


def test_the_ledger_lists_the_movements(crm, order):
    crm.send(f"/orders/{order.number}/refunds/")

    newest = crm.get("/entries/").json()["results"]
    oldest = crm.get("/entries/", oldest_first=True).json()["results"]
    refunds = crm.get("/entries/", kind="refund").json()["results"]
    of_order = crm.get("/entries/", order_number=order.number).json()["results"]

    assert [entry["credits"] for entry in oldest] == [100, -50, 50]
    assert newest == oldest[::-1]
    assert [entry["balance"] for entry in oldest] == [100, 50, 100]
    assert [entry["kind"] for entry in refunds] == ["refund"]
    assert of_order == newest[:2]
    assert oldest[1]["learner"]["email"] == order.user.email


@pytest.mark.parametrize("oldest_first", [False, True])
def test_pages_of_the_movements_of_a_code_lead_to_the_end_and_back(crm, oldest_first):
    code, other = make_code(1), make_code(1)
    for credits in (2, 3, 4, 5):
        add_grant(code, credits)
        add_grant(other, 9)

    there, back = there_and_back(crm, f"code={code.pk}&oldest_first={oldest_first}")

    in_order = [[1, 2], [3, 4], [5]] if oldest_first else [[5, 4], [3, 2], [1]]
    assert there == in_order
    assert back == there[-2::-1]


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("near", [1, 4, 1_000], ids=["rare", "some", "many"])
def test_pages_of_refunds_lead_to_the_end_and_back(
    crm, monkeypatch, near, oldest_first
):
    monkeypatch.setattr(entries.Refunds, "NEAR", near)
    issued = make_issued(1_000)
    for credits in (1, 2, 3, 4, 5):
        training = make_training(f"Of {credits}", credits=credits)
        bought = place_order(make_learner(), (training.product, 1), text=issued.text)
        crm.send(f"/orders/{bought.number}/refunds/")
    add_grant(issued.code, 9)

    there, back = there_and_back(crm, f"kind=refund&oldest_first={oldest_first}")

    in_order = [[1, 2], [3, 4], [5]] if oldest_first else [[5, 4], [3, 2], [1]]
    assert there == in_order
    assert back == there[-2::-1]


def there_and_back(crm: Caller, asked: str) -> tuple[list[Any], list[Any]]:
    """Return the credits on each page of entries, read to the end and back."""
    url = f"/api/training/entries/?page_size=2&{asked}"
    there, back = [], []
    while url:
        page = crm.client.get(url).json()
        there.append([each["credits"] for each in page["results"]])
        url = page["next"]
    url = page["previous"]
    while url:
        page = crm.client.get(url).json()
        back.append([each["credits"] for each in page["results"]])
        url = page["previous"]
    return there, back
