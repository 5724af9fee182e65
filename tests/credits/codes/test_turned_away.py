"""Who is entitled to a code and can't use it is counted, and nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits.credits.models import CreditCode, TurnedAway
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import place_order
from ...support.shop import Learner

pytestmark = pytest.mark.django_db

TEXT = "ACME-TEAM-2026"


@pytest.fixture
def shopper():
    shopper = Learner(make_learner())
    shopper.add(make_training("Django", credits=20, credit_only=True).product)
    return shopper


def counted() -> list[tuple[str, int]]:
    return list(TurnedAway.objects.order_by("pk").values_list("reason", "times"))


def test_an_expired_code_is_counted_once_a_day_with_all_its_times(shopper):
    code = make_code(text=TEXT, expires_at=timezone.now() - timedelta(days=1))

    for _n in range(3):
        shopper.apply(TEXT)

    assert counted() == [("expired", 3)]
    row = TurnedAway.objects.get()
    assert (row.code, row.learner) == (code, shopper.user)


def test_a_code_that_pays_for_nothing_here_is_counted_and_applied(shopper):
    make_code(5, text=TEXT)

    shopper.apply(TEXT)

    assert counted() == [("not_enough", 1)]


def test_a_code_that_pays_is_not_counted(shopper):
    make_code(20, text=TEXT)

    shopper.apply(TEXT)

    assert counted() == []


def test_what_is_used_up_is_counted(shopper):
    make_code(5, text=TEXT)
    course = make_training("Rust", credits=5, credit_only=True)
    place_order(make_learner(), (course.product, 1), text=TEXT)

    shopper.apply(TEXT)

    assert counted() == [("spent", 1)]


@pytest.mark.parametrize("terms", [{"state": "disabled"}, {"named_only": True}])
def test_a_stranger_leaves_no_trace_by_whose_cost_the_code_could_be_told(
    shopper, terms
):
    make_code(text=TEXT)
    CreditCode.objects.update(**terms)

    shopper.apply(TEXT)
    shopper.apply("NO-SUCH-CODE")

    assert counted() == []


def test_on_a_course_page_too(client):
    client.force_login(make_learner())
    training = make_training("Django", credits=20)
    make_code(text=TEXT, expires_at=timezone.now() - timedelta(days=1))

    client.post(
        reverse("training_credits:purchase-apply", args=[training.pk]), {"code": TEXT}
    )

    assert counted() == [("expired", 1)]
