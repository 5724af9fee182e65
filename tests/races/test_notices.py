"""Notices arrive once, however many processes write and send them at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.conf import CODE_TOPPED_UP, CREDITS_USED
from oscar_training_credits.credits import outbox
from oscar_training_credits.credits.codes import managing, noticing
from oscar_training_credits.credits.models import Delivery
from oscar_training_credits.shop.communication.code_notices import send_used
from oscar_training_credits.shop.communication.credit_notices import send_notices
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ..support.orders import place_order
from ..support.racing import at_once

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

TEXT = "ACME-TEAM-2026"
MANAGERS, TRIES = 40, 4
HOUR = timedelta(hours=1)


@pytest.fixture
def code(settings):
    """A code with many managers, of whom nothing is told yet: the server is down."""
    settings.EMAIL_BACKEND = "tests.support.broken.EmailBackend"
    made = make_code(100, text=TEXT)
    for number in range(MANAGERS):
        managing.add_manager(made, make_learner(email=f"m{number}@acme.example"))
    Delivery.objects.all().delete()
    return made


def sent_once(settings, event):
    """Let the mail server be up, send from all sides, and tell whether all arrived."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    Delivery.objects.update(next_attempt_at=timezone.now() - HOUR)
    at_once([outbox.deliver_due] * TRIES)
    told = sorted(message.to[0] for message in mail.outbox)
    rows = Delivery.objects.filter(kind=event, delivered_at__isnull=False)
    return told == sorted({*told}) and len(told) == rows.count() == MANAGERS


def test_notices_that_waited_for_the_mail_server_arrive_once(code, settings):
    api.add_grant(code, 5)
    assert outbox.deliver_due().failed == outbox.FAILURES_IN_A_ROW

    assert sent_once(settings, CODE_TOPPED_UP)


def test_what_was_used_is_told_once_by_several_processes(code, settings):
    noticing.choose(code, noticing.Choices(used="at once"))
    place_order(make_learner(), (make_training(credits=20).product, 1), text=TEXT)

    with time_machine.travel(timezone.now() + HOUR):
        written = at_once([send_used] * TRIES)
        assert sorted(written) == [0] * (TRIES - 1) + [MANAGERS]
        Delivery.objects.exclude(kind=CREDITS_USED).delete()
        mail.outbox.clear()

        assert sent_once(settings, CREDITS_USED)


def test_the_end_of_access_is_told_once_by_several_processes(settings):
    settings.TRAINING_CREDITS_ACCESS_ENDS_DAYS = [14]
    course = make_training()
    end = timezone.now() + timedelta(days=20)
    for number in range(5):
        learner = make_learner(email=f"l{number}@acme.example")
        api.give_access(learner, course, until=end, reason="Deal")

    with time_machine.travel(timezone.now() + timedelta(days=10)):
        assert sum(at_once([send_notices] * TRIES)) == 5

    assert Delivery.objects.count() == 5
