"""What a purchase has left on its code: on the page after it, in its mail, later."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits.ledger.balances import left_after
from oscar_training_credits.credits.models import Redemption
from oscar_training_credits.credits.wording import last_day
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import hold, place_order
from ...support.shop import Learner, text_of, words

pytestmark = pytest.mark.django_db

TEXT = "ACME-TEAM-2026"
SOON = timezone.now() + timedelta(days=20)


@pytest.fixture
def learner():
    return Learner(make_learner())


@pytest.fixture
def code():
    """30 credits that end soon, and 70 that do not."""
    code = make_code(70, text=TEXT)
    api.add_grant(code, 30, expires_at=SOON)
    return code


def spend(user, credits, text=TEXT):
    course = make_training("Course", credits=credits, credit_only=True, price=None)
    return place_order(user, (course.product, 1), texts=[text])


def left() -> list[str]:
    rows = Redemption.objects.select_related("code").order_by("pk")
    return [balance.left for balance in left_after(rows)]


def test_each_purchase_tells_what_it_left_whatever_came_after(learner, code):
    other = make_code(5, text="OTHER-2026")
    spend(learner.user, 20)
    spend(make_learner(), 30)
    api.add_grant(code, 500)
    spend(learner.user, 550)
    spend(learner.user, 5, "OTHER-2026")

    with CaptureQueriesContext(connection) as asked:
        told = left()

    assert told == [
        f"80 credits left, 10 of them until {last_day(SOON)}.",
        "50 credits left.",
        "Nothing is left.",
        "Nothing is left.",
    ]
    assert len(asked) == 2  # the redemptions themselves, and one
    assert other.balance() == 0


def test_what_had_expired_or_was_held_then_is_not_left(learner, code):
    api.add_grant(code, 900, expires_at=timezone.now() - timedelta(days=1))
    hold(make_learner(), code, 40)
    spend(learner.user, 20)

    assert left()[-1] == "40 credits left."


def test_refunds_do_not_change_what_was_left(learner, code):
    order = spend(learner.user, 20)
    api.refund_order(order, idempotency_key="back")

    assert left() == [f"80 credits left, 10 of them until {last_day(SOON)}."]


def test_the_learner_reads_it_after_the_order_in_the_mail_and_later(learner, code):
    course = make_training("Course", credits=20, credit_only=True, price=None)
    learner.add(course.product)
    learner.client.post(reverse("training_credits:apply"), {"code": TEXT})
    answer = learner.place()

    said = f"{code}: 80 credits left"
    assert said in words(text_of(learner.client.get(answer.url)))
    (sent,) = mail.outbox
    assert said in sent.body
    assert said in words(str(sent.alternatives[0][0]))
    shown = words(text_of(learner.client.get(reverse("training_credits:my-training"))))
    number = learner.order().number
    assert f"order {number} , 20 credits, {code}. After it: 80 credits left" in shown


def test_others_do_not_read_it(learner, code):
    spend(learner.user, 20)
    other = Client()
    other.force_login(make_learner())

    shown = words(text_of(other.get(reverse("training_credits:my-training"))))

    assert "Paid with codes" not in shown
    assert "credits left" not in shown
