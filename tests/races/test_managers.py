"""Links and statements are mailed as often as they may be, whoever clicks at once."""

from __future__ import annotations

from datetime import date

import pytest
from django.core import mail
from django.utils import timezone

from oscar_training_credits.credits.access import places
from oscar_training_credits.credits.codes import managing
from oscar_training_credits.credits.models import Place
from oscar_training_credits.exceptions import PlaceNotMailed
from oscar_training_credits.shop.communication.statements import send_statement
from oscar_training_credits.shop.order.place_mails import MOST_MAILS, mail_place
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ..support.orders import place_order
from ..support.racing import Meeting, at_once

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

TRIES = 4


@pytest.fixture
def place():
    """One of two places, whose link may be mailed once more."""
    course = make_training(price="90.00")
    order = place_order(make_learner(), (course.product, 2))
    place = Place.objects.filter(order_line__order=order).first()
    for number in range(MOST_MAILS - 1):
        place.mails.create(address="a@acme.example", idempotency_key=f"{number}")
    mail.outbox.clear()
    return place


def send(place: Place, key: str) -> bool:
    try:
        return mail_place(
            place, address="b@acme.example", idempotency_key=key, by=make_learner()
        )
    except PlaceNotMailed:
        return False


def test_a_double_click_mails_one_link(place):
    answers = at_once([lambda: send(place, "same")] * TRIES)

    assert sorted(answers) == [False] * (TRIES - 1) + [True]
    assert len(mail.outbox) == 1


def test_a_link_is_not_mailed_more_often_than_it_may_be(place):
    answers = at_once([lambda n=n: send(place, f"key {n}") for n in range(TRIES)])

    assert answers.count(True) == 1
    assert place.mails.count() == MOST_MAILS


def test_without_the_lock_it_would_be(place, monkeypatch):
    all_have_read = Meeting(TRIES)

    def read(place: Place) -> Place:
        now = Place.objects.prefetch_related("mails").get(pk=place.pk)
        all_have_read()
        return now

    monkeypatch.setattr(places, "lock", read)

    answers = at_once([lambda n=n: send(place, f"key {n}") for n in range(TRIES)])

    assert answers.count(True) > 1


def test_two_runs_of_the_command_send_a_statement_once():
    code = make_code(100)
    managing.add_manager(code, make_learner(email="bea@acme.example"))
    # She has a mail that she looks after it from now on.
    mail.outbox.clear()
    this_month: date = timezone.localdate().replace(day=1)

    sent = at_once([lambda: send_statement(code, this_month)] * TRIES)

    assert sorted(sent) == [False] * (TRIES - 1) + [True]
    assert [message.to for message in mail.outbox] == [["bea@acme.example"]]
