"""Access given, extended and ended by the API; requests for credits answered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from oscar_training_credits.credits.models import AccessChange, CreditRequest
from oscar_training_credits.shop.order.audit_rules import audit
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ..support.api_caller import Caller, caller_with

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def crm() -> Caller:
    return caller_with()


def test_access_is_given_extended_and_ended(crm):
    make_learner(email="lea@acme.example")
    training = make_training(access_days=30)
    body = {"learner": "lea@acme.example", "training": training.pk, "reason": "Gift"}

    given = crm.send("/access/", key="one", **body)
    again = crm.send("/access/", key="one", **body)

    assert given.status_code == 201
    assert given.json() == again.json()
    path = f"/access/{given.json()['id']}"
    until = timezone.now() + timedelta(days=60)
    extended = crm.send(f"{path}/extend/", until=until.isoformat(), reason="Ill")
    assert datetime.fromisoformat(extended.json()["ends_at"]) == until
    ended = crm.send(f"{path}/end/", reason="Left").json()
    assert datetime.fromisoformat(ended["ends_at"]) <= timezone.now()
    assert crm.get(f"{path}/").json() == ended
    listed = crm.get("/access/", learner="lea@acme.example").json()["results"]
    assert listed == [ended]
    assert {each.changed_by for each in AccessChange.objects.all()} == {crm.user}
    assert list(audit()) == []


def test_the_same_call_again_is_answered_though_the_learner_has_another_address(crm):
    learner = make_learner(email="lea@acme.example")
    body = {
        "learner": "lea@acme.example",
        "training": make_training().pk,
        "reason": "Gift",
    }
    first = crm.send("/access/", key="one", **body)
    learner.email = "lea@globex.example"
    learner.save()

    again = crm.send("/access/", key="one", **body)

    assert (again.status_code, again.json()) == (201, first.json())


def test_training_is_found_by_its_product(crm):
    make_training("Django", credits=20)
    training = make_training("Python", credits=35)
    type(training.product).objects.filter(pk=training.product_id).update(upc="PY-1")

    def found(**query: Any) -> list[str]:
        listed = crm.get("/trainings/", **query).json()["results"]
        return [each["title"] for each in listed]

    assert found() == ["Python", "Django"]
    assert found(upc="PY-1") == found(product=training.product_id) == ["Python"]
    assert found(upc="PY") == []
    (shown,) = crm.get("/trainings/", upc="PY-1").json()["results"]
    assert (shown["id"], shown["kind"], shown["credits"]) == (training.pk, "course", 35)


def test_access_that_adds_nothing_is_refused(crm):
    make_learner(email="lea@acme.example")
    body = {
        "learner": "lea@acme.example",
        "training": make_training().pk,
        "reason": "Gift",
    }
    crm.send("/access/", **body)

    answer = crm.send("/access/", **body)

    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/problems/nothing-gained/")


def asked(crm: Caller, **more: Any) -> Any:
    make_learner(email="lea@acme.example")
    training = make_training(credits=20)
    content = [{"training": training.pk, "quantity": 1}]
    body = {"learner": "lea@acme.example", "content": content, **more}
    return crm.send("/requests/", **body)


def test_credits_are_asked_for_and_approved(crm):
    parent = make_code(100)
    request = asked(crm, note="For the exam").json()
    path = f"/requests/{request['id']}"

    approved = crm.send(f"{path}/approve/", code=parent.pk)
    again = crm.send(f"{path}/approve/", code=parent.pk)

    assert request["credits"] == 20
    assert approved.json()["state"] == "approved"
    assert again.json() == approved.json()
    child = crm.get(f"/codes/{approved.json()['child']}/").json()
    assert (child["balance"], child["parent"]) == (20, parent.pk)
    assert parent.balance() == 80
    assert crm.send(f"{path}/decline/", reason="No").status_code == 409
    assert list(audit()) == []


def test_a_request_is_declined_with_a_reason(crm):
    request = asked(crm).json()

    without = crm.send(f"/requests/{request['id']}/decline/")
    declined = crm.send(f"/requests/{request['id']}/decline/", reason="Next year")

    assert without.status_code == 400
    assert (declined.json()["state"], declined.json()["reason"]) == (
        "declined",
        "Next year",
    )


def test_a_code_that_is_too_small_approves_nothing(crm):
    request = asked(crm).json()

    answer = crm.send(f"/requests/{request['id']}/approve/", code=make_code(5).pk)

    assert answer.status_code == 409
    assert answer.json()["detail"] == (
        "Only 5 credits are left on this code, and 20 credits are asked for."
    )
    assert CreditRequest.objects.get().is_open


def test_requests_are_found_by_state_and_learner(crm):
    request = asked(crm).json()
    crm.send(f"/requests/{request['id']}/decline/", reason="No")

    def found(**query: Any) -> int:
        return len(crm.get("/requests/", **query).json()["results"])

    assert found() == found(state="declined") == found(learner="lea@acme.example") == 1
    assert found(state="open") == 0
