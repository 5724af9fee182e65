"""Mails wait in the outbox until the mail server has taken them: each once."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from functools import partial
from io import StringIO
from unittest import mock

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone as django_timezone

from oscar_training_credits.conf import ACCESS_GIVEN, MAILS, MANAGER_INVITED
from oscar_training_credits.credits import outbox
from oscar_training_credits.credits.codes import managing
from oscar_training_credits.credits.models import CodeManager, Delivery
from oscar_training_credits.exceptions import DeliveryDropped
from oscar_training_credits.shop.communication import contexts, invitations
from oscar_training_credits.shop.communication.mails import (
    send_to_address,
    send_to_user,
)
from oscar_training_credits.shop.communication.names import NAMES
from oscar_training_credits.test.factories import make_code, make_learner

from ...support.shop import text_of, words

pytestmark = pytest.mark.django_db

DOWN = "tests.support.broken.EmailBackend"
LIST = reverse("training_credits:delivery-list")
AGAIN = reverse("training_credits:delivery-try-again")
HOUR = timedelta(hours=1)


class Killed(BaseException):
    """The process died."""


@pytest.fixture
def down(settings):
    """The mail server is down; call it to put it right."""
    up, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, DOWN
    return lambda: setattr(settings, "EMAIL_BACKEND", up)


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    return lambda: django_capture_on_commit_callbacks(execute=True)


@contextmanager
def later(by=HOUR):
    moment = django_timezone.now() + by
    with mock.patch("django.utils.timezone.now", return_value=moment):
        yield


def context_of(user):
    """A context of the tests' own, found again by its name."""
    return {"title": f"Course of {user.email}", "link": "/", "is_later": False}


def tell(user):
    send_to_user(ACCESS_GIVEN, user, partial(context_of, user))


def send_due():
    said = StringIO()
    call_command("send_deliveries", stdout=said)
    return said.getvalue().strip()


def in_database():
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM training_credits_delivery")
        return str(cursor.fetchall())


def test_a_mail_that_failed_is_sent_later_once(down, commit):
    with commit():
        tell(make_learner(email="lee@acme.example"))
    failed = Delivery.objects.get()
    down()
    assert send_due() == ""

    with later():
        assert send_due() == "Arrived: 1. Failed: 0."
        assert send_due() == ""

    (message,) = mail.outbox
    assert (message.to, failed.error) == (
        ["lee@acme.example"],
        "SMTPServerDisconnected",
    )
    assert message.subject == "You have access to Course of lee@acme.example"


def test_many_mails_wait_for_the_mail_server_and_each_arrives_once(down):
    learners = [make_learner(email=f"{number}@acme.example") for number in range(60)]
    for learner in learners:
        tell(learner)

    assert send_due() == "Arrived: 0. Failed: 5."
    down()
    with later():
        assert send_due() == "Arrived: 60. Failed: 0."
        assert send_due() == ""

    told = [message.to[0] for message in mail.outbox]
    assert sorted(told) == sorted(learner.email for learner in learners)


def test_a_mail_server_that_is_down_holds_up_nothing_else(down, settings):
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = f"{__name__}.hear"
    for number in range(6):
        tell(make_learner(email=f"{number}@acme.example"))
    Delivery.objects.create(key="x", kind="given", deleted={}, starts_at=None)
    heard.clear()

    with mock.patch(
        "oscar_training_credits.credits.access.deliveries._access_of", lambda row: row
    ):
        assert send_due() == "Arrived: 1. Failed: 5."
    assert len(heard) == 1


heard = []


def hear(news):
    heard.append(news.key)


def test_a_process_that_dies_leaves_its_mail_to_the_next(monkeypatch):
    tell(make_learner())
    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", mock.Mock(side_effect=Killed))
        with pytest.raises(Killed):
            send_due()

    assert send_due() == ""
    with later(outbox.LEASE):
        assert send_due() == "Arrived: 1. Failed: 0."
    assert len(mail.outbox) == 1


def test_a_link_is_made_when_it_is_sent_and_an_address_kept_until_then(down):
    code = make_code()
    invitations.set_managers(code, ["ana@acme.example"])
    links = []
    make = managing.invitation_to

    def note(manager):
        links.append(make(manager))
        return links[-1]

    assert "ana@acme.example" in in_database()
    down()
    with mock.patch.object(managing, "invitation_to", note):
        send_due()

    (message,) = mail.outbox
    assert links[0] in message.body
    assert links[0] not in in_database()
    assert "ana@acme.example" not in in_database()


@pytest.mark.parametrize("gone", ["row", "user", "address", "turned off"])
def test_what_can_never_arrive_is_given_up_and_says_why(settings, admin_client, gone):
    user = make_learner(email="lee@acme.example")
    if gone == "row":
        invitations.set_managers(make_code(), ["ana@acme.example"])
        CodeManager.objects.all().delete()
    else:
        send_to_user(ACCESS_GIVEN, user, context_of_nobody)
    if gone == "user":
        user.delete()
    if gone == "address":
        type(user).objects.update(email="")
    if gone == "turned off":
        settings.TRAINING_CREDITS_MAILS = [MANAGER_INVITED]

    send_due()
    with later():
        send_due()

    delivery = Delivery.objects.get()
    assert (delivery.attempts, delivery.delivered_at) == (1, None)
    assert delivery.dropped_at
    page = words(text_of(admin_client.get(LIST, {"state": "dropped"})))
    assert f"{delivery.error} Given up" in page
    assert not mail.outbox


def context_of_nobody():
    return {"title": "A course", "link": "", "is_later": False}


def test_staff_see_what_waits_and_send_it_again(down, admin_client):
    tell(make_learner(email="lee@acme.example"))
    send_to_address(MANAGER_INVITED, "ana@acme.example", context_of_nobody)
    send_due()

    page = words(text_of(admin_client.get(LIST, {"channel": "mail"})))
    assert "Mail lee@acme.example — Access given 1 SMTPServerDisconnected" in page
    assert "Mail ana@acme.example — Manager invited 1 SMTPServer" in page
    found = words(text_of(admin_client.get(LIST, {"learner": "ana@"})))
    assert "lee@acme.example" not in found
    none = words(text_of(admin_client.get(LIST, {"channel": "enrolment"})))
    assert "Nothing found." in none
    down()
    for _click in range(2):
        answer = admin_client.post(AGAIN, {"all": "1"}, follow=True)
    assert "All has arrived." in words(text_of(answer))
    assert len(mail.outbox) == 2


def test_a_context_comes_back_as_it_was():
    user = make_learner()
    moment = datetime(2026, 3, 4, 5, 6, tzinfo=timezone.utc)
    values = [user, None, True, 5, "text", [1, "a"], date(2026, 3, 4), moment]

    kept = contexts.as_json(values)

    assert contexts.from_json(kept) == values
    assert user.email not in str(kept)


def test_a_context_whose_row_is_gone_says_so():
    user = make_learner()
    kept = contexts.as_json(user)
    user.delete()

    with pytest.raises(DeliveryDropped, match="gone"):
        contexts.from_json(kept)


@pytest.mark.parametrize(
    "context",
    [lambda: {"a": 1}, partial(context_of, object()), partial(context_of, {"a": 1})],
    ids=["lambda", "an object", "a dict"],
)
def test_a_context_that_can_not_be_kept_is_refused_at_once(context):
    with pytest.raises(TypeError):
        send_to_user(ACCESS_GIVEN, make_learner(), context)

    assert not Delivery.objects.exists()


def test_a_mail_costs_one_insert(django_assert_num_queries):
    user = make_learner()

    with django_assert_num_queries(1):
        tell(user)


def test_every_mail_has_a_name():
    assert set(MAILS) == set(NAMES)


def test_mails_that_were_sent_long_ago_are_deleted_but_for_what_comes_once(commit):
    lee = make_learner(email="lee@acme.example")

    def tell_once():
        return send_to_user(ACCESS_GIVEN, lee, partial(context_of, lee), key="once")

    with commit():
        tell(lee)
        tell_once()
    with later(91 * 24 * HOUR):
        with commit():
            tell(lee)
        send_due()

        assert sorted(Delivery.objects.values_list("is_kept", flat=True)) == [
            False,
            True,
        ]
        assert not tell_once()
    with later(200 * 24 * HOUR):
        send_due()
        assert Delivery.objects.get().key == "once"


def test_what_waits_or_is_for_a_learning_system_is_not_deleted(down):
    tell(make_learner())
    Delivery.objects.create(
        key="x",
        kind="given",
        deleted={},
        is_kept=False,
        delivered_at=django_timezone.now(),
    )

    with later(400 * 24 * HOUR):
        send_due()

    assert Delivery.objects.count() == 2


def test_mails_that_were_given_up_are_deleted_and_a_site_may_keep_all(settings):
    settings.TRAINING_CREDITS_DELIVERY_DAYS = None
    tell(make_learner())
    settings.TRAINING_CREDITS_MAILS = []
    send_due()
    with later(400 * 24 * HOUR):
        send_due()
        assert Delivery.objects.get().dropped_at
        settings.TRAINING_CREDITS_DELIVERY_DAYS = 30
        send_due()

    assert not Delivery.objects.exists()
