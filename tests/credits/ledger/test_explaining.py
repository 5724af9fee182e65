"""What staff are told of a code and a learner is what the learner meets."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits.credits.codes.issuing import set_state
from oscar_training_credits.credits.ledger.explaining import explain
from oscar_training_credits.credits.models import CreditCode, CreditGrant
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.test.factories import make_code, make_learner

from ...shop.direct_purchase.test_direct_purchase import Buyer
from ...support.orders import place_order
from ...support.shop import words

pytestmark = pytest.mark.django_db

TEXT = "ACME-TEAM-2026"
DAY = timedelta(days=1)


@pytest.fixture
def code():
    return make_code(100, text=TEXT, redemptions_per_learner=2, credits_per_learner=90)


@pytest.fixture
def buyer(course):
    return Buyer(course)


def nothing(code, buyer, settings):
    """Leave all as it is."""


def disabled(code, buyer, settings):
    set_state(code, "disabled")


def for_others(code, buyer, settings):
    code.groups.add(Group.objects.create(name="Others"))


def for_nobody(code, buyer, settings):
    CreditCode.objects.update(named_only=True)


def for_them(code, buyer, settings):
    code.learners.add(buyer.user)


def not_started(code, buyer, settings):
    CreditCode.objects.update(starts_at=timezone.now() + DAY)


def expired(code, buyer, settings):
    CreditCode.objects.update(expires_at=timezone.now() - DAY)


def credits_expired(code, buyer, settings):
    CreditGrant.objects.update(expires_at=timezone.now() - DAY)


def other_content(code, buyer, settings):
    books = get_model("offer", "Range").objects.create(name="Books")
    CreditCode.objects.update(content=books)


def used_often(code, buyer, settings):
    CreditCode.objects.update(redemptions_per_learner=1)
    place_order(buyer.user, (buyer.training.product, 1), text=TEXT)


def share_spent(code, buyer, settings):
    CreditCode.objects.update(credits_per_learner=20)
    place_order(buyer.user, (buyer.training.product, 1), text=TEXT)


def share_too_small(code, buyer, settings):
    CreditCode.objects.update(credits_per_learner=5)


def dearer(code, buyer, settings):
    sell_as_training(buyer.training.product, credits=101)


def had_for_ever(code, buyer, settings):
    place_order(buyer.user, (buyer.training.product, 1), text=TEXT)


def not_sold_again(code, buyer, settings):
    settings.TRAINING_CREDITS_BUY_AGAIN = "never"
    sell_as_training(buyer.training.product, credits=20, access_days=30)
    place_order(buyer.user, (buyer.training.product, 1), text=TEXT)


def waiting_for_its_payment(code, buyer, settings):
    settings.TRAINING_CREDITS_PAID_STATUSES = ["Paid"]
    place_order(buyer.user, (buyer.training.product, 1))


def money_alone(code, buyer, settings):
    sell_as_training(buyer.training.product, credits=None)


WAYS = [
    (nothing, None),
    (for_them, None),
    (disabled, "The code is active"),
    (for_others, "It is for this learner"),
    (for_nobody, "It is for this learner"),
    (not_started, "It can be used already"),
    (expired, "It has not expired"),
    (credits_expired, "It has credits that have not expired"),
    (other_content, "It may pay for this"),
    (used_often, "The learner has an order left"),
    (share_spent, "The learner has credits of their share left"),
    (share_too_small, "The code has enough: this costs 20 credits"),
    (dearer, "The code has enough: this costs 101 credits"),
    (had_for_ever, "It adds to the learner's access"),
    (waiting_for_its_payment, "It adds to the learner's access"),
    (not_sold_again, "It may be bought now, and again"),
    (money_alone, "It is sold for credits"),
]


@pytest.mark.parametrize(
    ("change", "failing"), WAYS, ids=[change.__name__ for change, _failing in WAYS]
)
def test_it_passes_exactly_where_the_learner_can_buy(
    code, buyer, settings, change, failing
):
    change(code, buyer, settings)
    buyer.training.refresh_from_db()

    said = explain(code, training=buyer.training, learner=buyer.user)

    before = code.balance()
    box = buyer.box(TEXT)
    buyer.confirm()
    assert said.passes == (failing is None) == (code.balance() < before)
    first = next((answer for answer in said.answers if not answer.passes), None)
    assert (first and first.question) == failing
    if first and said.quote.codes and said.quote.codes[0].refusal:
        assert (first.told or first.refusal) in box


def test_it_names_the_grants_that_would_be_used(course, code):
    CreditGrant.objects.update(remaining=15)
    soon = timezone.now() + DAY
    CreditGrant.objects.create(code=code, credits=8, remaining=8, expires_at=soon)

    said = explain(code, training=course.training, learner=make_learner())

    assert [(take.grant.credits, take.credits) for take in said.takes] == [
        (8, 8),
        (100, 12),
    ]


def test_every_rule_answers_although_one_has_failed(code, course):
    set_state(code, "disabled")
    CreditCode.objects.update(expires_at=timezone.now() - DAY)

    said = explain(code, training=course.training, learner=make_learner())

    failed = [answer for answer in said.answers if not answer.passes]
    assert [answer.question for answer in failed][:2] == [
        "The code is active",
        "It has not expired",
    ]
    assert failed[0].refusal == "The code is not active."
    assert "ask your learning administrator" in words(failed[0].told).lower()


def test_a_visitor_is_told_apart_from_a_learner(code, course):
    code.learners.add(make_learner())

    said = explain(code, training=course.training, learner=AnonymousUser())

    [failed] = [answer for answer in said.answers if not answer.passes][:1]
    assert "this visitor has not logged in" in failed.refusal


def on_weekdays(code, purchase):
    return None


def for_staff(code, purchase):
    return None


for_staff.label = "It is for our own staff"


def test_a_rule_of_the_sites_own_is_named(code, course, settings):
    names = [f"{__name__}.{rule.__name__}" for rule in (on_weekdays, for_staff)]
    settings.TRAINING_CREDITS_CODE_RULES = names

    said = explain(code, training=course.training, learner=make_learner())

    assert [answer.question for answer in said.answers][:2] == [
        "On weekdays",
        "It is for our own staff",
    ]
