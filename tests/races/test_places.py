"""Two learners open one link, or a place goes while somebody accepts it.

Each race has a negative control, as in `test_races`.
"""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
from django.db import IntegrityError

from oscar_training_credits import api
from oscar_training_credits.credits.access import places
from oscar_training_credits.credits.access.places import ClaimReason
from oscar_training_credits.credits.access.status import has_access
from oscar_training_credits.credits.models import Access, Place
from oscar_training_credits.exceptions import PlaceRefused
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ..support.orders import place_order
from ..support.racing import Meeting, at_once

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

TEXT = "ACME-TEAM-2026"
TRIES = 6


@pytest.fixture
def training():
    return make_training(credits=20)


@pytest.fixture
def line(training):
    """Six places for 120 credits."""
    make_code(200, text=TEXT)
    order = place_order(make_learner(), (training.product, TRIES), text=TEXT)
    return order.lines.get()


@pytest.fixture
def learners():
    return [make_learner() for _ in range(TRIES)]


def claim(place: Place, learner: Any) -> str:
    try:
        places.claim(place, learner)
    except PlaceRefused as refused:
        return refused.reason.value
    return "done"


def test_one_link_is_claimed_by_one_learner(line, learners):
    place = line.training_places.get(number=1)

    answers = at_once([lambda who=who: claim(place, who) for who in learners])

    refused = [ClaimReason.CLAIMED.value] * (TRIES - 1)
    assert sorted(answers) == sorted(["done", *refused])
    assert Access.objects.get().place == place


def test_one_learner_with_many_links_gets_one_place(line, learners):
    of_line = list(line.training_places.all())

    answers = at_once([lambda p=p: claim(p, learners[0]) for p in of_line])

    assert answers.count("done") == 1
    assert answers.count(ClaimReason.HAS_PLACE.value) == TRIES - 1
    assert Place.objects.exclude(claimed_at=None).count() == 1


def test_a_double_click_is_answered_with_the_same_access(line, learners):
    place = line.training_places.get(number=1)

    answers = at_once([lambda: claim(place, learners[0])] * TRIES)

    assert answers == ["done"] * TRIES
    assert Access.objects.count() == 1


def test_a_link_is_claimed_or_revoked(line, learners):
    place = line.training_places.get(number=1)

    answer, renewed = at_once(
        [lambda: claim(place, learners[0]), lambda: places.renew_link(place)]
    )

    assert (answer, renewed) in [("done", False), (ClaimReason.REVOKED.value, True)]
    assert Access.objects.count() == (answer == "done")


def test_claims_during_a_refund_leave_no_more_than_is_paid_for(
    line, training, learners
):
    of_line = list(line.training_places.order_by("number"))
    claims = [
        lambda p=p, who=who: claim(p, who)
        for p, who in zip(of_line, learners, strict=True)
    ]

    at_once([*claims, lambda: api.refund_lines([(line, 4)], idempotency_key="a")])

    assert Place.objects.kept().count() == 2
    assert sum(has_access(learner, training) for learner in learners) <= 2
    assert list(api.audit()) == []


def test_a_claim_waits_while_its_place_is_taken_back(
    line, training, learners, monkeypatch
):
    last, answers = line.training_places.latest("number"), []
    late = Thread(target=lambda: answers.extend(at_once([claim_last])))
    to_take_back = places.to_take_back

    def claim_last():
        return claim(last, learners[0])

    def meanwhile(*args, **kwargs):
        going = to_take_back(*args, **kwargs)
        late.start()
        late.join(0.5)  # as long as it would take, were there no lock
        return going

    monkeypatch.setattr(places, "to_take_back", meanwhile)
    api.refund_lines([(line, 1)], idempotency_key="a")
    late.join()

    assert answers == [ClaimReason.REFUNDED.value]
    assert not has_access(learners[0], training)


def test_a_refund_and_a_claim_by_the_same_learner_do_not_wait_for_each_other(
    training,
):
    make_code(2000, text=TEXT)
    other = make_training(credits=20)
    buyers = [make_learner() for _ in range(TRIES)]
    steps = []
    for buyer in buyers:
        bought = [(other.product, 1), (training.product, 2)]
        order = place_order(buyer, *bought, text=TEXT)
        place = Place.objects.filter(order_line__order=order).first()
        steps.append(lambda place=place, who=buyer: claim(place, who))
        steps.append(lambda order=order: api.refund_order(order, idempotency_key="a"))

    answers = at_once(steps)

    assert {*answers[::2]} <= {"done", ClaimReason.REFUNDED.value}
    assert not any(has_access(buyer, training) for buyer in buyers)
    assert list(api.audit()) == []


def test_control_without_the_lock_the_second_click_fails(line, learners, monkeypatch):
    everybody_has_read = Meeting(TRIES)

    def read(place):
        found = Place.objects.get(pk=place.pk)
        everybody_has_read()
        return found

    monkeypatch.setattr(places, "lock", read)
    place = line.training_places.get(number=1)

    def attempt(who: Any) -> str:
        try:
            return claim(place, who)
        except IntegrityError:
            return "failed"

    answers = at_once([lambda who=who: attempt(who) for who in learners])

    assert answers.count("failed") == TRIES - 1


def test_control_without_the_lock_a_revoked_link_is_claimed(
    line, learners, monkeypatch
):
    both_have_read = Meeting(2)

    def read(place):
        found = Place.objects.get(pk=place.pk)
        both_have_read()
        return found

    monkeypatch.setattr(places, "lock", read)
    place = line.training_places.get(number=1)

    answers = at_once(
        [lambda: claim(place, learners[0]), lambda: places.renew_link(place)]
    )

    assert answers == ["done", True]
