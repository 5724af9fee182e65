"""Who is entitled to a code checks its balance; others are told what a stranger is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits.wording import last_day
from oscar_training_credits.test.factories import make_code, make_learner

from ...support.count_queries import queries
from ...support.shop import text_of, words

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

CHECK = reverse("training_credits:check-code")
TEXT = "ACME-TEAM-2026"
END = timezone.now() + timedelta(days=20)


@pytest.fixture
def client():
    client = Client()
    client.user = make_learner()
    client.force_login(client.user)
    return client


def check(client, text=TEXT):
    return words(text_of(client.post(CHECK, {"code": text})))


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, "30 credits available."),
        ({"expires_at": END}, f"30 credits available, until {last_day(END)}."),
        (
            {"grant_expires_at": END, "more": 15},
            f"45 credits available, 30 of them until {last_day(END)}.",
        ),
        ({"credits_per_learner": 7}, "7 credits available."),
        ({"expires_at": END - timedelta(days=40)}, "This code expired on"),
    ],
    ids=["no end", "one end", "some end", "capped", "over"],
)
def test_what_a_code_has_is_told(client, terms, expected):
    more = terms.pop("more", 0)
    code = make_code(30, text=TEXT, **terms)
    if more:
        api.add_grant(code, more)

    assert expected in check(client)
    assert "Check a code" in text_of(
        client.get(reverse("training_credits:my-training"))
    )
    assert TEXT not in text_of(client.get(CHECK))


@pytest.mark.parametrize("kind", ["unknown", "disabled", "not for you", "test code"])
def test_a_stranger_learns_nothing_by_the_same_queries(client, kind):
    terms = {
        "not for you": {"email_domains": ["other.example"]},
        "test code": {"is_test": True},
    }.get(kind, {})
    code = make_code(30, text=TEXT, **terms)
    if kind == "disabled":
        api.set_state(code, "disabled")
    text = "NOBODY-HAS-2026" if kind == "unknown" else TEXT
    check(client, text)
    other = queries(lambda: check(client, "SOMETHING-ELSE-2026"))
    asked = queries(lambda: check(client, text))

    assert "This code can't be used." in check(client, text)
    assert asked == other


def test_wrong_codes_are_counted(client, settings, new_hour):
    settings.TRAINING_CREDITS_THROTTLE = {"learner": "3/h"}
    make_code(30, text=TEXT)
    for number in range(3):
        check(client, f"WRONG-CODE-{number}")

    assert "Too many wrong codes" in check(client)
    assert Client().post(CHECK, {"code": TEXT}).status_code == 302
