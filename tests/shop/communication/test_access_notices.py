"""Learners hear that their access ends soon, and that it has ended: each once."""

from __future__ import annotations

from datetime import datetime, timedelta
from datetime import timezone as zones
from io import StringIO

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command

from oscar_training_credits import api
from oscar_training_credits.conf import ACCESS_ENDED, ACCESS_ENDS, MAILS
from oscar_training_credits.credits.models import Delivery
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import place_order

pytestmark = pytest.mark.django_db

START = datetime(2027, 3, 1, 12, tzinfo=zones.utc)
DAY = timedelta(days=1)


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as clock:
        yield clock


@pytest.fixture
def lee():
    return make_learner(email="lee@acme.example")


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    return lambda: django_capture_on_commit_callbacks(execute=True)


def give(learner, training, days):
    return api.give_access(learner, training, until=START + days * DAY, reason="Deal")


@pytest.fixture
def heard(clock, commit):
    """Run the command twice each day; return the days on which there was a mail."""

    def run(until, also=lambda day: None):
        days = []
        for day in range(until):
            also(day)
            with commit():
                for _run in range(2):
                    call_command("send_credit_notices", stdout=StringIO())
            days += [(day, each.subject.split(" ")[-1]) for each in mail.outbox]
            shown.extend(mail.outbox)
            mail.outbox.clear()
            clock.shift(DAY)
        return days

    shown = []
    run.mails = shown
    return run


def test_a_learner_hears_14_and_3_days_before_the_end_and_after_it(lee, heard):
    give(lee, make_training("Git & <SQL>"), 40)

    days = heard(60)

    assert [day for day, _word in days] == [26, 37, 40]
    before, _again, after = heard.mails
    assert before.to == ["lee@acme.example"]
    assert before.subject == "Your access to Git & <SQL> lasts until 10 Apr 2027"
    assert "your access to Git & <SQL> lasts until 10 Apr 2027." in before.body
    assert "Git &amp; &lt;SQL&gt;" in before.alternatives[0][0]
    assert after.subject == "Your access to Git & <SQL> has ended"


def test_short_access_is_not_told_of_as_soon_as_it_begins(lee, heard):
    give(lee, make_training(), 7)

    assert [day for day, _word in heard(20)] == [4, 7]


def test_other_days_are_a_setting(lee, heard, settings):
    settings.TRAINING_CREDITS_ACCESS_ENDS_DAYS = [1, 5]
    give(lee, make_training(), 20)

    assert [day for day, _word in heard(30)] == [15, 19, 20]


def test_none_is_a_choice_and_so_is_each_mail(lee, heard, settings):
    settings.TRAINING_CREDITS_ACCESS_ENDS_DAYS = []
    settings.TRAINING_CREDITS_MAILS = [x for x in MAILS if x != ACCESS_ENDED]
    give(lee, make_training(), 20)

    assert heard(30) == []
    assert ACCESS_ENDS in MAILS


def test_access_that_goes_on_by_another_ground_does_not_end(lee, heard):
    training = make_training()
    give(lee, training, 20)
    give(lee, training, 40)

    assert [day for day, _word in heard(60)] == [26, 37, 40]


def test_a_new_end_is_told_of_anew(lee, heard):
    access = give(lee, make_training(), 20)

    def extend(day):
        if day == 10:
            api.extend_access(access, until=START + 40 * DAY, reason="Deal")

    assert [day for day, _word in heard(60, extend)] == [6, 26, 37, 40]


def test_what_staff_or_a_refund_end_is_theirs_to_tell(lee, heard, clock):
    api.end_access(give(lee, make_training(), 40), reason="Has left")
    make_code(100, text="ACME-TEAM-2026")
    order = place_order(
        lee, (make_training(credits=5).product, 1), text="ACME-TEAM-2026"
    )
    api.refund_order(order, idempotency_key="once")
    mail.outbox.clear()

    assert heard(20) == []


def test_what_ended_long_ago_is_told_of_to_nobody(lee, heard, clock):
    give(lee, make_training(), 5)
    clock.shift(13 * DAY)

    assert heard(3) == []


def test_access_that_was_extended_before_the_mail_went_out_is_not_told(lee, clock):
    access = give(lee, make_training(), 20)
    clock.shift(10 * DAY)
    call_command("send_credit_notices", stdout=StringIO())
    api.extend_access(access, until=START + 90 * DAY, reason="Deal")

    call_command("send_deliveries", stdout=StringIO())

    assert not mail.outbox
    error = Delivery.objects.get(kind=ACCESS_ENDS).error
    assert error == "Access does not end then any more."


def test_access_that_is_there_again_has_not_ended(lee, clock):
    training = make_training()
    give(lee, training, 2)
    clock.shift(3 * DAY)
    call_command("send_credit_notices", stdout=StringIO())
    give(lee, training, 90)

    call_command("send_deliveries", stdout=StringIO())

    assert not mail.outbox
    assert Delivery.objects.get(kind=ACCESS_ENDED).error == "There is access again."
