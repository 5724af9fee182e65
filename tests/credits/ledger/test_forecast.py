"""How long credits last: what is spent in a day, and what ends before it is spent."""

from __future__ import annotations

from datetime import datetime, timedelta
from datetime import timezone as zones
from fractions import Fraction
from random import Random

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from oscar_training_credits import api
from oscar_training_credits.credits.ledger import forecast as forecast_module
from oscar_training_credits.credits.ledger.forecast import (
    Portion,
    ending_within,
    first_to_end,
    outlook,
)
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.credits.terms import MOST_GRANTED
from oscar_training_credits.test.factories import (
    make_code,
    make_issued,
    make_learner,
    make_training,
)

from ...support.orders import place_order

DAY = timedelta(days=1)
NOW = datetime(2027, 3, 1, tzinfo=zones.utc)


def portions(*pairs: tuple[int, int | None]) -> list[Portion]:
    """Return portions of so many credits that end in so many days."""
    return [
        Portion(credits, None if days is None else NOW + days * DAY)
        for credits, days in pairs
    ]


@pytest.mark.parametrize(
    ("pairs", "per_day", "lasts", "unused"),
    [
        ([], 1, 0, 0),
        ([(100, None)], 0, None, 0),
        ([(100, None)], 2, 50, 0),
        ([(100, 60)], 2, 50, 0),
        ([(100, 50)], 2, 50, 0),
        ([(100, 10)], 2, 10, 80),
        ([(100, 10)], 0, 10, 100),
        # What ends first is spent first, and what is spent of it is not spent twice.
        ([(100, None), (10, 20)], 1, 110, 0),
        ([(100, None), (30, 20)], 1, 120, 10),
        ([(100, None), (30, 20)], 0, None, 30),
        ([(30, 20), (30, 40)], 1, 40, 20),
        # Half a credit is not spent.
        ([(3, 1)], Fraction(5, 2), 1, 1),
    ],
)
def test_what_ends_first_is_spent_first(pairs, per_day, lasts, unused):
    found = outlook(portions(*pairs), per_day=Fraction(per_day), at=NOW)

    assert found.lasts_until == (None if lasts is None else NOW + lasts * DAY)
    assert found.unused == unused


def test_credits_for_more_than_a_hundred_years_do_not_run_dry():
    found = outlook(portions((10**9, None)), per_day=Fraction(1), at=NOW)

    assert found.lasts_until is None


numbers = st.tuples(st.integers(0, 10**6), st.none() | st.integers(0, 36_000))
rates = st.fractions(min_value=0, max_value=10**6)


@given(st.lists(numbers, max_size=6), rates, rates)
def test_who_spends_more_runs_dry_no_later_and_wastes_no_more(pairs, one, other):
    slow, fast = sorted([one, other])
    slowly = outlook(portions(*pairs), per_day=slow, at=NOW)
    quickly = outlook(portions(*pairs), per_day=fast, at=NOW)

    assert 0 <= quickly.unused <= slowly.unused <= sum(n for n, _days in pairs)
    if slowly.lasts_until is not None:
        assert quickly.lasts_until <= slowly.lasts_until


# From the ledger


@pytest.fixture
def today():
    with time_machine.travel(NOW, tick=False):
        yield


def spend(credits: int, *, days_ago: int, text: str = "ACME-TEAM-2027"):
    course = make_training("Course", credits=credits, credit_only=True)
    with time_machine.travel(NOW - days_ago * DAY, tick=False):
        return place_order(make_learner(), (course.product, 1), text=text)


@pytest.fixture
def code(db, today):
    with time_machine.travel(NOW - 200 * DAY, tick=False):
        return make_code(300, text="ACME-TEAM-2027")


def forecast(code: CreditCode):
    return api.forecasts([code])[code.pk]


def test_the_rate_is_that_of_the_last_ninety_days(code):
    spend(100, days_ago=91)
    spend(45, days_ago=89)
    spend(45, days_ago=1)

    found = forecast(code)

    assert (found.balance, found.per_day) == (110, 1)
    assert found.lasts_until == NOW + 110 * DAY


def test_what_was_given_back_was_not_spent(code):
    spend(90, days_ago=30)
    order = spend(90, days_ago=20)
    api.refund_order(order, idempotency_key="a")

    assert forecast(code).per_day == 1


def test_a_young_code_is_judged_by_its_age_and_at_least_by_a_week(db, today):
    with time_machine.travel(NOW - 10 * DAY, tick=False):
        old = make_code(100, text="ACME-TEAM-2027")
    spend(20, days_ago=5)
    new = make_code(100, text="BETA-TEAM-2027")
    spend(14, days_ago=0, text="BETA-TEAM-2027")

    assert forecast(old).per_day == 2
    assert forecast(new).per_day == 2


def test_credits_end_with_the_code_if_not_before(db, today):
    code = make_code(100, expires_at=NOW + 10 * DAY)
    api.add_grant(code, 50, expires_at=NOW + 5 * DAY)
    api.add_grant(code, 1, expires_at=NOW + 99 * DAY)

    found = forecast(code)

    assert (found.balance, found.unused) == (151, 151)
    assert found.lasts_until == NOW + 10 * DAY


def test_any_number_of_codes_takes_two_queries(db, today, django_assert_num_queries):
    codes = [make_code(5) for _n in range(3)]

    with django_assert_num_queries(2):
        assert len(api.forecasts(codes)) == 3


def test_a_code_with_nothing_left_has_run_dry(code):
    spend(300, days_ago=30)

    found = forecast(code)

    assert (found.balance, found.lasts_until) == (0, NOW)


@pytest.mark.parametrize("days", [1, 30, 90, 365, 36_500])
def test_who_ends_soon_is_found_without_a_look_at_each(db, today, days, monkeypatch):
    """Compared with the outlook of every code, one by one."""
    monkeypatch.setattr(forecast_module, "CHUNK", 7)
    random = Random(days)
    course = make_training(credits=3)
    for number in range(40):
        ends = [None, NOW + random.randint(1, 400) * DAY]
        issued = make_issued(
            random.choice([3, 6, 30, 900]),
            expires_at=random.choice(ends),
            grant_expires_at=random.choice(ends),
            is_test=number == 5,
        )
        if random.random() < 0.3:
            api.add_grant(issued.code, 10, expires_at=random.choice(ends))
        orders = [
            place_order(make_learner(), (course.product, 1), text=issued.text)
            for _order in range(random.choice([0, 1, 1]))
            if number != 5
        ]
        if orders and random.random() < 0.3:
            api.refund_order(orders[0], idempotency_key=f"{number}")
        born = NOW - random.choice([1, 30, 200]) * DAY
        CreditCode.objects.filter(pk=issued.code.pk).update(created_at=born)
    codes = CreditCode.objects.filter(is_test=False).order_by("pk")
    outlooks = api.forecasts(codes, at=NOW)
    until = NOW + days * DAY

    expected = [
        (code.pk, outlooks[code.pk])
        for code in codes
        if outlooks[code.pk].balance
        and outlooks[code.pk].lasts_until
        and outlooks[code.pk].lasts_until <= until
    ]

    found = [(code.pk, each) for code, each in ending_within(days, at=NOW)]
    assert found == expected
    assert days < 90 or found
    in_time = sorted(ending_within(days, at=NOW), key=lambda each: each[1].lasts_until)
    for most in (1, 5, 99):
        assert first_to_end(most, within=days, at=NOW) == in_time[:most]


def test_a_huge_balance_is_looked_for_as_any_other(db, today):
    with time_machine.travel(NOW - 100 * DAY, tick=False):
        code = make_code(MOST_GRANTED, text="ACME-TEAM-2027")
    spend(90, days_ago=1)

    assert list(ending_within(36_500, at=NOW)) == []
    assert forecast(code).per_day == 1


def test_where_many_end_soon_those_that_end_later_are_not_read(
    db, today, django_assert_num_queries
):
    for days in (1, 2, 20, 80):
        make_code(5, expires_at=NOW + days * DAY)

    with django_assert_num_queries(4):
        found = first_to_end(2, within=365, at=NOW)

    assert [each.lasts_until for _code, each in found] == [NOW + DAY, NOW + 2 * DAY]
