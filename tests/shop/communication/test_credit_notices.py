"""Managers hear by mail before credits expire, and that few are left: once."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from unittest import mock

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.checks import check_settings
from oscar_training_credits.conf import ACCESS_GIVEN, BALANCE_LOW
from oscar_training_credits.credits.codes import managing
from oscar_training_credits.credits.models import CreditCode, Delivery
from oscar_training_credits.test.factories import make_code, make_learner

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def bea():
    return make_learner(email="bea@acme.example")


@contextmanager
def at(moment):
    with mock.patch("django.utils.timezone.now", return_value=moment):
        yield


def managed(bea, credits=40, **terms):
    code = make_code(credits, **terms)
    managing.add_manager(code, bea)
    # That she looks after it from now on is another mail.
    Delivery.objects.all().delete()
    return code


def told():
    said = StringIO()
    call_command("send_credit_notices", stdout=said)
    return said.getvalue().strip()


def test_a_manager_hears_60_30_and_7_days_before_each_once(bea, commit):
    now = timezone.now()
    managed(bea, expires_at=now + 100 * DAY)

    days = []
    for day in range(39, 101):
        with at(now + day * DAY), commit():
            if told():
                days.append(100 - day)

    assert days == [60, 30, 7]
    assert len(mail.outbox) == 3
    message = mail.outbox[0]
    assert message.to == ["bea@acme.example"]
    assert "40 credits will expire on" in message.subject
    assert "“ACME” has 40 credits that can be used until" in message.body
    assert "/training/" in message.body


def test_run_twice_it_says_nothing_more(bea, commit):
    managed(bea, expires_at=timezone.now() + 5 * DAY)

    with commit():
        assert [told(), told()] == ["1 mail written.", ""]

    assert len(mail.outbox) == 1


def test_grants_that_end_together_are_one_mail_and_the_code_ends_them_too(bea, commit):
    end = timezone.now() + 20 * DAY
    code = managed(bea, expires_at=end)
    api.add_grant(code, 5, expires_at=end - 10 * DAY)
    api.add_grant(code, 7, expires_at=end + 900 * DAY)

    with commit():
        told()

    subjects = sorted(message.subject.split(": ")[1] for message in mail.outbox)
    assert [each.split(" will")[0] for each in subjects] == ["47 credits", "5 credits"]


@pytest.mark.parametrize(
    "change",
    [
        {"is_test": True},
        {"state": CreditCode.State.DISABLED},
        {"expires_at": None},
    ],
    ids=["test", "disabled", "no end"],
)
def test_what_does_not_matter_is_no_mail(bea, change):
    code = managed(bea, expires_at=timezone.now() + 5 * DAY)
    CreditCode.objects.filter(pk=code.pk).update(**change)
    code.grants.update(expires_at=None)

    assert told() == ""


def test_a_code_that_was_used_up_meanwhile_is_told_of_no_more(bea):
    code = managed(bea, expires_at=timezone.now() + 5 * DAY)
    assert told() == "1 mail written."
    api.adjust_credits(code, -40, reason="mistake")

    call_command("send_deliveries", stdout=StringIO())

    assert not mail.outbox
    assert Delivery.objects.get().error == "Nothing is left to expire then."


def test_a_longer_life_is_told_of_anew(bea, commit):
    now = timezone.now()
    code = managed(bea, expires_at=now + 5 * DAY)
    with commit():
        told()

    api.extend_code(code, until=now + 50 * DAY, reason="mistake")

    with commit():
        assert told() == "1 mail written."


def test_while_it_is_turned_off_the_command_says_so(settings):
    settings.TRAINING_CREDITS_MAILS = [ACCESS_GIVEN]

    with pytest.raises(CommandError, match="TRAINING_BALANCE_LOW"):
        told()


def use(code, credits):
    api.adjust_credits(code, -credits, reason="mistake")


def test_a_manager_hears_once_that_few_are_left_and_again_after_more_came(bea, commit):
    code = managed(bea, 100)
    use(code, 89)
    assert told() == ""
    use(code, 1)

    with commit():
        assert [told(), told()] == ["1 mail written.", ""]
    api.add_grant(code, 100)
    assert told() == ""
    use(code, 95)
    with commit():
        assert told() == "1 mail written."

    assert [message.subject for message in mail.outbox] == [
        "ACME: 10 credits left",
        "ACME: 15 credits left",
    ]
    assert "“ACME” has 15 credits left." in mail.outbox[1].body


def test_a_code_that_was_topped_up_meanwhile_is_told_of_no_more(bea):
    code = managed(bea, 100)
    use(code, 95)
    assert told() == "1 mail written."
    api.add_grant(code, 500)

    call_command("send_deliveries", stdout=StringIO())

    assert [each.subject for each in mail.outbox] == ["ACME: 500 credits added"]
    error = Delivery.objects.get(kind=BALANCE_LOW).error
    assert error == "There are more credits again."


@pytest.mark.parametrize("percent", [0, 101, "10", None])
def test_a_share_that_is_none_is_named_by_a_check(settings, percent):
    settings.TRAINING_CREDITS_LOW_BALANCE_PERCENT = percent

    (message,) = check_settings(None)

    assert message.id == "training_credits.E038"
