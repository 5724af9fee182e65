"""Who looks after which codes in these tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from oscar_training_credits.credits.codes import managing
from oscar_training_credits.test.factories import make_code, make_learner

from ...support.shop import Learner

TEXT = "ACME-TEAM-2026"


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
