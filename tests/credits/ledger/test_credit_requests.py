"""Requests for credits: asked once, answered once, and never wider than the code."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.core import mail
from django.core.management import call_command
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.codes import managing
from oscar_training_credits.credits.models import CreditRequest
from oscar_training_credits.exceptions import (
    NotApproved,
    NotAsked,
    RequestDecided,
)
from oscar_training_credits.shop.exceptions import OrderRefused
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ...support.books import assert_balanced
from ...support.orders import basket_with_codes, place

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

DAY = timedelta(days=1)


@pytest.fixture
def learner():
    return make_learner(email="lee@acme.example", first_name="Lee")


@pytest.fixture
def manager():
    return make_learner(email="kim@acme.example")


@pytest.fixture
def parent(manager):
    code = make_code(100, label="ACME")
    managing.add_manager(code, manager)
    return code


@pytest.fixture
def course():
    return make_training("Django", credits=20, price=None, credit_only=True)


@pytest.fixture
def asked(learner, course, parent):
    return api.ask_for_credits(learner, {course: 1}, code=parent)[0]


def buy(learner, training, *codes):
    basket = basket_with_codes(learner, (training.product, 1), texts=[])
    for code in codes:
        from oscar_training_credits.credits.codes.applying import put_on

        put_on(code, basket=basket)
    basket.reset_offer_applications()
    return place(basket, learner)


def test_what_is_asked_again_is_asked_once(learner, course, parent, asked):
    again, is_new = api.ask_for_credits(
        learner, {course: 1}, code=parent, note="Please"
    )

    assert (again, is_new, again.credits, again.note) == (asked, False, 20, "")
    _other, is_new = api.ask_for_credits(learner, {make_training("B"): 1})
    assert is_new
    api.withdraw_request(asked)
    assert api.ask_for_credits(learner, {course: 1})[1]


def test_nothing_and_too_often_is_not_asked(learner):
    with pytest.raises(NotAsked, match="nothing"):
        api.ask_for_credits(learner, {make_training(credits=None): 1})
    for number in range(20):
        api.ask_for_credits(learner, {make_training(str(number)): 1})
    with pytest.raises(NotAsked, match="tomorrow"):
        api.ask_for_credits(learner, {make_training(): 1})


def test_approved_credits_are_for_this_learner_this_content_and_once(
    learner, manager, course, parent, asked
):
    done = api.approve_request(asked, parent=parent, by=manager)

    child = done.child
    assert (done.state, done.decided_by, parent.balance()) == ("approved", manager, 80)
    assert (child.parent, child.balance(), child.one_order_only) == (parent, 20, True)
    assert child.expires_at < timezone.now() + 15 * DAY
    other = make_training("Other", credits=20, price=None, credit_only=True)
    for who, what in ((make_learner(), course), (learner, other)):
        with pytest.raises(OrderRefused):
            buy(who, what, child)
    buy(learner, course, child)
    assert api.has_access(learner, course)
    assert (child.balance(), parent.balance()) == (0, 80)
    assert_balanced()
    assert list(api.audit()) == []


def test_answered_twice_is_answered_once(manager, parent, asked):
    first = api.approve_request(asked, parent=parent, by=manager)

    assert api.approve_request(asked, parent=parent).child == first.child
    assert (parent.balance(), parent.children.count()) == (80, 1)
    for answer in (
        lambda: api.decline_request(asked, reason="No"),
        lambda: api.withdraw_request(asked),
    ):
        with pytest.raises(RequestDecided):
            answer()


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"credits": 19}, "Only 19 credits"),
        ({"credits_per_learner": 5}, "each learner 5 credits"),
        ({"starts_at": timezone.now() + DAY}, "can't be used yet"),
        ({"email_domains": ["other.example"]}, "not for this learner"),
        ({"one_order_only": True}, "No credits can be moved"),
        ({"expires_at": timezone.now() - DAY}, "Only 0 credits|Only 100 credits"),
        ({"content": "Something else"}, "can't pay for this content"),
    ],
    ids=["small", "capped", "early", "others", "one order", "over", "other content"],
)
def test_a_code_that_does_not_suit_gives_nothing(asked, terms, message):
    if "content" in terms:
        terms = {"content": get_model("offer", "Range").objects.create(name="Else")}
    other = make_code(terms.pop("credits", 100), label="Other", **terms)

    with pytest.raises(NotApproved, match=message):
        api.approve_request(asked, parent=other)

    asked.refresh_from_db()
    assert (asked.state, asked.child, other.children.count()) == ("open", None, 0)


@pytest.mark.parametrize("ends_access", [False, True])
def test_the_child_ends_no_later_than_its_parent(asked, ends_access):
    """Access that ends with the code does not end with the time to use it."""
    end = timezone.now() + (100 if ends_access else 3) * DAY
    other = make_code(100, expires_at=end, ends_access=ends_access)

    child = api.approve_request(asked, parent=other).child

    assert child.expires_at == end


def test_what_is_not_used_in_time_goes_back(asked, parent):
    child = api.approve_request(asked, parent=parent).child

    with time_machine.travel(timezone.now() + 15 * DAY):
        call_command("check_ledger", release_holds=True)

    assert (child.balance(), parent.balance()) == (0, 100)


def test_what_nobody_answers_expires(asked, learner, course, capsys):
    with time_machine.travel(timezone.now() + 13 * DAY):
        assert api.expire_requests() == 0
    with time_machine.travel(timezone.now() + 15 * DAY):
        call_command("check_ledger", release_holds=True)
        assert "Ended 1 request for credits" in capsys.readouterr().out
        assert api.ask_for_credits(learner, {course: 1})[1]

    asked.refresh_from_db()
    assert asked.state == CreditRequest.State.EXPIRED


def test_who_hears_of_it(
    learner, manager, course, parent, settings, django_capture_on_commit_callbacks
):
    settings.TRAINING_CREDITS_REQUESTS_ADDRESS = "desk@shop.example"
    Group.objects.create(name="Nobody")

    def told(act):
        mail.outbox.clear()
        with django_capture_on_commit_callbacks(execute=True):
            result = act()
        return result, [(each.to[0], each.subject) for each in mail.outbox]

    (asked, _), sent = told(
        lambda: api.ask_for_credits(learner, {course: 1}, code=parent, note="A & B")
    )
    assert sent == [(manager.email, "Lee asks for 20 credits")]
    body = mail.outbox[0].body
    assert f"/credits/requests/{asked.pk}/" in body
    assert "Note: A & B" in body
    assert told(lambda: api.ask_for_credits(learner, {course: 1}))[1] == []
    for _click in range(2):
        _, sent = told(lambda: api.approve_request(asked, parent=parent))
        assert sent in ([(learner.email, "Your credits for Django")], [])
    assert sent == []

    other = make_training("Other")
    (asked, _), sent = told(lambda: api.ask_for_credits(learner, {other: 2}))
    assert sent == [("desk@shop.example", "Lee asks for 40 credits")]
    assert f"/dashboard/requests/{asked.pk}/" in mail.outbox[0].body
    _, sent = told(lambda: api.decline_request(asked, reason="Too early"))
    assert sent[0][0] == learner.email
    assert "Reason: Too early" in mail.outbox[0].body


def test_a_deleted_learner_leaves_a_code_for_nobody(asked, parent, learner, course):
    child = api.approve_request(asked, parent=parent).child

    learner.delete()

    child.refresh_from_db()
    assert child.named_only
    assert not CreditRequest.objects.exists()
    with pytest.raises(OrderRefused):
        buy(make_learner(), course, child)


def test_training_that_is_sold_no_longer_leaves_a_code_for_nothing(
    learner, course, parent, asked
):
    other = make_training("Other", credits=20, price=None, credit_only=True)
    child = api.approve_request(asked, parent=parent).child
    later, _is_new = api.ask_for_credits(learner, {course: 1}, code=parent)

    api.sell_no_longer_as_training(course.product)

    with pytest.raises(OrderRefused):
        buy(learner, other, child)
    with pytest.raises(NotApproved, match="not on sale"):
        api.approve_request(later, parent=parent)
    assert parent.balance() == 80
