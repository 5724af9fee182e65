"""Credits given back: to the grants they came from, never twice, by every way in."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, transaction
from django.db.models import Sum
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_class, get_model

from oscar_training_credits import api, signals
from oscar_training_credits.credits.access import places
from oscar_training_credits.credits.access.status import has_access
from oscar_training_credits.credits.codes.issuing import add_grant
from oscar_training_credits.credits.ledger import refunding
from oscar_training_credits.credits.ledger.refunding import RefundReason
from oscar_training_credits.credits.models import (
    Access,
    CreditCode,
    CreditGrant,
    LedgerEntry,
    RedemptionLine,
    Refund,
    RefundLine,
    SettledLine,
)
from oscar_training_credits.exceptions import IdempotencyKeyReused, RefundRefused
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support import books
from ...support.orders import confirm, place_order
from ...support.shop import Learner, text_of, words

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

NOW = timezone.now()
DAY = timedelta(days=1)
TEXT = "ACME-TEAM-2026"


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def training():
    return make_training("Django Foundations", price="240.00", credits=20)


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def order(learner, training, code):
    """Three seats for 60 of the code's 100 credits."""
    return place_order(learner, (training.product, 3), text=TEXT)


@pytest.fixture
def line(order):
    return order.lines.get()


def assert_balanced() -> None:
    """Assert that all records of what was taken and given back agree."""
    books.assert_balanced()
    for line in RedemptionLine.objects.annotate(back=Sum("refund_lines__credits")):
        assert line.refunded == (line.back or 0)
    for refund in Refund.objects.all():
        for rows in (refund.lines, refund.entries):
            assert rows.aggregate(total=Sum("credits"))["total"] == refund.credits
    for settled in SettledLine.objects.annotate(back=Sum("redemption_lines__refunded")):
        assert settled.back == settled.unit_credits * settled.refunded_quantity


def remaining(code: CreditCode) -> list[int]:
    return list(code.grants.order_by("pk").values_list("remaining", flat=True))


# What goes back, and where


def test_credits_go_back_per_unit(code, line):
    by = make_learner(is_staff=True)

    outcome = refunding.refund_lines([(line, 2)], idempotency_key="a", by=by, at=NOW)

    (refund,) = outcome.refunds
    assert (refund.credits, refund.idempotency_key, refund.created_by) == (40, "a", by)
    assert (outcome.credits, outcome.is_repeated, outcome.refusals) == (40, False, ())
    assert code.balance() == 80
    entry = refund.entries.get()
    assert (entry.kind, entry.credits, entry.balance) == ("refund", 40, 80)
    assert (entry.redemption, entry.created_at) == (None, NOW)
    assert SettledLine.objects.get().refunded_quantity == 2
    assert_balanced()


def test_a_refund_points_at_what_was_taken(code, line):
    refunding.refund_lines([(line, 1)], idempotency_key="a")

    row = RefundLine.objects.get()
    assert row.redemption_line.settled_line.order_line == line
    assert (row.grant, row.quantity, row.credits) == (code.grants.get(), 1, 20)


def test_what_was_spent_last_goes_back_first(learner, training):
    code = make_code(30, text=TEXT, grant_expires_at=NOW + DAY)
    add_grant(code, 100)
    order = place_order(learner, (training.product, 3), text=TEXT)
    assert remaining(code) == [0, 70]

    after = []
    for idempotency_key in "abc":
        refunding.refund_lines(
            [(order.lines.get(), 1)], idempotency_key=idempotency_key
        )
        after.append(remaining(code))

    assert after == [[0, 90], [10, 100], [30, 100]]
    assert_balanced()


def test_giving_some_back_leaves_what_buying_fewer_would_have_left(learner, training):
    code = make_code(30, text=TEXT, grant_expires_at=NOW + DAY)
    add_grant(code, 100)
    twin = make_code(30, text="TWIN-TEAM-2026", grant_expires_at=NOW + DAY)
    add_grant(twin, 100)
    order = place_order(learner, (training.product, 3), text=TEXT)

    refunding.refund_lines([(order.lines.get(), 1)], idempotency_key="a")
    place_order(learner, (training.product, 2), text="TWIN-TEAM-2026")

    assert remaining(code) == remaining(twin)


def test_each_code_gets_its_own_back(learner, training):
    first = make_code(30, text="CODE-ONE-2026")
    second = make_code(100, text="CODE-TWO-2026")
    order = place_order(
        learner, (training.product, 3), texts=["CODE-ONE-2026", "CODE-TWO-2026"]
    )
    assert (first.balance(), second.balance()) == (0, 70)

    outcome = refunding.refund_rest(order.lines.all(), idempotency_key="a")

    assert {each.redemption.code: each.credits for each in outcome.refunds} == {
        first: 30,
        second: 30,
    }
    assert (first.balance(), second.balance()) == (30, 100)
    assert_balanced()


def test_lines_of_one_order_go_back_together(learner, training, code):
    other = make_training("Secure by Design", credits=5)
    order = place_order(learner, (training.product, 2), (other.product, 3), text=TEXT)
    first, second = order.lines.order_by("pk")

    outcome = refunding.refund_lines([(first, 1), (second, 2)], idempotency_key="a")

    (refund,) = outcome.refunds
    assert refund.credits == 30
    assert refund.entries.count() == 1
    assert refund.lines.count() == 2
    assert_balanced()


def test_a_line_named_twice_is_added_up(code, line):
    refunding.refund_lines([(line, 1), (line, 1)], idempotency_key="a")

    assert code.balance() == 80
    assert_balanced()


def test_a_disabled_code_gets_its_credits_back(code, line):
    CreditCode.objects.update(state="disabled")

    refunding.refund_lines([(line, 3)], idempotency_key="a")

    assert code.balance() == 100


# Never more than was taken


def test_no_more_goes_back_than_was_taken(code, line):
    with pytest.raises(RefundRefused) as refused:
        refunding.refund_lines([(line, 4)], idempotency_key="a")

    (refusal,) = refused.value.refusals
    assert (refusal.obstacle, refusal.left) == (RefundReason.TOO_MANY, 3)
    assert refusal.order_line_id == line.pk
    assert code.balance() == 40
    assert not Refund.objects.exists()


def test_every_line_that_gives_too_much_back_is_named(learner, training, code):
    other = make_training("Secure by Design", credits=5)
    order = place_order(learner, (training.product, 1), (other.product, 2), text=TEXT)
    first, second = order.lines.order_by("pk")

    plan = refunding.plan_lines([(first, 2), (second, 3)])

    assert [(each.order_line_id, each.left) for each in plan.refusals] == [
        (first.pk, 1),
        (second.pk, 2),
    ]
    assert refunding.plan_lines([(first, 2), (second, 2)]).fully == (second.pk,)


def test_what_went_back_counts(code, line):
    refunding.refund_lines([(line, 2)], idempotency_key="a")

    with pytest.raises(RefundRefused) as refused:
        refunding.refund_lines([(line, 2)], idempotency_key="b")

    assert refused.value.refusals[0].left == 1
    assert code.balance() == 80


def test_the_database_would_not_take_more_back(line):
    refunding.refund_lines([(line, 3)], idempotency_key="a")

    for rows, field in (
        (RedemptionLine, "refunded"),
        (SettledLine, "refunded_quantity"),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.objects.update(**{field: 61})


def test_a_line_paid_with_money_gives_no_credits_back(learner, training, order):
    bought = place_order(learner, (make_product(), 1)).lines.get()

    with pytest.raises(RefundRefused) as refused:
        refunding.refund_lines([(bought, 1)], idempotency_key="a")

    assert refused.value.refusals[0].obstacle is RefundReason.NOT_IN_CREDITS
    assert refunding.refund_rest([bought], idempotency_key="a").refunds == ()


@pytest.mark.parametrize("quantity", [0, -1])
def test_one_unit_is_the_least(line, quantity):
    for lines in ([(line, quantity)], [(line, 2), (line, quantity)]):
        with pytest.raises(ValueError, match="one unit"):
            refunding.refund_lines(lines, idempotency_key="a")


def test_a_refund_is_of_one_order(learner, training, code, line):
    other = place_order(learner, (training.product, 1), text=TEXT).lines.get()

    with pytest.raises(ValueError, match="one order"):
        refunding.refund_lines([(line, 1), (other, 1)], idempotency_key="a")
    with pytest.raises(ValueError, match="one order"):
        refunding.refund_rest([line, other], idempotency_key="a")


@pytest.mark.parametrize("idempotency_key", ["", "a" * 129])
def test_a_cause_has_a_length(line, idempotency_key):
    with pytest.raises(ValueError, match="A key has"):
        refunding.refund_lines([(line, 1)], idempotency_key=idempotency_key)


def test_the_longest_cause_is_kept_whole(line):
    refunding.refund_lines([(line, 1)], idempotency_key="a" * 128)

    assert Refund.objects.get().idempotency_key == "a" * 128


@pytest.mark.parametrize(
    "refund",
    [
        pytest.param(
            lambda line: refunding.refund_lines([(line, 3)], idempotency_key="a"),
            id="lines",
        ),
        pytest.param(
            lambda line: refunding.refund_rest([line], idempotency_key="a"), id="rest"
        ),
    ],
)
def test_all_credits_go_back_or_none(refund, learner, training):
    first, second = (
        make_code(30, text="CODE-ONE-2026"),
        make_code(30, text="CODE-TWO-2026"),
    )
    order = place_order(
        learner, (training.product, 3), texts=["CODE-ONE-2026", "CODE-TWO-2026"]
    )
    line = order.lines.get()
    second.grants.update(remaining=1)

    with pytest.raises(DatabaseError):
        refund(line)

    assert (first.balance(), second.balance()) == (0, 1)
    assert not Refund.objects.exists()


def test_cancelling_after_a_refund_gives_the_rest(code, order, line):
    refunding.refund_lines([(line, 1)], idempotency_key="a")

    by = make_learner(is_staff=True)

    outcome = refunding.refund_rest(
        order.lines.all(), idempotency_key="cancel", by=by, at=NOW
    )

    assert outcome.credits == 40
    assert [(each.created_by, each.created_at) for each in outcome.refunds] == [
        (by, NOW)
    ]
    assert code.balance() == 100
    assert_balanced()


def test_a_refund_after_cancelling_gives_nothing(code, order, line):
    refunding.refund_rest(order.lines.all(), idempotency_key="cancel")

    with pytest.raises(RefundRefused):
        refunding.refund_lines([(line, 1)], idempotency_key="a")
    again = refunding.refund_rest(order.lines.all(), idempotency_key="again")

    assert again.refunds == ()
    assert code.balance() == 100


# Once per key


def test_the_same_cause_gives_the_first_refunds(code, line):
    first = refunding.refund_lines([(line, 1)], idempotency_key="a")

    again = refunding.refund_lines([(line, 1)], idempotency_key="a")

    assert again.refunds == first.refunds
    assert again.is_repeated
    assert code.balance() == 60
    assert_balanced()


def test_a_retry_is_answered_although_nothing_is_left(code, line):
    first = refunding.refund_lines([(line, 3)], idempotency_key="a")

    assert (
        refunding.refund_lines([(line, 3)], idempotency_key="a").refunds
        == first.refunds
    )


def test_a_cancellation_is_repeated_safely(code, order):
    first = refunding.refund_rest(order.lines.all(), idempotency_key="a")
    again = refunding.refund_rest(order.lines.all(), idempotency_key="a")

    assert again.refunds == first.refunds
    assert code.balance() == 100


def test_another_line_for_the_same_cause_is_an_error(learner, training):
    make_code(20, text="CODE-ONE-2026")
    make_code(30, text="CODE-TWO-2026")
    other = make_training("Secure by Design", credits=30).product
    order = place_order(
        learner,
        (training.product, 1),
        (other, 1),
        texts=["CODE-ONE-2026", "CODE-TWO-2026"],
    )
    first, second = order.lines.order_by("pk")
    refunding.refund_lines([(first, 1)], idempotency_key="a")

    with pytest.raises(IdempotencyKeyReused):
        refunding.refund_lines([(second, 1)], idempotency_key="a")
    with pytest.raises(IdempotencyKeyReused):
        refunding.refund_lines([(first, 1), (second, 1)], idempotency_key="a")

    assert Refund.objects.count() == 1


def test_fewer_lines_for_the_same_cause_are_an_error(learner, training, code):
    other = make_training("Secure by Design", credits=30).product
    order = place_order(learner, (training.product, 1), (other, 1), text=TEXT)
    first, second = order.lines.order_by("pk")
    refunding.refund_lines([(first, 1), (second, 1)], idempotency_key="a")

    with pytest.raises(IdempotencyKeyReused):
        refunding.refund_lines([(first, 1)], idempotency_key="a")


def test_the_same_again_after_another_refund_is_the_first(learner, training, code):
    other = make_training("Secure by Design", credits=30).product
    order = place_order(learner, (training.product, 1), (other, 1), text=TEXT)
    first, second = order.lines.order_by("pk")
    done = refunding.refund_lines([(first, 1)], idempotency_key="a")
    refunding.refund_lines([(second, 1)], idempotency_key="b")

    again = refunding.refund_lines([(first, 1)], idempotency_key="a")

    assert again.is_repeated
    assert again.refunds == done.refunds


def test_another_order_has_causes_of_its_own(learner, training, code, line):
    other = place_order(learner, (training.product, 1), text=TEXT).lines.get()
    refunding.refund_lines([(line, 1)], idempotency_key="a")

    refunding.refund_lines([(other, 1)], idempotency_key="a")

    assert code.balance() == 60


# Credits that have expired


@pytest.fixture
def lapsed(learner, training):
    """A line paid with 40 of 50 credits that have expired since."""
    code = make_code(50, text=TEXT)
    line = place_order(learner, (training.product, 2), text=TEXT).lines.get()
    CreditGrant.objects.update(expires_at=NOW - DAY)
    add_grant(code, 7)
    return line


@pytest.mark.parametrize("days", [None, 0])
def test_expired_credits_are_refused_without_days_of_grace(lapsed, settings, days):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = days

    with pytest.raises(RefundRefused) as refused:
        refunding.refund_lines([(lapsed, 1)], idempotency_key="a")

    (refusal,) = refused.value.refusals
    assert (refusal.obstacle, refusal.moment) == (RefundReason.LAPSED, NOW - DAY)
    assert not Refund.objects.exists()


@pytest.mark.parametrize("code_ends", [None, NOW + 2 * DAY])
def test_it_is_said_when_the_first_of_expired_credits_did(
    learner, training, settings, code_ends
):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = None
    code = make_code(10, text=TEXT, grant_expires_at=NOW + DAY, expires_at=code_ends)
    add_grant(code, 100, expires_at=NOW + 2 * DAY)
    line = place_order(learner, (training.product, 1), text=TEXT).lines.get()

    plan = refunding.plan_lines([(line, 1)], at=NOW + 3 * DAY)

    (refusal,) = plan.refusals
    assert (refusal.obstacle, refusal.moment) == (RefundReason.LAPSED, NOW + DAY)


ENDS = {
    "grant": {"grant_expires_at": NOW + DAY},
    "code": {"expires_at": NOW + DAY},
}


@pytest.mark.parametrize("terms", ENDS.values(), ids=ENDS)
def test_credits_have_expired_at_the_moment_of_their_end(
    terms, learner, training, settings
):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = None
    make_code(100, text=TEXT, **terms)
    line = place_order(learner, (training.product, 1), text=TEXT).lines.get()

    before = refunding.plan_lines([(line, 1)], at=NOW + DAY - timedelta(seconds=1))
    then = refunding.plan_lines([(line, 1)], at=NOW + DAY)

    assert not before.refusals
    assert [refusal.moment for refusal in then.refusals] == [NOW + DAY]


def test_expired_credits_come_back_in_a_grant_for_the_days_of_grace(lapsed, settings):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = 10
    code, by = CreditCode.objects.get(), make_learner(is_staff=True)

    outcome = refunding.refund_lines([(lapsed, 1)], idempotency_key="a", by=by, at=NOW)

    old, _top_up, new = code.grants.order_by("pk")
    assert old.remaining == 10
    assert (new.created_by, new.created_at) == (by, NOW)
    assert (new.credits, new.remaining, new.expires_at) == (20, 20, NOW + 10 * DAY)
    assert (new.origin, new.note) == (
        "adjustment",
        f"Given back from order {lapsed.order.number} after they had expired",
    )
    assert RefundLine.objects.get().grant == new
    entry = outcome.refunds[0].entries.get()
    assert (entry.grant, entry.kind, entry.balance) == (new, "refund", 20)
    assert code.balance() == 27
    assert_balanced()


@pytest.mark.parametrize("grant_ends", [None, NOW + 50 * DAY])
def test_what_nobody_gave_back_is_not_revived(learner, training, settings, grant_ends):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = 10
    code = make_code(50, text=TEXT, grant_expires_at=grant_ends)
    other = make_code(50)
    line = place_order(learner, (training.product, 2), text=TEXT).lines.get()
    CreditCode.objects.filter(pk=code.pk).update(expires_at=NOW - DAY)

    refunding.refund_lines([(line, 2)], idempotency_key="a", at=NOW)

    code.refresh_from_db()
    assert code.expires_at == NOW + 10 * DAY
    assert code.balance(NOW) == 40
    assert list(code.grants.order_by("pk").values_list("remaining", "expires_at")) == [
        (10, NOW - DAY),
        (40, NOW + 10 * DAY),
    ]
    assert other.grants.get().expires_at is None
    place_order(learner, (training.product, 2), text=TEXT)
    assert code.balance() == 0


def test_a_code_that_ends_within_the_grace_lives_as_long(lapsed, settings):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = 10
    CreditCode.objects.update(expires_at=NOW + DAY)

    refunding.refund_lines([(lapsed, 1)], idempotency_key="a", at=NOW)

    code = CreditCode.objects.get()
    assert code.expires_at == NOW + 10 * DAY
    assert code.balance(NOW) == 27
    assert code.balance(NOW + 2 * DAY) == 20


def test_a_code_that_lives_longer_than_the_grace_does_so(lapsed, settings):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = 10
    CreditCode.objects.update(expires_at=NOW + 50 * DAY)

    refunding.refund_lines([(lapsed, 1)], idempotency_key="a", at=NOW)

    assert CreditCode.objects.get().expires_at == NOW + 50 * DAY


def test_what_has_not_expired_goes_back_where_it_was(learner, training):
    code = make_code(30, text=TEXT, grant_expires_at=NOW + DAY)
    add_grant(code, 100)
    line = place_order(learner, (training.product, 3), text=TEXT).lines.get()

    refunding.refund_lines([(line, 3)], idempotency_key="a", at=NOW + 2 * DAY)

    assert remaining(code) == [0, 100, 30]
    assert RefundLine.objects.count() == 2
    assert_balanced()


def test_credits_given_back_in_grace_can_be_spent_and_given_back(
    lapsed, learner, training
):
    refunding.refund_lines([(lapsed, 2)], idempotency_key="a")
    order = place_order(learner, (training.product, 2), text=TEXT)

    refunding.refund_rest(order.lines.all(), idempotency_key="a")

    assert CreditCode.objects.get().balance() == 47
    assert_balanced()


def test_a_cancellation_leaves_out_what_has_expired_for_good(
    learner, training, settings
):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = None
    make_code(20, text="CODE-ONE-2026")
    make_code(30, text="CODE-TWO-2026")
    other = make_training("Secure by Design", credits=30)
    order = place_order(
        learner,
        (training.product, 1),
        (other.product, 1),
        texts=["CODE-ONE-2026", "CODE-TWO-2026"],
    )
    CreditGrant.objects.filter(credits=20).update(expires_at=NOW)
    lines = order.lines.all()

    outcome = refunding.refund_rest(lines, idempotency_key="a")
    again = refunding.refund_rest(lines, idempotency_key="a")

    assert outcome.credits == 30
    assert [refusal.obstacle for refusal in outcome.refusals] == [RefundReason.LAPSED]
    assert again.refunds == outcome.refunds
    assert has_access(learner, training)
    assert not has_access(learner, other)


# Access


@pytest.fixture
def taken(learner, line):
    """The first of the line's three places, which the learner has claimed."""
    return places.claim(line.training_places.get(number=1), learner)


def test_access_ends_with_the_last_unit(learner, training, line, taken):
    refunding.refund_lines([(line, 2)], idempotency_key="a")
    assert has_access(learner, training)

    outcome = refunding.refund_lines([(line, 1)], idempotency_key="b", at=NOW + DAY)

    assert outcome.places == ((line.pk, 1),)
    access = Access.objects.get()
    assert access.ends_at == NOW + DAY


def test_access_is_kept_if_the_site_says_so(learner, training, line, taken, settings):
    settings.TRAINING_CREDITS_REFUND_ENDS_ACCESS = False

    outcome = refunding.refund_lines([(line, 3)], idempotency_key="a")

    assert outcome.ended == ()
    assert has_access(learner, training)


def test_a_retry_does_not_end_access_again(line, taken):
    refunding.refund_lines([(line, 3)], idempotency_key="a", at=NOW + DAY)

    refunding.refund_lines([(line, 3)], idempotency_key="a", at=NOW + 2 * DAY)

    assert Access.objects.get().ends_at == NOW + DAY


@pytest.fixture
def twice(learner, code):
    """The lines of two orders of thirty days each: the second extends the first."""
    product = make_training("Shortly", credits=5, access_days=30).product
    orders = [place_order(learner, (product, 1), text=TEXT) for _ in range(2)]
    return [order.lines.get() for order in orders]


def spans() -> list[tuple]:
    return list(Access.objects.order_by("pk").values_list("starts_at", "ends_at"))


def test_later_access_begins_where_earlier_access_ends(twice):
    (start, _end), (_later, later_end) = spans()
    at = start + 10 * DAY

    refunding.refund_lines([(twice[0], 1)], idempotency_key="a", at=at)

    assert spans() == [(start, at), (at, later_end - 20 * DAY)]


def test_access_that_has_not_begun_never_begins(learner, twice):
    first, _second = spans()
    at = first[0] + 10 * DAY

    refunding.refund_lines([(twice[1], 1)], idempotency_key="a", at=at)
    refunding.refund_lines([(twice[0], 1)], idempotency_key="a", at=at)

    assert spans() == [(first[0], at), (at, at)]
    assert not Access.objects.current(at).exists()


def test_access_that_has_ended_stays_as_it_is(twice):
    before = spans()

    refunding.refund_lines([(twice[0], 1)], idempotency_key="a", at=before[0][1] + DAY)

    assert spans() == before


def test_buyers_of_one_keep_their_access_too_if_the_site_says_so(twice, settings):
    settings.TRAINING_CREDITS_REFUND_ENDS_ACCESS = False
    before = spans()

    outcome = refunding.refund_lines(
        [(twice[0], 1)], idempotency_key="a", at=before[0][0] + DAY
    )

    assert outcome.ended == ()
    assert spans() == before


# The signal


def test_a_refund_is_announced_after_commit(line, django_capture_on_commit_callbacks):
    heard = []

    def hear(sender, refund, **kwargs):
        heard.append(refund)
        raise RuntimeError("a receiver that fails")

    signals.credits_refunded.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            first = refunding.refund_lines([(line, 1)], idempotency_key="a")
            assert heard == []
        with django_capture_on_commit_callbacks(execute=True):
            refunding.refund_lines([(line, 1)], idempotency_key="a")
    finally:
        signals.credits_refunded.disconnect(hear)

    assert tuple(heard) == first.refunds


def test_a_refund_leaves_the_ledger_in_order(code, line):
    refunding.refund_lines([(line, 1)], idempotency_key="a")

    entries = LedgerEntry.objects.order_by("pk").values_list("kind", "credits")
    assert list(entries) == [("grant", 100), ("redeem", -60), ("refund", 20)]


# What the order says


def notes(order) -> list[str]:
    return list(order.notes.order_by("pk").values_list("message", flat=True))


def test_the_order_has_a_note(order, line):
    by = make_learner(is_staff=True)

    api.refund_lines([(line, 2)], idempotency_key="a", by=by)
    api.refund_lines([(line, 2)], idempotency_key="a", by=by)
    api.refund_order(order, idempotency_key="b")

    assert "\n".join(notes(order)).splitlines() == [
        "40 credits given back to ACME, code ending 2026 (Django Foundations × 2).",  # noqa: RUF001
        "2 places of Django Foundations were taken back.",
        "20 credits given back to ACME, code ending 2026 (Django Foundations × 1).",  # noqa: RUF001
        "1 place of Django Foundations was taken back.",
    ]
    first, second = order.notes.order_by("pk")
    assert (first.user, second.user) == (by, None)
    assert first.note_type == first.SYSTEM


def test_the_source_says_what_went_back_and_moves_no_money(order, line):
    api.refund_lines([(line, 1)], idempotency_key="a")
    api.refund_lines([(line, 1)], idempotency_key="b")

    source = order.sources.get()
    assert source.label == "60 credits, 40 given back, ACME (code ending 2026)"
    assert source.amount_refunded == 0


def test_a_note_says_until_when_expired_credits_live(lapsed):
    api.refund_order(lapsed.order, idempotency_key="a")

    (note,) = notes(lapsed.order)
    assert "40 credits had expired and can be spent until" in note


def test_a_note_says_what_was_not_given_back(lapsed, settings):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = None

    api.refund_order(lapsed.order, idempotency_key="a")

    (note,) = notes(lapsed.order)
    assert note.startswith("Not given back:\nDjango Foundations: its credits expired")


# A change of status


def test_a_cancelled_order_gives_its_credits_back(code, order, learner, training):
    order.set_status("Cancelled")

    assert code.balance() == 100
    assert Refund.objects.get().idempotency_key == f"order:{order.pk}:Cancelled"
    assert not has_access(learner, training)
    assert order.lines.get().status == "Cancelled"
    assert_balanced()


def test_the_event_handler_gives_credits_back(code, order):
    handler = get_class("order.processing", "EventHandler")()

    handler.handle_order_status_change(order, "Cancelled", note_msg="Sorry")

    assert code.balance() == 100
    assert notes(order)[-1] == "Sorry"


def test_a_cancelled_line_gives_its_credits_back(learner, training, code):
    other = make_training("Secure by Design", credits=5)
    order = place_order(learner, (training.product, 2), (other.product, 1), text=TEXT)
    first, _second = order.lines.order_by("pk")

    first.set_status("Cancelled")
    assert code.balance() == 95
    order.set_status("Cancelled")

    assert code.balance() == 100
    assert sorted(Refund.objects.values_list("credits", flat=True)) == [5, 40]
    assert_balanced()


def test_only_the_rest_is_given_back_on_cancellation(code, order, line):
    api.refund_lines([(line, 1)], idempotency_key="a")

    order.set_status("Cancelled")

    assert code.balance() == 100
    assert_balanced()


def test_the_statuses_are_the_sites_choice(code, order, settings):
    settings.TRAINING_CREDITS_REFUND_STATUSES = ["Refunded"]

    order.set_status("Cancelled")
    assert code.balance() == 40
    order.pipeline = {"Cancelled": ("Refunded",)}
    order.set_status("Refunded")

    assert code.balance() == 100


def test_an_order_reopened_and_cancelled_again_gives_nothing_twice(code, order):
    order.pipeline = {"Complete": ("Cancelled",), "Cancelled": ("Complete",)}

    for status in ("Cancelled", "Complete", "Cancelled"):
        order.set_status(status)

    assert code.balance() == 100
    assert Refund.objects.count() == 1


def test_a_status_that_can_give_no_more_back_is_set_and_noted(
    learner, training, settings
):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = None
    make_code(20, text="CODE-ONE-2026")
    code = make_code(40, text="CODE-TWO-2026")
    order = place_order(
        learner,
        (training.product, 1),
        (make_training("Secure by Design", credits=30).product, 1),
        texts=["CODE-ONE-2026", "CODE-TWO-2026"],
    )
    order.pipeline = {"Complete": ("Cancelled",), "Cancelled": ("Complete",)}
    CreditGrant.objects.filter(credits=20).update(expires_at=NOW)
    order.set_status("Cancelled")
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = 10

    order.set_status("Complete")
    order.set_status("Cancelled")

    assert order.status == "Cancelled"
    assert code.balance() == 40
    assert "what is left was not touched" in notes(order)[-1]
    assert Refund.objects.count() == 1


@pytest.mark.parametrize("ends", [True, False])
def test_a_cancellation_ends_access_bought_with_money(
    learner, training, settings, ends
):
    settings.TRAINING_CREDITS_REFUND_ENDS_ACCESS = ends
    order = place_order(learner, (training.product, 1))

    order.set_status("Cancelled")

    assert has_access(learner, training) is not ends
    assert notes(order) == ["Access has ended: Django Foundations."] * ends


def test_an_order_without_training_is_cancelled_as_ever(learner):
    order = place_order(learner, (make_product(), 1))

    order.set_status("Cancelled")

    assert notes(order) == []


# Oscar's dashboard


def staff_client(*permissions: str, **fields) -> Client:
    client = Client()
    user = make_learner(**fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.login(username=user.email, password="password")
    client.user = user
    return client


@pytest.fixture
def staff() -> Client:
    return staff_client("view_order", "change_order", is_staff=True)


def address(order) -> str:
    return reverse("dashboard:order-detail", args=[order.number])


def choice(*lines, action: str = "give_credits_back") -> dict:
    """What ticking lines with quantities and pressing a button sends."""
    form: dict = {"line_action": action, "selected_line": [ln.pk for ln, _n in lines]}
    return form | {f"selected_line_qty_{ln.pk}": n for ln, n in lines}


def form_of(page) -> dict:
    """Return the hidden fields of the page that asks to confirm."""
    fields: dict = {}
    pattern = r'<input type="hidden" name="([^"]+)" value="([^"]*)"'
    for name, value in re.findall(pattern, text_of(page)):
        fields.setdefault(name, []).append(unescape(value))
    return fields


def test_staff_give_credits_back_for_a_line(staff, code, order, line):
    asked = staff.post(address(order), choice((line, 2)))

    text = words(text_of(asked))
    assert f"Give 40 credits of order #{order.number} back?" in text
    assert (
        "Django Foundations 2 of 3 40 credits to ACME, code ending 2026"
        f" 2 places are taken back A mail about it goes to {order.user.email}."
        " Give 40 credits back" in text
    )
    assert code.balance() == 40

    done = staff.post(address(order), form_of(asked), follow=True)

    assert code.balance() == 80
    assert "40 credits given back to ACME, code ending 2026" in words(text_of(done))
    assert order.notes.get().user == staff.user
    assert_balanced()


def test_staff_give_the_credits_of_the_whole_order_back(
    staff, code, order, line, taken
):
    api.refund_lines([(line, 1)], idempotency_key="a")

    asked = staff.post(address(order), {"order_action": "give_all_credits_back"})
    text = words(text_of(asked))
    assert "Django Foundations 2 of 3 40 credits to ACME" in text
    assert "2 places are taken back 1 learner loses access" in text
    done = staff.post(address(order), form_of(asked), follow=True)

    text = words(text_of(done))
    assert "2 places of Django Foundations were taken back." in text
    assert Access.objects.get().has_ended(timezone.now())
    assert "For the whole order" not in text
    assert "ACME 60 credits 60 credits 60 credits code ending 2026" in text
    assert code.balance() == 100


def test_a_second_click_gives_nothing_more(staff, code, order, line):
    form = form_of(staff.post(address(order), choice((line, 1))))

    for _ in range(2):
        staff.post(address(order), form)

    assert code.balance() == 60
    assert Refund.objects.count() == order.notes.count() == 1


def test_a_page_confirms_only_what_it_showed(staff, code, order, line):
    asked = staff.post(address(order), {"order_action": "give_all_credits_back"})
    api.refund_lines([(line, 1)], idempotency_key="a")

    done = staff.post(address(order), form_of(asked), follow=True)

    assert "only 2 can still be given back" in words(text_of(done))
    assert code.balance() == 60


def test_a_page_is_used_for_one_refund(staff, code, order, line):
    form = form_of(staff.post(address(order), choice((line, 1))))
    staff.post(address(order), form)

    other = form | {f"selected_line_qty_{line.pk}": ["2"]}
    done = staff.post(address(order), other, follow=True)

    assert "This page was used before" in words(text_of(done))
    assert code.balance() == 60


@pytest.mark.parametrize("key", ["", "yes", "order:1:Cancelled"])
def test_without_the_pages_key_staff_are_asked(staff, code, order, line, key):
    asked = staff.post(address(order), choice((line, 1)) | {"confirmed": key})

    assert "Give 20 credits back" in words(text_of(asked))
    assert code.balance() == 40


def test_staff_hear_why_nothing_goes_back(staff, learner, code, order, line):
    bought = place_order(learner, (make_product("A book"), 1))
    api.refund_order(order, idempotency_key="a")
    answers = [
        staff.post(address(order), choice((line, 1)), follow=True),
        staff.post(
            address(order), {"order_action": "give_all_credits_back"}, follow=True
        ),
        staff.post(address(bought), choice((bought.lines.get(), 1)), follow=True),
        staff.post(address(order), choice(), follow=True),
    ]

    texts = [words(text_of(response)) for response in answers]
    assert "Django Foundations has been given back already." in texts[0]
    assert "All credits of this order have been given back." in texts[1]
    assert "A book was not paid in credits." in texts[2]
    assert "You must select some lines to act on" in texts[3]


def test_staff_hear_that_credits_have_expired(staff, lapsed, settings):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = None

    done = staff.post(address(lapsed.order), choice((lapsed, 1)), follow=True)

    assert "expired credits are not given back" in words(text_of(done))


def test_staff_see_until_when_expired_credits_will_live(staff, lapsed):
    asked = staff.post(address(lapsed.order), choice((lapsed, 1)))

    assert "They have expired; they can be spent again until" in text_of(asked)


def messages_in(response):
    return [str(message) for message in response.context["messages"]]


def test_staff_cancel_an_order_on_its_page(staff, code, order):
    page = words(text_of(staff.get(address(order))))
    assert "60 credits of this order can be given back." in page
    assert "A change of status to Cancelled gives them back, too." in page

    form = {"order_action": "change_order_status", "new_status": "Cancelled"}
    done = confirm(staff, address(order), form)

    assert code.balance() == 100
    said = messages_in(done)
    assert "Order status changed from 'Complete' to 'Cancelled'" in said[0]
    assert said[1].startswith("60 credits given back to ACME, code ending 2026")
    assert "3 places of Django Foundations were taken back." in said[1]
    assert_balanced()


@pytest.mark.parametrize("text", [None, TEXT], ids=["money", "credits"])
def test_staff_are_told_whose_access_a_cancelled_order_ended(
    staff, code, learner, training, text
):
    order = place_order(learner, (training.product, 1), text=text)
    form = {"order_action": "change_order_status", "new_status": "Cancelled"}

    [_changed, said] = messages_in(confirm(staff, address(order), form))

    assert "Access has ended: Django Foundations." in said
    assert ("20 credits given back" in said) is (text is not None)


def test_a_status_that_gives_nothing_back_says_nothing_of_credits(
    staff, code, order, settings
):
    settings.TRAINING_CREDITS_REFUND_STATUSES = []
    form = {"order_action": "change_order_status", "new_status": "Cancelled"}

    assert len(messages_in(staff.post(address(order), form, follow=True))) == 1
    assert code.balance() == 40


def test_staff_cancel_a_line_on_its_orders_page(staff, code, order, line):
    form = choice((line, 3), action="change_line_statuses")

    done = confirm(staff, address(order), form | {"new_status": "Cancelled"})

    assert code.balance() == 100
    assert messages_in(done)[1].startswith("60 credits given back to ACME")


def test_staff_cancel_orders_in_the_list(staff, code, order):
    form = {
        "action": "change_order_statuses",
        "selected_order": order.pk,
        "new_status": "Cancelled",
    }

    done = confirm(staff, reverse("dashboard:order-list"), form)

    assert code.balance() == 100
    assert messages_in(done)[1].startswith("60 credits given back to ACME")


DISABLED = "Nobody can spend them there, as the code is disabled."
ONE_ORDER = "Nobody can spend them there: the code is for one order only"
FOR_NOBODY = (
    "Nobody can spend them there, as all those the code was for have been deleted."
)


@pytest.mark.parametrize(
    ("terms", "units", "said"),
    [
        ({}, 1, ""),
        ({"state": "disabled"}, 3, DISABLED),
        ({"state": "disabled"}, 1, DISABLED),
        ({"one_order_only": True}, 1, ONE_ORDER),
        ({"one_order_only": True}, 3, ""),
        ({"named_only": True}, 1, FOR_NOBODY),
        ({"named_only": True, "email_domains": "acme.example"}, 1, ""),
        ({"named_only": True, "state": "disabled"}, 1, DISABLED),
    ],
)
def test_staff_read_before_if_nobody_can_spend_what_goes_back(
    staff, code, order, line, terms, units, said
):
    CreditCode.objects.update(**terms)

    asked = staff.post(address(order), choice((line, units)))
    done = staff.post(address(order), form_of(asked), follow=True)

    for page in (
        words(text_of(asked)),
        words(text_of(done)),
        order.notes.get().message,
    ):
        assert ("Nobody can spend them there" in page) == bool(said)
        assert said in page


def test_a_code_for_one_order_is_free_when_the_rest_has_gone_back(staff, order, line):
    CreditCode.objects.update(one_order_only=True)
    api.refund_lines([(line, 2)], idempotency_key="a")

    asked = staff.post(address(order), {"order_action": "give_all_credits_back"})

    assert "Nobody can spend" not in text_of(asked)


def test_an_expired_code_that_is_disabled_says_both(staff, lapsed):
    CreditCode.objects.update(state="disabled")

    asked = staff.post(address(lapsed.order), choice((lapsed, 1)))

    text = words(text_of(asked))
    assert "They have expired; they can be spent again until" in text
    assert DISABLED in text


def test_a_cancellation_says_that_nobody_can_spend_what_went_back(staff, order):
    CreditCode.objects.update(state="disabled")
    form = {"order_action": "change_order_status", "new_status": "Cancelled"}

    done = confirm(staff, address(order), form)

    assert DISABLED in words(text_of(done))


# Oscar's payment events


@pytest.fixture
def event_types():
    create = get_model("order", "PaymentEventType").objects.create
    return {name: create(name=name) for name in ("Refunded", "Settled")}


def test_a_refund_event_leads_to_giving_credits_back(
    staff, code, order, line, event_types
):
    form = choice((line, 2), action="create_payment_event")
    form["payment_event_type"] = event_types["Refunded"].code

    asked = staff.post(address(order), form)
    assert f"Give 40 credits of order #{order.number} back?" in words(text_of(asked))
    staff.post(address(order), form_of(asked))

    assert code.balance() == 80
    assert order.payment_events.count() == 1


def test_a_refund_event_of_the_order_leads_to_giving_all_back(
    staff, code, order, line, event_types
):
    api.refund_lines([(line, 1)], idempotency_key="a")
    form = {
        "order_action": "create_order_payment_event",
        "payment_event_type": event_types["Refunded"].code,
        "amount": "0.00",
    }

    asked = staff.post(address(order), form)
    assert f"Give 40 credits of order #{order.number} back?" in words(text_of(asked))
    staff.post(address(order), form_of(asked))

    assert code.balance() == 100


def test_another_event_says_that_it_gave_no_credits_back(
    staff, code, order, line, event_types
):
    form = choice((line, 1), action="create_payment_event")
    form["payment_event_type"] = event_types["Settled"].code

    done = words(text_of(staff.post(address(order), form, follow=True)))

    assert "It gave no credits of the order back." in done
    assert code.balance() == 40


@pytest.mark.parametrize("wrong", [{"amount": "many"}, {"payment_event_type": "none"}])
def test_an_event_that_was_not_made_asks_nothing(
    staff, code, order, line, event_types, wrong
):
    form = choice((line, 1), action="create_payment_event")
    form |= {"payment_event_type": event_types["Refunded"].code, **wrong}

    done = staff.post(address(order), form, follow=True)

    assert done.redirect_chain
    assert "gave no credits" not in text_of(done)
    assert not order.payment_events.exists()


def test_an_event_after_all_went_back_is_as_ever(staff, order, line, event_types):
    api.refund_order(order, idempotency_key="a")
    form = choice((line, 1), action="create_payment_event")
    form["payment_event_type"] = event_types["Refunded"].code

    done = staff.post(address(order), form, follow=True)

    assert "Payment event created" in text_of(done)


def test_an_event_for_money_is_as_ever(staff, learner, training, event_types):
    order = place_order(learner, (training.product, 1))
    form = choice((order.lines.get(), 1), action="create_payment_event")
    form["payment_event_type"] = event_types["Refunded"].code

    done = staff.post(address(order), form, follow=True)

    assert "Payment event created" in text_of(done)
    assert "credits" not in words(text_of(done)).split("Payment event created")[1][:80]


def test_an_order_for_money_has_no_button(staff, learner, training):
    order = place_order(learner, (training.product, 1))

    assert "Give credits back" not in text_of(staff.get(address(order)))


def test_strangers_give_nothing_back(code, order, line, learner):
    Learner(learner).client.post(address(order), choice((line, 1)))
    Client().post(address(order), choice((line, 1)))

    assert code.balance() == 40
    assert Learner(learner).client.get(address(order)).status_code == 403


@pytest.mark.parametrize(
    "form", [{"confirmed": "0" * 32}, {"order_action": "give_all_credits_back"}]
)
def test_staff_who_may_only_view_orders_give_nothing_back(code, order, line, form):
    viewer = staff_client("view_order", is_staff=True)

    response = viewer.post(address(order), choice((line, 1)) | form)

    assert response.status_code == 403
    assert code.balance() == 40
    assert "For the whole order" not in text_of(viewer.get(address(order)))


@pytest.mark.parametrize("is_own", [True, False])
def test_a_partners_staff_give_back_what_they_sold(code, order, line, is_own):
    partner = staff_client("dashboard_access")
    other = get_model("partner", "Partner").objects.create(name="Other")
    (line.partner if is_own else other).users.add(partner.user)

    asked = partner.post(address(order), choice((line, 1)))
    assert asked.status_code == (200 if is_own else 404)
    form = choice((line, 1)) | {"confirmed": "0" * 32}
    partner.post(address(order), form)

    assert code.balance() == (60 if is_own else 40)


def test_the_learner_sees_what_went_back(learner, order, line, training):
    api.refund_order(order, idempotency_key="a")

    url = reverse("customer:order", args=[order.number])
    text = words(text_of(Learner(learner).client.get(url)))

    assert "60 credits, ACME (code ending 2026) 60 credits given back" in text
    assert "Go to Django Foundations" not in text
