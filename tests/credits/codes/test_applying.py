"""Codes put on a basket, taken off and moved, as the services see it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from oscar_training_credits.credits.codes import code_text
from oscar_training_credits.credits.codes.applying import (
    applied_codes,
    apply_code,
    move_codes,
    read_code,
    remove_code,
)
from oscar_training_credits.credits.codes.issuing import set_state
from oscar_training_credits.credits.codes.refusals import Reason
from oscar_training_credits.credits.codes.rules import Purchase
from oscar_training_credits.credits.models import (
    AppliedCode,
    CreditCode,
    CreditGrant,
    Redemption,
)
from oscar_training_credits.exceptions import CreditCodeRefused
from oscar_training_credits.shop.basket.quotes import items_of
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_issued,
    make_learner,
    make_product,
    make_training,
)

from ...support.orders import place_order

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

NOW = timezone.now()
TEXT = "ACME-TEAM-2026"


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def course():
    return make_training(credits=20)


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


def apply(text: str, basket: Any, learner: Any = None) -> CreditCode:
    return apply_code(
        text, basket=basket, items=items_of(basket), learner=learner, requester=None
    )


def refused(text: str, basket: Any, learner: Any = None) -> Any:
    with pytest.raises(CreditCodeRefused) as refusal:
        apply(text, basket, learner)
    return refusal.value.refusal.reason


def test_a_code_is_applied_to_this_basket_alone(code, course):
    mine, theirs = (make_basket(None, (course.product, 1)) for _ in range(2))

    assert apply(TEXT, mine) == code

    assert applied_codes(mine) == [code]
    assert applied_codes(theirs) == []


def test_a_code_is_applied_once(code, course):
    basket = make_basket(None, (course.product, 1))
    apply(TEXT, basket)

    assert refused(TEXT, basket) is Reason.ALREADY_APPLIED
    assert AppliedCode.objects.count() == 1


def test_a_code_is_not_applied_where_nothing_takes_credits(code):
    basket = make_basket(None, (make_product(), 1))

    assert refused(TEXT, basket) is Reason.NOT_NEEDED
    assert not AppliedCode.objects.exists()


def test_a_code_is_asked_about_what_is_in_the_basket(other_range, course):
    make_code(100, text=TEXT, content=other_range)

    assert refused(TEXT, make_basket(None, (course.product, 1))) is Reason.WRONG_CONTENT


def test_a_code_is_asked_about_who_applies_it(learner, course):
    make_code(100, text=TEXT, learners=[learner])
    basket = make_basket(None, (course.product, 1))

    assert refused(TEXT, basket) is Reason.NOT_LOGGED_IN
    assert refused(TEXT, basket, make_learner()) is Reason.NOT_FOR_YOU
    assert apply(TEXT, basket, learner)


def test_what_a_lapsed_hold_kept_makes_a_spent_code_usable(code, learner, course):
    place_order(learner, (course.product, 1), text=TEXT)
    entry = Redemption.objects.get().entries.get()
    assert entry.credits == -20
    held = Redemption.objects.create(
        code=code, state="held", order_number="1", credits=80, expires_at=NOW
    )
    grant = code.grants.get()
    held.entries.create(grant=grant, kind="hold", credits=-80, balance=0)
    CreditGrant.objects.update(remaining=0)
    basket = make_basket(None, (course.product, 1))

    assert apply(TEXT, basket) == code

    held.refresh_from_db()
    assert (held.state, code.balance()) == ("released", 80)


def test_what_is_still_held_leaves_a_code_spent(code, course):
    Redemption.objects.create(
        code=code,
        state="held",
        order_number="1",
        credits=100,
        expires_at=NOW + timedelta(hours=1),
    )
    CreditGrant.objects.update(remaining=0)

    basket = make_basket(None, (course.product, 1))
    assert refused(TEXT, basket) is Reason.SPENT


def test_a_slip_is_told_from_a_text_that_is_no_code():
    right = make_issued().text
    slip = right[:-1] + ("0" if right[-1] != "0" else "1")

    for text, reason in {slip: Reason.MISTYPED, "no-code": Reason.UNKNOWN}.items():
        with pytest.raises(CreditCodeRefused) as refusal:
            read_code(text, purchase=Purchase(), requester=None)
        assert refusal.value.refusal.reason is reason


@pytest.mark.parametrize("rule", ["funded", "for_learner", "within_one_order"])
def test_a_text_that_is_no_code_is_unknown_in_whatever_order_rules_are_asked(
    rule, settings, learner
):
    rules = "oscar_training_credits.credits.codes.rules"
    settings.TRAINING_CREDITS_CODE_RULES = [f"{rules}.{rule}", f"{rules}.enabled"]

    with pytest.raises(CreditCodeRefused) as refusal:
        read_code("no-code", purchase=Purchase(learner), requester=None)

    assert refusal.value.refusal.reason is Reason.UNKNOWN


def test_codes_are_listed_in_the_order_applied(learner, course):
    later, sooner = (
        make_code(text="acme-2026-later"),
        make_code(text="acme-2026-sooner"),
    )
    basket = make_basket(learner, (course.product, 1))
    for text in ("acme-2026-sooner", "acme-2026-later"):
        apply(text, basket)

    assert applied_codes(basket) == [sooner, later]


def test_a_code_is_taken_off_this_basket_alone(code, course):
    other = make_code(text="acme-2026-other")
    mine, theirs = (make_basket(None, (course.product, 1)) for _ in range(2))
    for basket in (mine, theirs):
        apply(TEXT, basket)
        apply("acme-2026-other", basket)

    assert remove_code(code.pk, basket=mine) is True
    assert remove_code(code.pk, basket=mine) is False

    assert applied_codes(mine) == [other]
    assert applied_codes(theirs) == [code, other]


def test_a_disabled_code_stays_on_the_basket_until_it_is_taken_off(code, course):
    basket = make_basket(None, (course.product, 1))
    apply(TEXT, basket)

    set_state(code, "disabled")

    assert applied_codes(basket) == [code]


def test_the_codes_of_a_merged_basket_come_after_those_of_the_other(course):
    first, second, third = (
        make_code(text=text)
        for text in ("acme-2026-one", "acme-2026-two", "acme-2026-three")
    )
    kept, merged, another = (make_basket(None, (course.product, 1)) for _ in range(3))
    apply("acme-2026-two", kept)
    for text in ("acme-2026-three", "acme-2026-two", "acme-2026-one"):
        apply(text, merged)
    apply("acme-2026-one", another)

    for _ in range(2):
        move_codes(from_basket_id=merged.pk, to_basket=kept)

    assert applied_codes(kept) == [second, third, first]
    assert applied_codes(merged) == []
    assert applied_codes(another) == [first]
    moved = AppliedCode.objects.filter(basket_id=kept.pk).latest("pk")
    assert moved.created_at >= NOW


def test_a_code_of_a_sites_own_may_look_like_a_typing_slip(course):
    slip = "0123-4567-89AB-CDEF-GHJT"
    assert code_text.is_mistyped(slip)
    code, basket = make_code(30, text=slip), make_basket(None, (course.product, 1))

    assert apply(slip, basket) == code

    CreditCode.objects.update(expires_at=NOW - timedelta(days=1))
    assert refused(slip, basket) is Reason.EXPIRED
