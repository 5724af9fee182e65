"""Credits held, captured and released, as the services see it: no checkout, no page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from oscar_training_credits import signals
from oscar_training_credits.credits.codes.applying import apply_code, remove_code
from oscar_training_credits.credits.codes.issuing import add_grant, set_state
from oscar_training_credits.credits.ledger import redemption
from oscar_training_credits.credits.ledger.quoting import Quote
from oscar_training_credits.credits.models import (
    LedgerEntry,
    Redemption,
    RedemptionLine,
    SettledLine,
)
from oscar_training_credits.shop.basket.quotes import items_of
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import place, place_order

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

NOW = timezone.now()
HOUR = timedelta(hours=1)
TEXT = "ACME-TEAM-2026"
HELD, CAPTURED, RELEASED = Redemption.State


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def course():
    return make_training(credits=20)


@pytest.fixture
def code():
    return make_code(30, text=TEXT)


def basket_of(learner: Any, course: Any, *texts: str) -> Any:
    basket = make_basket(learner, (course.product, 1))
    for text in texts or (TEXT,):
        apply_code(
            text, basket=basket, items=items_of(basket), learner=learner, requester=None
        )
    return basket


def locked(basket: Any, learner: Any = None) -> Quote:
    return redemption.lock_and_quote(items_of(basket), basket=basket, learner=learner)


def hold(basket: Any, learner: Any = None, *, until=NOW + HOUR) -> list[Redemption]:
    return redemption.hold(
        locked(basket, learner),
        basket=basket,
        order_number=f"held-{basket.pk}",
        learner=learner,
        until=until,
    )


def test_a_redemption_knows_its_order_its_basket_and_its_learner(code, learner, course):
    order = place_order(learner, (course.product, 1), text=TEXT)

    taken = Redemption.objects.get()
    assert (taken.order, taken.basket_id) == (order, order.basket_id)
    assert (taken.order_number, taken.learner) == (str(order.number), learner)
    assert (taken.code, taken.state, taken.attempt) == (code, CAPTURED, 1)


def test_attempts_are_counted_for_each_order(learner):
    course = make_training(credits=20, access_days=30)
    make_code(100, text=TEXT)

    for _ in range(2):
        place_order(learner, (course.product, 1), text=TEXT)

    assert [taken.attempt for taken in Redemption.objects.all()] == [1, 1]


def test_each_order_line_is_settled_by_what_was_taken_for_it(learner, course):
    make_code(100, text=TEXT)
    other = make_training(credits=15, price="99.00")

    place_order(learner, (course.product, 1), (other.product, 2), text=TEXT)

    settled = SettledLine.objects.order_by("pk")
    assert [(line.credits, line.money_price) for line in settled] == [
        (20, Decimal("240.00")),
        (30, Decimal("198.00")),
    ]
    parts = [line.redemption_lines.get() for line in settled]
    assert [part.credits for part in parts] == [20, 30]
    assert [part.redemption for part in parts] == [Redemption.objects.get()] * 2


def test_what_is_applied_to_another_basket_pays_nothing_here(code, learner, course):
    basket_of(learner, course)
    mine = make_basket(make_learner(), (course.product, 1))

    quote = locked(mine)

    assert (quote.codes, quote.credits, quote.missing) == ((), 0, 20)


def test_codes_are_quoted_in_the_order_applied(learner, course):
    first, second = (
        make_code(30, text="acme-2026-first"),
        make_code(30, text="acme-2026-second"),
    )

    quote = locked(basket_of(learner, course, "acme-2026-second", "acme-2026-first"))

    assert [each.code for each in quote.codes] == [second, first]


def test_a_hold_knows_its_basket_its_learner_and_its_end(code, learner, course):
    basket = basket_of(learner, course)

    (held,) = hold(basket, learner)

    assert (held.basket_id, held.learner, held.order) == (basket.pk, learner, None)
    assert (held.state, held.expires_at) == (HELD, NOW + HOUR)
    assert redemption.held_for(basket) == [held]
    assert redemption.held_for(basket_of(learner, course)) == []


def test_what_is_paid_with_money_besides_is_not_forgotten(code, learner, course):
    other = make_training(credits=15, price="99.00")
    basket = make_basket(learner, (course.product, 1), (other.product, 1))
    first, second = items_of(basket)
    items = [first, replace(second, in_money=True)]
    terms = {"items": items, "learner": learner, "basket": basket}
    apply_code(TEXT, **terms, requester=None)
    redemption.hold(
        redemption.lock_and_quote(**terms),
        basket=basket,
        order_number="held",
        learner=learner,
        until=NOW + HOUR,
    )

    settled = redemption.lock_and_quote(**terms)

    assert settled.credits == 20
    assert settled.items == tuple(items)


def test_only_what_is_held_of_these_codes_is_released(code, learner, course):
    other = make_code(30, text="ACME-2026-OTHER")
    (lapsed,) = hold(basket_of(learner, course), learner, until=NOW)

    assert redemption.release_lapsed([other.pk], at=NOW) == 0
    lapsed.refresh_from_db()
    assert lapsed.state == HELD
    assert redemption.release_lapsed([code.pk], at=NOW) == 1


def test_where_nothing_is_held_nothing_is_released(django_assert_num_queries):
    with django_assert_num_queries(2):  # the savepoint
        assert redemption.release([]) == 0


def test_credits_can_be_held_for_a_visitor(code, course):
    (held,) = hold(basket_of(None, course))

    assert held.learner is None
    assert code.balance() == 10


def test_receivers_hear_of_a_redemption_once_it_is_committed(
    code, learner, course, django_capture_on_commit_callbacks
):
    heard = []

    def hear(sender, redemption, **_other):
        heard.append((sender, redemption))

    signals.credits_redeemed.connect(hear)
    try:
        with django_capture_on_commit_callbacks() as callbacks:
            place_order(learner, (course.product, 1), text=TEXT)
        assert heard == []
        for callback in callbacks:
            callback()
    finally:
        signals.credits_redeemed.disconnect(hear)

    assert heard == [(Redemption, Redemption.objects.get())]


def test_what_a_lapsed_hold_kept_is_there_at_the_last_click(code, learner, course):
    (lapsed,) = hold(basket_of(learner, course), learner)
    waiting = basket_of(learner, course)
    assert locked(waiting).missing == 10
    Redemption.objects.update(expires_at=timezone.now())

    quote = locked(waiting)

    assert (quote.credits, quote.missing) == (20, 0)
    assert [each.available for each in quote.codes] == [30]
    lapsed.refresh_from_db()
    assert lapsed.state == RELEASED


def test_what_a_lapsed_hold_kept_is_left_alone_where_enough_is_left(learner, course):
    make_code(100, text=TEXT)
    (lapsed,) = hold(basket_of(learner, course), learner, until=NOW)

    assert locked(basket_of(learner, course)).missing == 0

    lapsed.refresh_from_db()
    assert lapsed.state == HELD


def test_what_is_held_settles_the_lines_on_the_terms_of_that_moment(
    code, learner, course
):
    basket = basket_of(learner, course)
    before = locked(basket, learner)
    held = hold(basket, learner)
    sell_as_training(course.product, credits=90)
    set_state(code, "disabled")
    remove_code(code.pk, basket=basket)

    quote = locked(basket, learner)

    assert (quote.items, quote.takes) == (before.items, before.takes)
    assert quote.holds == tuple(held)
    assert [(each.code, each.taken, each.left) for each in quote.codes] == [
        (code, 20, 0)
    ]


def test_what_takes_no_credits_any_more_is_paid_by_what_is_held(code, learner, course):
    basket = basket_of(learner, course)
    hold(basket, learner)
    sell_as_training(course.product, credits=None)

    quote = locked(basket, learner)

    (item,) = quote.items
    assert (item.key, item.credits) == (basket.lines.get().pk, 20)
    assert quote.covered == {item.key}


def test_what_another_basket_holds_settles_nothing_here(code, learner, course):
    hold(basket_of(learner, course), learner)

    quote = locked(basket_of(learner, course), learner)

    assert (quote.credits, quote.missing, quote.holds) == (0, 10, ())


def test_each_basket_is_settled_by_what_is_held_for_itself(learner, course):
    make_code(100, text=TEXT)
    baskets = [basket_of(learner, course) for _ in range(2)]
    held = [hold(basket, learner) for basket in baskets]

    for basket, redemptions in zip(baskets, held, strict=True):
        quote = redemption.held_quote(items_of(basket), basket=basket)
        assert quote.holds == tuple(redemptions)
        assert quote.covered == {basket.lines.get().pk}


def test_what_is_held_is_captured_with_the_order(code, learner, course):
    basket = basket_of(learner, course)
    hold(basket, learner)
    basket.freeze()
    basket.reset_offer_applications()

    order = place(basket, learner)

    captured = Redemption.objects.get()
    assert (captured.state, captured.order) == (CAPTURED, order)
    assert captured.expires_at is None
    assert SettledLine.objects.get().redemption_lines.get() == captured.lines.get()
    assert list(captured.entries.values_list("kind", "credits")) == [("hold", -20)]
    assert redemption.held_for(basket) == []
    assert redemption.release([captured]) == 0
    assert code.balance() == 10


def test_each_order_line_is_settled_by_what_was_held_for_it_last(learner, course):
    make_code(100, text=TEXT)
    other = make_training(credits=15)
    basket = make_basket(learner, (course.product, 1), (other.product, 2))
    items = items_of(basket)
    apply_code(TEXT, basket=basket, items=items, learner=learner, requester=None)
    redemption.release(hold(basket, learner))
    hold(basket, learner)
    basket.freeze()
    basket.reset_offer_applications()

    place(basket, learner)

    settled = SettledLine.objects.order_by("pk")
    parts = [
        line.redemption_lines.values_list("credits", flat=True) for line in settled
    ]
    assert [list(credits) for credits in parts] == [[20], [30]]


def test_what_is_left_of_a_broken_hold_is_given_back(learner, course):
    make_code(15, text="acme-2026-first")
    second = make_code(100, text="acme-2026-second")
    basket = basket_of(learner, course, "acme-2026-first", "acme-2026-second")
    first_held, _other = hold(basket, learner)
    redemption.release([first_held])

    quote = locked(basket, learner)

    assert (quote.credits, quote.holds) == (20, ())
    assert redemption.held_for(basket) == []
    assert second.balance() == 100


def test_what_is_released_goes_back_once(code, learner, course):
    held = hold(basket_of(learner, course), learner)

    assert redemption.release(held) == 1
    assert redemption.release(held) == 0

    assert code.balance() == 30
    (released,) = Redemption.objects.all()
    entries = LedgerEntry.objects.order_by("pk")
    assert list(entries.values_list("kind", "credits", "balance", "redemption")) == [
        ("grant", 30, 30, None),
        ("hold", -20, 10, released.pk),
        ("release", 20, 30, released.pk),
    ]
    assert released.state == RELEASED


def test_all_is_released_or_nothing(learner, course):
    code = make_code(100, text=TEXT)
    held = [*hold(basket_of(learner, course)), *hold(basket_of(learner, course))]
    code.grants.update(remaining=65)

    with pytest.raises(IntegrityError):
        redemption.release(held)

    assert code.balance() == 65
    assert {each.state for each in Redemption.objects.all()} == {HELD}


def test_each_code_and_grant_gives_its_part_and_gets_it_back(learner, course):
    first, second = (
        make_code(15, text="acme-2026-first"),
        make_code(9, text="acme-2026-second"),
    )
    add_grant(second, 3)
    basket = basket_of(learner, course, "acme-2026-first", "acme-2026-second")

    held = hold(basket, learner)

    assert {each.code: each.credits for each in held} == {first: 8, second: 12}
    parts = RedemptionLine.objects.values_list("credits", flat=True)
    assert sorted(parts) == [3, 8, 9]
    assert redemption.release(held) == 2
    assert (first.balance(), second.balance()) == (15, 12)


def test_an_order_number_that_is_tried_again_has_a_new_attempt(code, learner, course):
    basket = basket_of(learner, course)
    redemption.release(hold(basket, learner))
    redemption.release(hold(basket, learner))
    hold(basket, learner)

    attempts = Redemption.objects.order_by("pk").values_list("attempt", flat=True)
    assert list(attempts) == [1, 2, 3]


def test_only_what_has_lapsed_is_released(learner, course):
    code = make_code(100, text=TEXT)
    for until in (NOW, NOW + HOUR):
        hold(basket_of(learner, course), learner, until=until)

    assert redemption.release_expired(NOW - HOUR) == 0
    assert redemption.release_expired(NOW) == 1
    assert redemption.release_expired() == 0
    assert code.balance() == 80
