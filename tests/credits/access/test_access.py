"""Access to what training opens: given once for a purchase, and looked up."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from oscar_training_credits import signals
from oscar_training_credits.credits.access.granting import begin_access
from oscar_training_credits.credits.access.status import (
    AccessStatus,
    access_status,
    access_statuses,
    has_access,
    holdings,
)
from oscar_training_credits.credits.models import Access, TrainingProduct
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.test.factories import (
    make_issued,
    make_learner,
    make_product,
    make_training,
)

from ...support.orders import place_order

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

NOW = timezone.now()
DAY = timedelta(days=1)


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def training():
    return make_training(credits=20)


@pytest.fixture
def order_line(learner):
    """Return new order lines that opened nothing."""
    book = make_product("A book")
    return lambda: place_order(learner, (book, 1)).lines.get()


@pytest.fixture
def given(learner, training, order_line):
    """Give access from and to so many days from now; None for no end."""

    def give(*periods: tuple[float, float | None]) -> None:
        for starts, ends in periods:
            Access.objects.create(
                learner=learner,
                training=training,
                order_line=order_line(),
                starts_at=NOW + starts * DAY,
                ends_at=None if ends is None else NOW + ends * DAY,
            )

    return give


def buy(learner, training: TrainingProduct) -> Access:
    """Buy with a code, and return the access that it gave."""
    text = make_issued(100).text
    order = place_order(learner, (training.product, 1), text=text)
    return order.lines.get().training_access


def lasts(access: Access) -> timedelta | None:
    return access.ends_at and access.ends_at - access.starts_at


def begins_now(access: Access) -> bool:
    return abs(access.starts_at - timezone.now()) < timedelta(minutes=1)


def test_access_is_for_ever_unless_the_terms_say_days(learner, training):
    access = buy(learner, training)

    assert begins_now(access)
    assert access.ends_at is None
    assert (access.learner, access.training) == (learner, training)


@pytest.mark.parametrize("days", [1, 30, 36_500])
def test_access_lasts_the_days_of_the_terms(learner, days):
    access = buy(learner, make_training(access_days=days))

    assert begins_now(access)
    assert lasts(access) == days * DAY


def test_what_is_bought_for_money_opens_too(learner, training):
    order = place_order(learner, (training.product, 1))

    assert order.total_incl_tax == 240
    assert has_access(learner, training)


def test_a_product_that_is_no_training_opens_nothing(learner):
    place_order(learner, (make_product("A book"), 1))

    assert not Access.objects.exists()


def test_each_line_of_an_order_opens_its_own(learner):
    first, second = make_training(access_days=10), make_training()

    place_order(learner, (first.product, 1), (second.product, 1))

    assert set(Access.objects.values_list("training", flat=True)) == {
        first.pk,
        second.pk,
    }


def test_buying_again_extends_without_overlap(learner):
    training = make_training(access_days=30)

    periods = [buy(learner, training) for _ in range(3)]

    assert begins_now(periods[0])
    assert [lasts(access) for access in periods] == [30 * DAY] * 3
    assert periods[1].starts_at == periods[0].ends_at
    assert periods[2].starts_at == periods[1].ends_at
    assert access_status(learner, training).ends_at == periods[2].ends_at


def test_buying_after_the_end_begins_now(learner):
    training = make_training(access_days=30)
    first = buy(learner, training)
    Access.objects.filter(pk=first.pk).update(
        starts_at=NOW - 40 * DAY, ends_at=NOW - 10 * DAY
    )

    assert begins_now(buy(learner, training))


def test_buying_for_ever_begins_when_what_runs_ends(learner):
    training = make_training(access_days=30)
    first = buy(learner, training)
    sell_as_training(training.product, credits=20, access_days=None)

    second = buy(learner, training)

    assert (second.starts_at, second.ends_at) == (first.ends_at, None)
    assert access_status(learner, training).ends_at is None


def test_anothers_access_does_not_delay_mine(learner):
    training = make_training(access_days=30)
    buy(make_learner(), training)

    assert begins_now(buy(learner, training))


def test_access_to_another_course_does_not_delay_this_one(learner, training):
    buy(learner, make_training(access_days=30))

    assert begins_now(buy(learner, training))


def test_an_order_line_gives_access_once(learner):
    training = make_training(access_days=30)
    first = buy(learner, training)

    with pytest.raises(IntegrityError), transaction.atomic():
        begin_access(learner, training, order_line=first.order_line)

    assert Access.objects.get() == first


def test_access_must_not_end_before_it_starts(given):
    with pytest.raises(IntegrityError), transaction.atomic():
        given((0, -1))


def test_access_may_end_as_it_starts(given, learner, training):
    given((0, 0))

    assert not has_access(learner, training)


def test_receivers_hear_of_access_once_it_is_committed(
    learner, training, order_line, django_capture_on_commit_callbacks
):
    heard = []

    def hear(sender, access, **kwargs):
        heard.append(access)

    signals.access_given.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            access = begin_access(learner, training, order_line=order_line())
            assert heard == []
    finally:
        signals.access_given.disconnect(hear)

    assert heard == [access]


PERIODS = [
    pytest.param([], AccessStatus(), id="never bought"),
    pytest.param([(-1, None)], AccessStatus(True, NOW - DAY), id="for ever"),
    pytest.param([(-1, 1)], AccessStatus(True, NOW - DAY, NOW + DAY), id="for a while"),
    pytest.param([(-2, -1)], AccessStatus(ended_at=NOW - DAY), id="ended"),
    pytest.param(
        [(-4, -3), (-2, -1)], AccessStatus(ended_at=NOW - DAY), id="ended twice"
    ),
    pytest.param(
        [(-2, 1), (1, 5)],
        AccessStatus(True, NOW - 2 * DAY, NOW + 5 * DAY),
        id="extended",
    ),
    pytest.param(
        [(-4, -1), (-1, 2)],
        AccessStatus(True, NOW - DAY, NOW + 2 * DAY),
        id="in the extension",
    ),
    pytest.param(
        [(-4, -3), (-1, 2)],
        AccessStatus(True, NOW - DAY, NOW + 2 * DAY),
        id="bought anew after the end",
    ),
    pytest.param(
        [(-2, 1), (1, None)],
        AccessStatus(True, NOW - 2 * DAY),
        id="extended for ever",
    ),
    pytest.param(
        [(-3, None), (-1, 9)],
        AccessStatus(True, NOW - 3 * DAY),
        id="for ever, and bought again",
    ),
    pytest.param(
        [(1, 2)], AccessStatus(False, NOW + DAY, NOW + 2 * DAY), id="not begun"
    ),
    pytest.param(
        [(-2, -1), (1, 2)],
        AccessStatus(False, NOW + DAY, NOW + 2 * DAY, ended_at=NOW - DAY),
        id="between two",
    ),
    pytest.param(
        [(-2, 1), (2, 5)],
        AccessStatus(True, NOW - 2 * DAY, NOW + DAY),
        id="with a gap to come",
    ),
    pytest.param(
        [(-2, 3), (1, 2)],
        AccessStatus(True, NOW - 2 * DAY, NOW + 3 * DAY),
        id="one within the other",
    ),
]


@pytest.mark.parametrize(("periods", "expected"), PERIODS)
def test_how_a_learner_stands(learner, training, given, periods, expected):
    given(*periods)

    assert access_status(learner, training) == expected
    assert has_access(learner, training) is expected.has_access


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "current"),
    [
        pytest.param(0, None, True, id="starts now"),
        pytest.param(1, None, False, id="starts in a moment"),
        pytest.param(-2, 1, True, id="ends in a moment"),
        pytest.param(-2, 0, False, id="ends now"),
    ],
)
def test_access_is_current_from_its_start_up_to_its_end(
    learner, training, order_line, starts_at, ends_at, current
):
    tick = timedelta(microseconds=1)
    Access.objects.create(
        learner=learner,
        training=training,
        order_line=order_line(),
        starts_at=NOW + starts_at * tick,
        ends_at=None if ends_at is None else NOW + ends_at * tick,
    )

    assert Access.objects.current(NOW).exists() is current


@pytest.mark.parametrize(
    ("ends_at", "has_ended"), [(None, False), (1, False), (0, True), (-1, True)]
)
def test_access_has_ended_from_its_end_on(ends_at, has_ended):
    tick = timedelta(microseconds=1)
    access = Access(ends_at=None if ends_at is None else NOW + ends_at * tick)

    assert access.has_ended(NOW) is has_ended


def test_another_learner_sees_nothing(given, training):
    given((-1, None))
    other = make_learner()

    assert access_status(other, training) == AccessStatus()
    assert not has_access(other, training)
    assert access_statuses(other, [training]) == holdings(other) == {}


def test_another_course_stays_closed(given, learner):
    given((-1, None))
    other = make_training()

    assert access_status(learner, other) == AccessStatus()
    assert not has_access(learner, other)


def test_a_visitor_sees_nothing_at_no_query(given, training, django_assert_num_queries):
    given((-1, None))
    visitor = AnonymousUser()

    with django_assert_num_queries(0):
        assert access_status(visitor, training) == AccessStatus()
        assert access_statuses(visitor, [training]) == holdings(visitor) == {}
        assert not has_access(visitor, training)


def test_may_see_costs_one_query(given, learner, training, django_assert_num_queries):
    given((-4, -3), (-2, 1), (1, 5))

    with django_assert_num_queries(1):
        assert has_access(learner, training)


def test_standings_of_many_cost_one_query(learner, django_assert_num_queries):
    bought = [make_training(access_days=days) for days in (1, 2, 3)]
    other = make_training()
    for training in bought:
        buy(learner, training)

    with django_assert_num_queries(1):
        found = access_statuses(learner, [*bought, other])

    assert set(found) == {training.pk for training in bought}
    assert all(each.has_access for each in found.values())


def test_holdings_are_all_that_was_bought(learner):
    first: datetime | None = buy(learner, make_training(access_days=9)).ends_at
    training = make_training()
    buy(learner, training)

    ends = {each.ends_at for each in holdings(learner).values()}

    assert ends == {first, None}
    assert set(access_statuses(learner, [training])) == {training.pk}
    assert access_statuses(learner, []) == {}
