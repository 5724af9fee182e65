"""The same call of the API, made several times at the same moment."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from oscar_training_credits.credits import api_calls
from oscar_training_credits.credits.models import CreditCode, CreditGrant, LedgerEntry
from oscar_training_credits.shop.order.audit_rules import audit
from oscar_training_credits.test.factories import make_code

from ..support.api_caller import Caller, caller_with
from ..support.racing import at_once

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

CALLS = 8


def calls(crm: Caller, path: str, **body: Any) -> list[Any]:
    return at_once([lambda: crm.send(path, key="one", **body)] * CALLS)


def test_a_code_is_issued_once_and_all_are_told_its_text():
    answers = calls(caller_with(), "/codes/", label="ACME", credits=5)

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["text"] for answer in answers}) == 1
    assert CreditCode.objects.count() == LedgerEntry.objects.count() == 1


def test_credits_are_put_on_a_code_once():
    code = make_code(10)

    answers = calls(caller_with(), f"/codes/{code.pk}/grants/", credits=5)

    first, *others = [answer.json() for answer in answers]
    assert others == [first] * (CALLS - 1)
    assert code.balance() == 15
    assert list(audit()) == []


def test_access_is_extended_and_codes_change_once_for_calls_without_a_service_key():
    code = make_code(10)

    answers = calls(caller_with(), f"/codes/{code.pk}/rotate/", reason="leaked")

    assert len({answer.json()["text"] for answer in answers}) == 1
    assert code.changes.filter(kind="rotated").count() == 1


def test_changes_that_contradict_each_other_are_not_both_made():
    crm, code = caller_with(), make_code(10)
    path = f"/codes/{code.pk}/"

    def change(**body: Any) -> Any:
        return lambda: crm.send(path, method="patch", **body).status_code

    statuses = at_once(
        [
            change(starts_at="2031-01-01T00:00:00Z"),
            change(expires_at="2030-01-01T00:00:00Z"),
        ]
        * 4
    )

    assert set(statuses) == {200, 400}


def test_without_keeping_calls_each_would_be_done(monkeypatch):
    """The control: it is the row of the call that the second one waits for."""
    code = make_code(10)
    numbers = iter(range(CALLS))
    lock = threading.Lock()

    def begin(token: Any, key: str, *, request: bytes) -> api_calls.Call:
        with lock:
            number = next(numbers)
        return first(token, f"{key}-{number}", request=request)

    first = api_calls.begin
    monkeypatch.setattr(api_calls, "begin", begin)

    calls(caller_with(), f"/codes/{code.pk}/grants/", credits=5)

    assert connection.vendor != "sqlite"
    assert CreditGrant.objects.filter(code=code).count() == 1 + CALLS
