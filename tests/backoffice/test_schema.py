"""The API's own description, and whether it keeps to it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import requests
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from oscar_training_credits.backoffice import schema as api_schema
from oscar_training_credits.shop.order.audit_rules import audit
from oscar_training_credits.test.factories import make_code

from ..support.api_caller import ROOT, Caller, caller_with

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def test_it_is_open_to_everybody_and_says_where_the_api_is():
    answer = Client().get(f"{ROOT}/schema/")

    assert answer.status_code == 200
    assert answer.json()["openapi"] == "3.1.0"
    assert answer.json()["servers"] == [{"url": f"http://testserver{ROOT}"}]
    assert "/codes/{id}/rotate/" in answer.json()["paths"]


def test_it_needs_no_setting_of_the_site(settings):
    settings.REST_FRAMEWORK = {
        "DEFAULT_RENDERER_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
        "DATETIME_FORMAT": "%d.%m.%Y",
        "COERCE_DECIMAL_TO_STRING": False,
    }
    crm = caller_with()
    make_code()

    listed = crm.get("/codes/").json()["results"]

    assert listed[0]["created_at"].endswith("Z")
    assert Client().get(f"{ROOT}/codes/").status_code == 401


def without_tokens() -> dict[str, Any]:
    """Return the description of an API that is open: the token is the test's affair."""
    described = deepcopy(api_schema.description())
    for operations in described["paths"].values():
        for operation in operations.values():
            del operation["security"]
    return described


DESCRIBED = schemathesis.openapi.from_dict(without_tokens())
OPERATIONS = [found.ok() for found in DESCRIBED.get_all_operations()]


def answer_to(case: Any, crm: Caller) -> schemathesis.Response:
    """Send a case by Django's own client, inside the transaction of the test."""
    sent = case.as_transport_kwargs(base_url=f"http://testserver{ROOT}")
    names = {"method", "url", "headers", "data", "json", "params", "cookies", "files"}
    wanted = {name: value for name, value in sent.items() if name in names}
    prepared = requests.Request(**wanted).prepare()
    body = prepared.body or b""
    answer = crm.client.generic(
        prepared.method,
        prepared.path_url,
        body.encode() if isinstance(body, str) else body,
        content_type=prepared.headers.pop("Content-Type", ""),
        headers=dict(prepared.headers),
    )
    return schemathesis.Response(
        status_code=answer.status_code,
        headers={name: [value] for name, value in answer.headers.items()},
        content=answer.content,
        request=prepared,
        elapsed=0.1,
        verify=False,
    )


# Whatever is asked for, it might be the number of an order.
UNREFUSABLE = ("GET /orders/{number}/", GenerationMode.NEGATIVE)
CASES = [
    pytest.param(operation, mode, id=f"{mode.value} {operation.label}")
    for operation in OPERATIONS
    for mode in GenerationMode
    if (operation.label, mode) != UNREFUSABLE
]


@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_it_keeps_its_contract_whatever_it_is_sent(operation, mode):
    crm = caller_with()
    for _each in range(2):
        code = make_code()
    paths = {"id": str(code.pk)}

    @settings(
        max_examples=15, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
    def check(case: Any, is_known: bool) -> None:
        if is_known and mode.is_positive and "id" in case.path_parameters:
            case.path_parameters.update(paths)
        # No schema can say all that is refused, such as who has no account.
        case.validate_response(
            answer_to(case, crm), excluded_checks=[positive_data_acceptance]
        )

    check()

    assert list(audit()) == []
