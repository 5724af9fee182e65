"""The monthly statement: it adds up, is printed, and is mailed once a month."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from oscar_training_credits.credits.codes import managing
from oscar_training_credits.credits.models import CodeChange
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
)

from ...support.shop import csv_rows, text_of, words
from .conftest import statement

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_march")]


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
