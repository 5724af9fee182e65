"""The state of a code as it really is, asked of one code or of all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oscar_training_credits import api
from oscar_training_credits.api import Condition, condition_of
from oscar_training_credits.credits.codes import finding
from oscar_training_credits.credits.codes.rules import Purchase, first_refusal
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.test.factories import (
    make_code,
    make_issued,
    make_learner,
    make_training,
)

from ...support.orders import hold, place_order

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

TEXT = "ACME-TEAM-2026"
DAY = timedelta(days=1)


def found_as(condition: str, at: Any = None, of: Any = ()) -> set[CreditCode]:
    codes = CreditCode.objects.all()
    for code in of:
        codes = codes.among(range(code.pk, code.pk + 1))
    return set(finding.in_condition(codes, condition, at or timezone.now()))


@pytest.fixture
def course():
    return make_training("Course", credits=20, price="240.00")


def buy(course, code_text: str = TEXT, quantity: int = 1):
    return place_order(make_learner(), (course.product, quantity), text=code_text)


def refund(order, quantity: int) -> None:
    lines = [(order.lines.get(), quantity)]
    api.refund_lines(lines, idempotency_key=f"refund {quantity}")


def test_a_code_for_one_order_is_used_up_by_it(course):
    code = make_code(100, text=TEXT, one_order_only=True)
    assert condition_of(code) is Condition.ACTIVE

    buy(course)

    assert code.balance() == 80
    assert condition_of(code) is Condition.USED_UP
    assert found_as("used-up") == {code}
    assert found_as("active") == set()


def test_a_code_for_one_order_is_active_again_once_all_is_given_back(course):
    code = make_code(100, text=TEXT, one_order_only=True)
    order = buy(course, quantity=2)

    refund(order, 1)
    assert found_as("used-up") == {code}
    lines = [(order.lines.get(), 1)]
    api.refund_lines(lines, idempotency_key="the rest")

    assert condition_of(code) is Condition.ACTIVE
    assert found_as("active") == {code}


def test_a_hold_uses_a_code_for_one_order_until_it_lapses():
    code = make_code(100, one_order_only=True)
    held = hold(make_learner(), code, 20)

    assert condition_of(code) is Condition.USED_UP
    later = held.expires_at + DAY
    assert condition_of(code, later) is Condition.ACTIVE
    assert found_as("active", later) == {code}
    api.release_expired(later)
    assert condition_of(code) is Condition.ACTIVE


def test_a_code_for_several_orders_is_active_as_long_as_credits_are_left(course):
    code = make_code(40, text=TEXT, redemptions_per_learner=1)

    buy(course)
    assert condition_of(code) is Condition.ACTIVE
    buy(course)

    assert condition_of(code) is Condition.USED_UP


def test_codes_that_are_read_with_their_condition_cost_no_query_each(
    course, django_assert_num_queries
):
    for number in range(3):
        make_code(50, text=f"{TEXT}-{number}", one_order_only=True)
    buy(course, f"{TEXT}-0")

    with django_assert_num_queries(1):
        codes = finding.with_condition(CreditCode.objects.order_by("pk"))
        conditions = [condition_of(code) for code in codes]

    assert conditions == [Condition.USED_UP, Condition.ACTIVE, Condition.ACTIVE]


shapes = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["active", "active", "disabled", "closed"]),
        "starts": st.sampled_from([None, -3, 3]),
        "ends": st.sampled_from([None, None, -2, 4]),
        "credits_end": st.sampled_from([None, None, -1]),
        "one_order_only": st.booleans(),
        "orders": st.lists(
            st.tuples(
                st.sampled_from(["captured", "released", "held", "lapsed"]),
                st.sampled_from([10, 20]),
                st.sampled_from([0, 5, "all"]),
            ),
            max_size=2,
        ),
    }
)


def made(shape: dict[str, Any], course: Any, now: Any) -> CreditCode:
    """Return a code that has come to this state by what people do."""
    issued = make_issued(40)
    code, text = issued.code, issued.text
    for what, credits, back in shape["orders"]:
        if what == "captured":
            order = buy(course, text, quantity=credits // 10)
            if back == "all":
                api.refund_order(order, idempotency_key=f"all of {order.pk}")
            elif back:
                refund(order, 1)
        else:
            held = hold(make_learner(), code, credits)
            if what == "released":
                api.release_expired(held.expires_at + DAY)
            elif what == "lapsed":
                type(held).objects.filter(pk=held.pk).update(expires_at=now - DAY)
    days = {"starts_at": shape["starts"], "expires_at": shape["ends"]}
    CreditCode.objects.filter(pk=code.pk).update(
        one_order_only=shape["one_order_only"],
        state=shape["state"],
        **{name: day and now + day * DAY for name, day in days.items()},
    )
    if shape["credits_end"]:
        end = now + shape["credits_end"] * DAY
        code.grants.update(expires_at=end)
    return CreditCode.objects.get(pk=code.pk)


@hypothesis_settings(
    max_examples=10,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(shapes, min_size=2, max_size=4))
def test_a_code_and_the_list_say_the_same(db, shapes):
    with transaction.atomic():
        course = make_training("Unit", credits=10, price="90.00")
        now = timezone.now()
        codes = [
            made(shape, course, now)
            for shape in shapes
            if shape["starts"] is None
            or shape["ends"] is None
            or shape["starts"] < shape["ends"]
        ]
        for at in (now, now + 2 * DAY, now + 5 * DAY):
            said = {code: condition_of(code, at) for code in codes}
            read = finding.with_condition(CreditCode.objects.all(), at)
            assert {code: condition_of(code, at) for code in read} == said
            for condition in Condition:
                mine = {code for code, each in said.items() if each is condition}
                assert found_as(condition, at) == mine
                assert found_as(condition, at, of=codes[:1]) == mine.intersection(
                    codes[:1]
                )
            staff = get_user_model()(pk=0, is_staff=True)
            for code, condition in said.items():
                refused = first_refusal(code, Purchase(staff, at=at))
                assert (refused is None) == (condition is Condition.ACTIVE)
        transaction.set_rollback(True)
