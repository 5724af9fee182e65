"""Staff see which learners could not use a code, and why."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.shop import Learner, csv_rows, text_of, words

pytestmark = pytest.mark.django_db

PAGE = reverse("training_credits:code-turned-away")


@pytest.fixture
def turned_away():
    """Lee tried an expired code twice and a small one; Kim the small one."""
    make_code(
        text="OLD-TEAM-2026", label="Old", expires_at=timezone.now() - timedelta(days=1)
    )
    make_code(5, text="SMALL-TEAM-2026", label="Small")
    course = make_training("Django", credits=20, credit_only=True)
    lee = Learner(make_learner(first_name="Lee", last_name="Roe"))
    kim = Learner(make_learner(first_name="Kim", last_name="Poe"))
    for learner, texts in (
        (lee, ["OLD-TEAM-2026", "OLD-TEAM-2026", "SMALL-TEAM-2026"]),
        (kim, ["SMALL-TEAM-2026"]),
    ):
        learner.add(course.product)
        for text in texts:
            learner.apply(text)


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        (None, ["It has expired 2 1", "Too little is left for what they want 2 2"]),
        ("code", ["Old (code ending 2026) 2 1 Small (code ending 2026) 2 2"]),
        ("learner", ["Lee Roe 3 1 Kim Poe 1 1"]),
    ],
)
def test_for_each(admin_client, turned_away, by, rows):
    response = admin_client.get(PAGE, {"by": by} if by else {})

    assert all(row in words(text_of(response)) for row in rows)


def test_the_file(admin_client, turned_away):
    headings, *rows = csv_rows(admin_client.get(PAGE, {"as": "csv"}))

    assert headings == ["Reason", "Times", "Learners"]
    assert sorted(rows)[0] == ["It has expired", "2", "1"]


def test_another_month(admin_client, turned_away):
    response = admin_client.get(
        PAGE, {"first_day": "2020-01-01", "last_day": "2020-01-31"}
    )

    assert "Nobody was turned away." in words(text_of(response))
