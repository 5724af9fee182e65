"""The text of a new code is shown once, copied, printed and mailed to a person."""

from __future__ import annotations

import pytest
from django.core import mail
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.models import CodeChange, CreditCode
from oscar_training_credits.test.factories import make_learner

from ...support.pdf import needs_pango, read, said
from ...support.shop import text_of, words
from .test_codes import ALL, NEW, address, client_of, errors, fill, hidden, shown_text

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

Email = get_model("communication", "Email")
TEXT = "ACME-TEAM-2026"
TO = "kim@acme.example"


@pytest.fixture
def staff():
    return client_of(*ALL)


@pytest.fixture
def page(staff):
    """The page that shows a new code."""
    form = {"label": "Smith & Sons", "credits": "50", "origin": "sale", "text": TEXT}
    return staff.get(fill(staff, NEW, **form).url)


@pytest.fixture
def code(page):
    return CreditCode.objects.get()


def send(client, page, code, **changed):
    return client.post(
        address("text", code), {**hidden(page), "address": TO, **changed}
    )


def test_it_can_be_copied_and_printed_as_a_certificate(page):
    certificate = text_of(page).partition('class="training-certificate"')[2]

    assert shown_text(page) == TEXT
    assert "data-code-copy hidden" in text_of(page)
    assert "Smith &amp; Sons" in certificate
    assert TEXT in certificate
    assert "50 credits" in words(certificate)
    assert f"http://example.com{reverse('training_credits:enter-code')}" in certificate


def test_it_is_mailed_once_and_shown_again(staff, page, code):
    response = send(staff, page, code)
    send(staff, page, code)

    (message,) = mail.outbox
    assert message.to == [TO]
    assert message.subject == "Your code for 50 credits"
    assert TEXT in message.body
    assert "Smith & Sons" in message.body
    assert TEXT in message.alternatives[0][0]
    assert response.url == address("text", code)
    shown = staff.get(response.url)
    assert shown_text(shown) == TEXT
    assert f"The code was mailed to {TO}." in text_of(shown)
    assert "not shown a second time" in text_of(staff.get(response.url))


def test_who_mailed_it_to_whom_is_on_record_and_the_text_is_not(staff, page, code):
    make_learner(email=TO)
    before = {row.pk for row in CodeChange.objects.all()}

    response = send(staff, page, code)

    (change,) = CodeChange.objects.exclude(pk__in=before)
    assert (change.kind, change.changed_by) == ("mailed", staff.user)
    assert change.details == [["mailed_to", "", TO]]
    assert not Email.objects.exists()
    kept = str(dict(staff.session)) + str(response.cookies) + response.url
    assert TEXT not in kept + str(change.details)
    detail = words(text_of(staff.get(address("detail", code))))
    assert f"Mailed to: - → {TO}" in detail


def test_a_mail_server_that_is_down_is_said_and_the_text_stays(
    staff, settings, page, code
):
    settings.EMAIL_BACKEND = "tests.support.broken.EmailBackend"

    response = send(staff, page, code)

    assert "the mail server did not take it" in words(text_of(response))
    assert shown_text(response) == TEXT
    assert not CodeChange.objects.filter(kind="mailed").exists()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert send(staff, response, code).status_code == 302
    assert len(mail.outbox) == 1


def certificate(client, code, text=TEXT):
    return client.post(address("text", code), {"as": "pdf", "text": text})


@needs_pango
def test_the_text_is_copied_from_its_certificate_as_it_is(staff, page, code):
    sent = certificate(staff, code)

    assert "Certificate as PDF" in text_of(page)
    assert sent["Content-Type"] == "application/pdf"
    assert "no-store" in sent["Cache-Control"]
    assert TEXT not in sent["Content-Disposition"]
    pdf = read(sent.content)
    assert TEXT in pdf.pages[0].extract_text()
    assert len(pdf.pages) == 1
    assert "Smith & Sons 50 credits" in said(pdf)
    assert pdf.metadata["/Title"] == "Smith & Sons: 50 credits"


@pytest.mark.parametrize("text", ["", "GUESSED-TEXT", TEXT[:-1]])
def test_a_text_that_is_not_the_codes_makes_no_certificate(staff, code, text):
    sent = certificate(staff, code, text)

    assert sent.url == address("detail", code)
    assert "No certificate was made" in text_of(staff.get(sent.url))


def test_who_makes_no_texts_gets_no_certificate(code):
    assert certificate(client_of("view_creditcode"), code).status_code == 302


@pytest.mark.parametrize("wrong", ["", "kim", "kim@acme.example\nBcc: x@y.example"])
def test_a_wrong_address_is_refused_and_the_text_stays(staff, page, code, wrong):
    response = send(staff, page, code, address=wrong)

    assert "address" in errors(response)
    assert shown_text(response) == TEXT
    assert not mail.outbox


def test_a_text_that_was_replaced_is_not_mailed(staff, page, code):
    api.rotate_code(code)

    response = send(staff, page, code)

    assert "not the text of the code any more" in text_of(response)
    assert not mail.outbox


def test_only_those_who_make_texts_mail_them(page, code):
    viewer = client_of("view_creditcode", "change_creditcode")

    response = send(viewer, page, code)

    assert response.url == address("detail", code)
    assert not mail.outbox


def test_an_empty_row_of_the_event_stops_no_code(staff, page, code):
    EventType = get_model("communication", "CommunicationEventType")
    EventType.objects.create(
        code="TRAINING_CREDIT_CODE",
        name="Code",
        email_body_template="",
        email_body_html_template="",
    )

    send(staff, page, code)

    assert TEXT in mail.outbox[0].body
