"""The monthly statement: it adds up, is printed, and is mailed once a month."""

from __future__ import annotations

from datetime import datetime, timedelta
from datetime import timezone as zones
from io import StringIO

import pytest
import time_machine
from django.core import mail
from django.core.management import CommandError, call_command
from django.urls import reverse

from oscar_training_credits import api
from oscar_training_credits.credits.codes import managing
from oscar_training_credits.credits.models import CodeChange
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import place_order
from ...support.shop import csv_rows, text_of, words
from .conftest import TEXT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_march")]

MARCH = datetime(2027, 3, 1, 12, tzinfo=zones.utc)
DAY = timedelta(days=1)


@pytest.fixture
def in_march():
    with time_machine.travel(MARCH, tick=False) as clock:
        yield clock


@pytest.fixture
def story(in_march, code):
    """100 in March; in April 20 used by Lee, 5 of them given back, 30 expire."""
    api.add_grant(code, 30, expires_at=MARCH + 40 * DAY)
    in_march.move_to(MARCH + 32 * DAY)
    lee = make_learner(first_name="Lee", last_name="Learner")
    courses = [make_training(name, credits=n) for name, n in (("Git", 15), ("SQL", 5))]
    order = place_order(lee, *((each.product, 1) for each in courses), text=TEXT)
    line = order.lines.get(product=courses[1].product)
    api.refund_lines([(line, 1)], idempotency_key="once")
    in_march.move_to(MARCH + 70 * DAY)
    return in_march


def statement(bea, code, **query):
    # The session of a test that begins in March is over by May.
    bea.client.force_login(bea.user)
    return bea.client.get(
        reverse("training_credits:my-code-statement", args=[code.pk]), query
    )


def test_a_statement_adds_up_line_by_line(bea, code, story):
    page = statement(bea, code, month="2027-04")

    shown = words(text_of(page))
    assert "Statement for April 2027: ACME" in shown
    assert (
        "At the beginning 130 Granted 0 Used -20 Given back 5 Expired unused -15"
        " At the end 100" in shown
    )
    assert "2 Apr 2027 Used Lee Learner, Git, SQL -20" in shown
    assert "Given back Lee Learner, SQL 5" in shown
    rows = csv_rows(statement(bea, code, month="2027-04", **{"as": "csv"}))
    assert [int(row[3]) for row in rows[1:]] == [130, -20, 5, -15, 100]
    assert [row[1] for row in rows[2:5]] == ["Used", "Given back", "Expired unused"]


def test_the_last_month_is_shown_first_and_others_are_chosen(bea, code, story):
    assert statement(bea, code).context["month"].month == 4
    assert "At the end 130" in words(text_of(statement(bea, code, month="2027-03")))
    under_way = words(text_of(statement(bea, code, month="2027-05")))
    assert "The month is not over" in under_way
    assert "Nothing happened in this month." in under_way


@pytest.mark.parametrize("month", ["2027-02", "2027-06", "never", "2027-13", ""])
def test_a_month_without_the_code_is_none(bea, code, story, month):
    page = statement(bea, code, month=month)

    assert page.context["form"].errors
    assert "statement" not in page.context


def send(**options) -> str:
    out = StringIO()
    call_command("send_credit_statements", stdout=out, **options)
    return out.getvalue()


def test_managers_get_each_statement_once(
    bea, code, beta, story, django_capture_on_commit_callbacks
):
    managing.add_manager(code, make_learner(email="kim@acme.example"))
    managing.set_managers(code, [*managing.addresses_of(code), "new@acme.example"])
    managing.add_manager(make_code(9, is_test=True), bea.user)
    closed = make_code(9, label="Closed later")
    managing.add_manager(closed, bea.user)

    with django_capture_on_commit_callbacks(execute=True):
        assert send() == "2 statements sent.\n"
        assert send() == ""

    told = {message.to[0]: message for message in mail.outbox}
    assert sorted(told) == ["bea@acme.example", "ben@beta.example", "kim@acme.example"]
    assert len(mail.outbox) == 3
    message = told["bea@acme.example"]
    assert message.subject == "ACME: your credits in April 2027"
    assert "Used: 20" in message.body
    assert f"/credits/{code.pk}/statement/?month=2027-04" in message.body
    assert code.changes.filter(kind=CodeChange.Kind.STATEMENT).count() == 1


def test_who_is_removed_before_it_is_mailed_gets_none(
    code, story, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        send()
        code.managers.all().delete()

    assert not mail.outbox


def test_another_month_is_named_and_must_be_over(
    code, story, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        assert send(month="2027-03") == "1 statement sent.\n"
    for month, text in [("2027-05", "not over"), ("March", "no month")]:
        with pytest.raises(CommandError, match=text):
            send(month=month)


def test_the_statement_can_be_turned_off(code, story, settings):
    settings.TRAINING_CREDITS_MAILS = []

    with pytest.raises(CommandError, match="not in TRAINING_CREDITS_MAILS"):
        send()
    assert not code.changes.filter(kind=CodeChange.Kind.STATEMENT).exists()
