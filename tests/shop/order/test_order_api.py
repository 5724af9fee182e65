"""Codes on baskets, credits of orders, and places, for a site's own code."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.exceptions import CreditCodeRefused, PlaceRefused
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_issued,
    make_learner,
    make_product,
    make_training,
)

from ...support.orders import place_order
from ...support.shop import Learner, text_of, words

pytestmark = pytest.mark.django_db

TEXT = "ACME-TEAM-2026"


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def order(learner, code):
    """Three of a course for 20 credits each, and a book."""
    course = make_training(credits=20).product
    return place_order(learner, (course, 3), (make_product(), 1), text=TEXT)


def course_line(order):
    return order.lines.order_by("pk").first()


# Codes on a basket


def test_a_code_is_applied_and_removed(learner, code):
    basket = make_basket(learner, (make_training(credits=20).product, 1))
    in_money = basket.total_incl_tax

    applied = api.apply_code(basket, TEXT, requester=None)

    assert applied == code
    assert (api.quote_of(basket).credits, basket.total_incl_tax) == (20, 0)
    assert api.remove_code(basket, code)
    assert (api.quote_of(basket).credits, basket.total_incl_tax) == (0, in_money)
    assert not api.remove_code(basket, code)
    assert code.balance() == 100


def test_a_code_is_applied_for_the_owner_of_the_basket(learner):
    theirs = make_issued(50, learners=[make_learner()])
    basket = make_basket(learner, (make_training(credits=20).product, 1))

    with pytest.raises(CreditCodeRefused) as refused:
        api.apply_code(basket, theirs.text, requester=None)

    assert refused.value.refusal.reason == api.Reason.NOT_FOR_YOU


# The credits of an order


def test_an_order_says_its_credits_by_line_and_by_code(order, code):
    api.refund_lines([(course_line(order), 1)], idempotency_key="a")

    paid = api.credits_of(order)

    assert paid == api.OrderCredits(
        lines=(api.LineCredits(course_line(order), credits=60, given_back=20),),
        codes=(api.CodeCredits(code, credits=60, given_back=20),),
    )
    assert (paid.credits, paid.given_back) == (60, 20)


def test_an_order_for_money_took_no_credits(learner, django_assert_num_queries):
    order = place_order(learner, (make_product(), 1))

    with django_assert_num_queries(2):
        assert api.credits_of(order) == api.OrderCredits()


def test_two_codes_that_pay_one_line_are_two_rows(learner):
    first, second = make_issued(15), make_issued(15)
    order = place_order(
        learner,
        (make_training(credits=20).product, 1),
        texts=[first.text, second.text],
    )

    paid = api.credits_of(order)

    assert [line.credits for line in paid.lines] == [20]
    assert {row.code: row.credits for row in paid.codes} in (
        {first.code: 15, second.code: 5},
        {first.code: 5, second.code: 15},
    )


# What a refund would do


def test_a_preview_says_what_a_refund_then_does(order, code):
    line = course_line(order)

    preview = api.preview_refund([(line, 2)])

    assert code.balance() == 40
    assert (preview.credits, preview.refusals) == (40, ())
    (change,) = preview.lines
    assert (change.line, change.quantity, change.places) == (line, 2, 2)
    assert change.destinations == (api.Destination(code, 40, None),)
    api.refund_lines([(line, 2)], idempotency_key="a")
    assert code.balance() == 80


def test_a_preview_says_where_nobody_could_spend_the_credits(order, code):
    api.close_code(code, reason="ended")

    preview = api.preview_refund([(course_line(order), 1)])

    ((destination,),) = (change.destinations for change in preview.lines)
    assert "The code is closed" in destination.stranding


def test_a_preview_says_what_would_be_refused(order):
    line = course_line(order)

    preview = api.preview_refund([(line, 4)])

    assert (preview.lines, preview.credits) == ((), 0)
    assert preview.refusals == (
        api.RefundRefusal(line.pk, api.RefundReason.TOO_MANY, left=3),
    )


def test_a_preview_says_until_when_expired_credits_come_back(learner):
    issued = make_issued(20, grant_expires_at=timezone.now() + timedelta(hours=1))
    order = place_order(
        learner, (make_training(credits=20).product, 1), text=issued.text
    )
    issued.code.grants.update(expires_at=timezone.now() - timedelta(hours=1))

    ((change,),) = (api.preview_refund([(course_line(order), 1)]).lines,)

    assert change.destinations[0].expires_at > timezone.now()


# Places


def test_places_are_listed_claimed_and_their_links_renewed(order):
    first, second, third = api.places_of(order)
    guest = make_learner()

    access = api.claim_place(first, guest)

    assert access.learner == guest
    first, second, third = api.places_of(order)
    assert (first.access, first.is_free, third.is_free) == (access, False, True)
    old = api.claim_url(second)
    assert api.renew_place(second)
    assert not api.renew_place(first)
    renewed = api.places_of(order)[1]
    assert api.claim_url(renewed) != old
    with pytest.raises(PlaceRefused) as refused:
        api.claim_place(second, make_learner())
    assert refused.value.reason == api.ClaimReason.REVOKED


def test_the_address_of_a_place_leads_to_it(order):
    place = api.places_of(order)[0]
    address = api.claim_url(place)

    page = Learner(make_learner()).client.get(address)

    assert "A course" in words(text_of(page))
    assert api.find_place(address.rstrip("/").rpartition("/")[2]) == place
    assert api.find_place("forged.text") is None
