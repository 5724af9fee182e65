"""Who looks after which codes in these tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from datetime import timezone as zones
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from oscar_training_credits import api
from oscar_training_credits.credits.codes import managing
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import place_order
from ...support.shop import Learner

TEXT = "ACME-TEAM-2026"
MARCH = datetime(2027, 3, 1, 12, tzinfo=zones.utc)
DAY = timedelta(days=1)


@pytest.fixture
def bea() -> Learner:
    """The manager of ACME's code."""
    user = make_learner(email="bea@acme.example", first_name="Bea", last_name="Boss")
    return Learner(user)


@pytest.fixture
def code(bea) -> Any:
    """100 credits that Bea looks after."""
    made = make_code(100, text=TEXT)
    managing.add_manager(made, bea.user)
    return made


@pytest.fixture
def beta() -> SimpleNamespace:
    """Another customer: a code, its manager, and the manager's browser."""
    user = make_learner(email="ben@beta.example", first_name="Ben")
    made = make_code(50, text="BETA-TEAM-2026", label="Beta")
    managing.add_manager(made, user)
    client = Client()
    client.force_login(user)
    return SimpleNamespace(code=made, user=user, client=client)


@pytest.fixture
def in_march():
    with time_machine.travel(MARCH, tick=False) as clock:
        yield clock


@pytest.fixture
def story(in_march, code):
    """100 in March; in April 20 used by Lee, 5 of them given back, 30 expire."""
    api.add_grant(code, 30, expires_at=MARCH + 40 * DAY)
    in_march.move_to(MARCH + 32 * DAY)
    lee = make_learner(first_name="Lee", last_name="Learner")
    courses = [make_training(name, credits=n) for name, n in (("Git", 15), ("SQL", 5))]
    order = place_order(lee, *((each.product, 1) for each in courses), text=TEXT)
    line = order.lines.get(product=courses[1].product)
    api.refund_lines([(line, 1)], idempotency_key="once")
    in_march.move_to(MARCH + 70 * DAY)
    return in_march


def statement(bea, code, **query):
    # The session of a test that begins in March is over by May.
    bea.client.force_login(bea.user)
    return bea.client.get(
        reverse("training_credits:my-code-statement", args=[code.pk]), query
    )
