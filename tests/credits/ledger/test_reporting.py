"""The roll-forward of credits: right for what was true then, to the credit."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from datetime import timezone as zones
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib import admin

from oscar_training_credits import api
from oscar_training_credits.credits.codes.issuing import edit_code
from oscar_training_credits.credits.ledger import redemption
from oscar_training_credits.credits.ledger.reporting import NUMBERS, Grouping
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import hold, place, place_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_march")]

DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
MARCH = datetime(2027, 3, 1, tzinfo=zones.utc)
APRIL = datetime(2027, 4, 1, tzinfo=zones.utc)
MAY = datetime(2027, 5, 1, tzinfo=zones.utc)
TEXT = "ACME-TEAM-2027"


@pytest.fixture
def in_march():
    """Let the site's clock stand at the tenth of March."""
    with time_machine.travel(MARCH + 9 * DAY, tick=False):
        yield


def on(day: datetime):
    return time_machine.travel(day, tick=False)


def figures(start: datetime, end: datetime, *, today: datetime = MAY) -> dict[str, int]:
    """Return what is not 0 in the roll-forward of a period, reported on some day."""
    with on(today + 99 * DAY):
        row = api.roll_forward(start=start, end=end)
    names = [name for name in row.__slots__ if name != "key"]
    numbers = {name: getattr(row, name) for name in [*names, "closing"]}
    return {name: number for name, number in numbers.items() if number}


def spend(credits: int, *, texts=(TEXT,), quantity: int = 1, learner=None):
    course = make_training("Course", credits=credits, credit_only=True)
    learner = learner or make_learner()
    return place_order(learner, (course.product, quantity), texts=texts)


def test_nothing_was_there():
    assert figures(MARCH, APRIL) == {}


def test_a_period_sums_up_and_the_next_begins_where_it_ended():
    code = make_code(100, text=TEXT)
    order = spend(30)
    api.adjust_credits(code, -5, reason="mistake")
    api.adjust_credits(code, 2, reason="goodwill")
    with on(APRIL + DAY):
        api.refund_order(order, idempotency_key="call 1")
        api.add_grant(code, 50)

    march, april = figures(MARCH, APRIL), figures(APRIL, MAY)

    assert march == {"granted": 100, "redeemed": 30, "adjusted": -3, "closing": 67}
    assert april == {"opening": 67, "refunded": 30, "granted": 50, "closing": 147}
    assert code.balance() == 147


# At the edges


def test_a_moment_belongs_to_the_period_that_begins_with_it():
    with on(APRIL):
        make_code(100)

    assert figures(MARCH, APRIL) == {}
    assert figures(APRIL, MAY) == {"granted": 100, "closing": 100}


@pytest.mark.parametrize(
    ("end", "march", "april"),
    [
        (APRIL - MOMENT, {"granted": 9, "expired": 9}, {}),
        (
            APRIL,
            {"granted": 9, "closing": 9},
            {"opening": 9, "expired": 9},
        ),
    ],
    ids=["just before", "exactly then"],
)
@pytest.mark.parametrize("of", ["expires_at", "grant_expires_at"])
def test_credits_expire_when_the_grant_or_the_code_ends(end, march, april, of):
    make_code(9, **{of: end})

    assert (figures(MARCH, APRIL), figures(APRIL, MAY)) == (march, april)


def test_a_day_begins_where_its_zone_says():
    berlin = datetime(2027, 4, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    with on(APRIL - timedelta(hours=1)):
        make_code(9)

    assert figures(MARCH, berlin) == {}
    assert figures(MARCH, APRIL) == {"granted": 9, "closing": 9}


def test_a_grant_does_not_outlive_its_code():
    make_code(9, expires_at=APRIL + DAY, grant_expires_at=MAY + DAY)

    assert figures(APRIL, MAY) == {"opening": 9, "expired": 9}


def test_what_was_granted_after_its_end_expires_at_once():
    make_code(9, grant_expires_at=MARCH)

    assert figures(MARCH, APRIL) == {"granted": 9, "expired": 9}


def test_what_has_not_happened_yet_is_not_counted():
    make_code(9, grant_expires_at=MARCH + 20 * DAY)

    with on(MARCH + 10 * DAY):
        row = api.roll_forward(start=MARCH, end=APRIL)

    assert (row.closing, row.expired) == (9, 0)


@pytest.mark.parametrize("start", [APRIL, MARCH + 9 * DAY + MOMENT])
def test_a_period_that_makes_no_sense_is_refused(start):
    with pytest.raises(ValueError, match="begins before it ends"):
        api.roll_forward(start=start, end=APRIL - DAY)


# Ends that were changed


def extend(code: CreditCode) -> None:
    api.extend_code(code, until=MAY + 50 * DAY, with_credits=True)


def edit(code: CreditCode) -> None:
    edit_code(code, {"expires_at": None})


def change_in_admin(code: CreditCode) -> None:
    code.expires_at = None
    code_admin = admin.site.get_model_admin(CreditCode)
    code_admin.save_model(None, code, None, change=True)


@pytest.mark.parametrize("change", [extend, edit, change_in_admin])
def test_credits_that_expired_and_are_valid_again_were_not_there_meanwhile(change):
    code = make_code(9, expires_at=MARCH + 20 * DAY)
    with on(APRIL + DAY):
        change(code)

    assert figures(MARCH, APRIL) == {"granted": 9, "expired": 9}
    assert figures(APRIL, MAY) == {"reinstated": 9, "closing": 9}
    assert figures(MARCH, MAY) == {
        "granted": 9,
        "expired": 9,
        "reinstated": 9,
        "closing": 9,
    }


def test_grants_are_extended_after_they_expired_more_than_once():
    code = make_code(9, grant_expires_at=MARCH + 20 * DAY)
    with on(APRIL + DAY):
        api.extend_code(code, until=APRIL + 9 * DAY, with_credits=True)
    with on(MAY):
        api.extend_code(code, until=MAY + 9 * DAY, with_credits=True)

    assert figures(APRIL, APRIL + 5 * DAY) == {"reinstated": 9, "closing": 9}
    assert figures(APRIL, MAY) == {"reinstated": 9, "expired": 9}
    assert figures(MAY, MAY + 5 * DAY) == {"reinstated": 9, "closing": 9}
    assert figures(MAY, MAY + 10 * DAY) == {"reinstated": 9, "expired": 9}


def test_credits_that_live_longer_before_they_expire_are_no_news():
    code = make_code(9, expires_at=APRIL - DAY)
    extend(code)

    assert figures(MARCH, APRIL) == {"granted": 9, "closing": 9}


def test_a_grant_keeps_its_end_in_whatever_saves_an_older_state():
    code = make_code(9, grant_expires_at=APRIL - DAY)
    stale = code.grants.get()
    api.extend_code(code, until=MAY, with_credits=True)

    stale.note = "Invoice 7"
    stale.save()

    assert code.grants.get().expires_at == MAY


# Holds


def test_held_credits_are_outstanding_until_their_order_is_placed():
    learner, code = make_learner(), make_code(100, text=TEXT)
    held = hold(learner, code, 30)
    with on(APRIL + DAY):
        basket = held.basket
        basket.strategy = make_basket(learner).strategy
        place(basket, learner)

    assert figures(MARCH, APRIL) == {"granted": 100, "closing": 100}
    assert figures(APRIL, MAY) == {"opening": 100, "redeemed": 30, "closing": 70}


def test_held_credits_that_are_released_have_not_moved():
    code = make_code(100)
    held = hold(make_learner(), code, 30)
    with on(APRIL + DAY):
        redemption.release([held])

    assert figures(MARCH, APRIL) == {"granted": 100, "closing": 100}
    assert figures(APRIL, MAY) == {"opening": 100, "closing": 100}


def test_held_credits_expire_when_they_are_released_too_late():
    code = make_code(100, grant_expires_at=APRIL - DAY)
    held = hold(make_learner(), code, 30)
    with on(APRIL + DAY):
        redemption.release([held])

    assert figures(MARCH, APRIL) == {"granted": 100, "expired": 70, "closing": 30}
    assert figures(APRIL, MAY) == {"opening": 30, "expired": 30}


# Refunds, and codes that are closed


def test_credits_that_come_back_after_they_expired_are_refunded(settings):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = 60
    make_code(100, text=TEXT, expires_at=APRIL)
    order = spend(30)
    with on(APRIL + DAY):
        api.refund_order(order, idempotency_key="call 1")

    march, april = figures(MARCH, APRIL), figures(APRIL, MAY)

    assert march == {"granted": 100, "redeemed": 30, "closing": 70}
    assert april == {"opening": 70, "expired": 70, "refunded": 30, "closing": 30}


def test_what_is_left_on_a_closed_code_lapses():
    code = make_code(100, text=TEXT)
    order = spend(30)
    with on(APRIL + DAY):
        api.close_code(code)
        api.refund_order(order, idempotency_key="call 1")
    with on(MAY + DAY):
        api.close_code(code)

    assert figures(MARCH, APRIL)["closing"] == 70
    april = {"opening": 70, "lapsed": 70, "refunded": 30, "closing": 30}
    assert figures(APRIL, MAY) == april
    assert figures(MAY, MAY + 9 * DAY) == {"opening": 30, "lapsed": 30}


def test_what_had_expired_does_not_lapse_as_well():
    code = make_code(100, grant_expires_at=APRIL - DAY)
    with on(APRIL + DAY):
        api.close_code(code)

    assert figures(MARCH, APRIL) == {"granted": 100, "expired": 100}
    assert figures(APRIL, MAY) == {}


# By code, holder, reference and origin


def grouped(by: Grouping) -> dict[Any, tuple[int, int]]:
    with on(MAY + 99 * DAY):
        rows = list(api.roll_forward_by(by, start=APRIL, end=MAY))
    return {row.key: (row.opening, row.closing) for row in rows}


def test_groups_add_up_to_the_whole():
    terms = {"holder": "ACME", "reference": "C-7"}
    first = make_code(100, text=TEXT, **terms)
    second = make_code(40, origin="goodwill", holder="ACME", expires_at=APRIL + DAY)
    third = make_code(9, origin="import", expires_at=APRIL - DAY)
    spend(30)
    api.adjust_credits(first, 5, reason="mistake")
    with on(APRIL + 2 * DAY):
        edit_code(second, {"expires_at": None})
        edit_code(third, {"expires_at": None})

    assert grouped(Grouping.CODE) == {
        first.pk: (75, 75),
        second.pk: (40, 40),
        third.pk: (0, 9),
    }
    assert grouped(Grouping.HOLDER) == {"": (0, 9), "ACME": (115, 115)}
    assert grouped(Grouping.REFERENCE) == {"": (40, 49), "C-7": (75, 75)}
    assert grouped(Grouping.ORIGIN) == {
        "adjustment": (5, 5),
        "goodwill": (40, 40),
        "paid": (70, 79),
    }
    assert figures(APRIL, MAY)["closing"] == 124


def test_groups_cost_as_many_queries_however_many_they_are(
    django_assert_num_queries,
):
    for _number in range(5):
        make_code(9)

    with on(MAY), django_assert_num_queries(3):
        assert len(list(api.roll_forward_by(Grouping.CODE, start=MARCH, end=MAY))) == 5


# In money


def in_money(start: datetime, end: datetime, grouping: Grouping | None = None):
    """Return what is not 0 in the money of a period, by key and currency."""
    with on(MAY + 99 * DAY):
        rows = list(api.roll_forward_money(start=start, end=end, grouping=grouping))
    return {
        (row.key, row.currency): {
            name: str(getattr(row, name))
            for name in (*NUMBERS, "closing")
            if getattr(row, name)
        }
        for row in rows
    }


def pounds(amount: str) -> api.Paid:
    return api.Paid(Decimal(amount), "GBP")


def test_credits_are_worth_their_part_of_what_they_were_sold_for():
    code = make_code(100, text=TEXT, paid=pounds("1000.00"))
    make_code(50)  # nobody knows for how much
    order = spend(30)
    api.adjust_credits(code, -5, reason="mistake")
    with on(APRIL + DAY):
        api.refund_order(order, idempotency_key="call 1")
        api.add_grant(code, 50, paid=pounds("250.00"))
        api.close_code(code, reason="ended")

    assert in_money(MARCH, APRIL) == {
        ("", "GBP"): {
            "granted": "1000.00",
            "redeemed": "300.00",
            "adjusted": "-50.00",
            "closing": "650.00",
        }
    }
    assert in_money(APRIL, MAY) == {
        ("", "GBP"): {
            "opening": "650.00",
            "refunded": "300.00",
            "granted": "250.00",
            "lapsed": "1200.00",
        }
    }


def test_what_expires_unused_is_breakage():
    make_code(3, paid=pounds("10.00"), grant_expires_at=APRIL + DAY)

    assert in_money(APRIL, MAY) == {
        ("", "GBP"): {"opening": "10.00", "expired": "10.00"}
    }


def test_cents_add_up_and_none_is_lost():
    make_code(3, text=TEXT, paid=pounds("10.00"))
    for day in (0, 31, 62):
        with on(MARCH + timedelta(days=day + 10)):
            spend(1)

    months = [
        in_money(MARCH, APRIL),
        in_money(APRIL, MAY),
        in_money(MAY, MAY + 31 * DAY),
    ]
    redeemed = [month["", "GBP"]["redeemed"] for month in months]

    assert redeemed == ["3.33", "3.34", "3.33"]
    assert [month["", "GBP"].get("closing") for month in months] == [
        "6.67",
        "3.33",
        None,
    ]


def test_each_currency_and_group_has_its_own():
    acme = make_code(10, paid=pounds("100.00"), holder="ACME")
    api.add_grant(acme, 10, paid=api.Paid(Decimal("90.00"), "EUR"))
    make_code(10, paid=pounds("50.00"), origin="import")

    closing = {
        key: numbers["closing"]
        for key, numbers in in_money(MARCH, APRIL, Grouping.HOLDER).items()
    }
    assert closing == {
        ("", "GBP"): "50.00",
        ("ACME", "EUR"): "90.00",
        ("ACME", "GBP"): "100.00",
    }
    assert in_money(MARCH, APRIL, Grouping.ORIGIN).keys() == {
        ("paid", "EUR"),
        ("paid", "GBP"),
    }


def test_credits_that_come_back_after_their_end_keep_what_was_paid(settings):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = 30
    code = make_code(
        3, text=TEXT, paid=pounds("10.00"), grant_expires_at=MARCH + 20 * DAY
    )
    order = spend(2)
    with on(APRIL + DAY):
        api.refund_order(order, idempotency_key="call 1")

    renewed = code.grants.latest("pk")
    assert (renewed.credits, renewed.paid_amount) == (2, Decimal("6.67"))
    assert in_money(APRIL, APRIL + 9 * DAY) == {
        ("", "GBP"): {"refunded": "6.67", "closing": "6.67"}
    }


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("-0.01", "GBP"), ("1.001", "GBP"), ("NaN", "GBP"), ("1e11", "GBP"), ("1", "")],
)
def test_what_is_no_price_is_refused(amount, currency):
    with pytest.raises(ValueError, match=r"sold for|currency"):
        api.Paid(Decimal(amount), currency)


# Period after period


def test_a_series_says_what_each_period_alone_says():
    code = make_code(100, text=TEXT, expires_at=APRIL + 20 * DAY)
    make_code(7, grant_expires_at=MARCH + 20 * DAY)
    order = spend(30)
    with on(APRIL + DAY):
        api.refund_order(order, idempotency_key="call 1")
    with on(MAY + DAY):
        extend(code)
    moments = [MARCH - 31 * DAY, MARCH, APRIL, MAY, MAY + 31 * DAY]

    with on(MAY + 40 * DAY):
        series = api.roll_forward_series(moments)
        alone = [
            replace(api.roll_forward(start=start, end=end), key=start)
            for start, end in pairwise(moments)
        ]

    assert series == alone
    assert [row.closing for row in series] == [0, 70, 0, 100]


def test_a_series_costs_two_queries(django_assert_num_queries):
    with django_assert_num_queries(2):
        api.roll_forward_series([MARCH - n * DAY for n in range(60, 0, -1)])


def test_a_series_ends_today():
    series = api.roll_forward_series([MARCH, APRIL, MAY])

    assert [row.key for row in series] == [MARCH]


@pytest.mark.parametrize("moments", [[MARCH, MARCH, APRIL], [APRIL, MAY]])
def test_a_series_of_no_periods_is_refused(moments):
    with pytest.raises(ValueError, match=r"[Pp]eriod"):
        api.roll_forward_series([*moments])
