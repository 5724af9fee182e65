"""A credit code answers what Oscar asks of a voucher."""

from __future__ import annotations

import inspect
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from oscar.apps.voucher.abstract_models import AbstractVoucher
from oscar.core.loading import get_model

from oscar_training_credits.credits.codes.issuing import set_state
from oscar_training_credits.credits.models import CreditCode, CreditGrant
from oscar_training_credits.shop.voucher.codes import VoucherLike
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_product,
    make_training,
)

Voucher = get_model("voucher", "Voucher")
Range = get_model("offer", "Range")

pytestmark = pytest.mark.django_db

QUESTIONS = [
    "is_active",
    "is_expired",
    "is_available_to_user",
    "is_available_for_basket",
]
NOW = timezone.now()
DAY = timedelta(days=1)


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def course():
    return make_training(credits=20).product


@pytest.fixture
def basket(learner, course):
    return make_basket(learner, (course, 1))


@pytest.fixture
def code_that(course):
    """Make a code in one of the states that a code can be in."""

    def make(is_so: str) -> CreditCode:
        content = Range.objects.create(name="Only", includes_all_products=False)
        if is_so != "elsewhere":
            content.add_product(course)
        code = make_code(
            content=content,
            starts_at=NOW + DAY if is_so == "early" else None,
            expires_at=NOW - DAY if "late" in is_so else None,
            grant_expires_at=NOW - DAY if is_so == "lapsed" else None,
        )
        if "disabled" in is_so:
            set_state(code, CreditCode.State.DISABLED)
        if is_so == "spent":
            CreditGrant.objects.update(remaining=0)
        return code

    return make


def voucher_of(start: datetime, end: datetime) -> AbstractVoucher:
    return Voucher(name="V", code="V", start_datetime=start, end_datetime=end)


@pytest.mark.parametrize("question", QUESTIONS)
def test_questions_have_the_names_and_arguments_of_a_vouchers(question):
    asked = inspect.signature(getattr(VoucherLike, question)).parameters
    known = inspect.signature(getattr(AbstractVoucher, question)).parameters

    assert [(each.name, each.default) for each in asked.values()] == [
        (each.name, each.default) for each in known.values()
    ]


STATES = [
    # is so, active, expired, for this user, for this basket
    pytest.param("active", True, False, True, True, id="active"),
    pytest.param("early", False, False, False, False, id="not started"),
    pytest.param("late", False, True, False, False, id="expired"),
    pytest.param("lapsed", False, True, False, False, id="its credits expired"),
    pytest.param("disabled", False, False, False, False, id="disabled"),
    pytest.param("spent", False, False, False, False, id="spent"),
    pytest.param("elsewhere", True, False, True, False, id="for other content"),
]


@pytest.mark.parametrize(("is_so", "active", "expired", "user", "basket_"), STATES)
def test_a_code_answers_with_a_vouchers_types(
    code_that, learner, basket, is_so, active, expired, user, basket_
):
    like = VoucherLike(code_that(is_so))

    assert like.is_active() is active
    assert like.is_expired() is expired
    for expected, answer in (
        (user, like.is_available_to_user(learner)),
        (basket_, like.is_available_for_basket(basket)),
    ):
        available, message = answer
        assert available is expected
        assert isinstance(message, str)
        assert bool(message) is not expected


@pytest.mark.parametrize("days", [-2, -1, 0, 1, 2])
def test_a_code_is_active_when_a_voucher_would_be(days):
    start, end, at = NOW - DAY, NOW + DAY - timedelta(seconds=1), NOW + days * DAY
    like = VoucherLike(make_code(starts_at=start, expires_at=end))

    assert like.is_active(at) is voucher_of(start, end).is_active(at)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_code_has_expired_when_a_voucher_would_have(days):
    start, end = NOW - 2 * DAY, NOW + days * DAY
    like = VoucherLike(make_code(starts_at=start, expires_at=end))

    assert like.is_expired() is voucher_of(start, end).is_expired()


def test_a_disabled_code_can_have_expired_too(code_that):
    assert VoucherLike(code_that("late and disabled")).is_expired()


@pytest.mark.parametrize("user", [None, AnonymousUser()], ids=["nobody", "visitor"])
def test_a_code_is_available_to_whoever_holds_it(user):
    assert VoucherLike(make_code()).is_available_to_user(user) == (True, "")
    assert VoucherLike(make_code()).is_available_to_user() == (True, "")


@pytest.mark.parametrize(
    ("is_so", "words"),
    [
        ("disabled", "can't be used"),
        ("late", "expired on"),
        ("early", "can be used from"),
        ("spent", "used up"),
        ("elsewhere", "can't pay for what you are buying"),
    ],
)
def test_the_message_is_the_one_that_learners_are_told(code_that, basket, is_so, words):
    _available, message = VoucherLike(code_that(is_so)).is_available_for_basket(basket)

    assert words in message


def test_a_basket_without_training_needs_no_code(learner):
    basket = make_basket(learner, (make_product("A book"), 1))

    available, message = VoucherLike(make_code()).is_available_for_basket(basket)

    assert available is False
    assert "no code is needed" in message


def test_a_guests_basket_can_be_asked_about(course):
    basket = make_basket(None, (course, 1))

    assert VoucherLike(make_code()).is_available_for_basket(basket) == (True, "")
