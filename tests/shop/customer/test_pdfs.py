"""Statements and certificates of managers as PDF: what the page says, and no less."""

from __future__ import annotations

import sys

import pytest
from django.core import mail
from django.core.management import call_command
from django.urls import reverse

from oscar_training_credits import api
from oscar_training_credits.shop.communication import documents
from oscar_training_credits.shop.pdf_files import has_pdf

from ...support.pdf import needs_pango, read, said
from ...support.shop import text_of
from .conftest import statement

TEXT = "VZ55-DWB6-8YYD-SM73-ANEM"

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, needs_pango]


@pytest.fixture
def without_pdf(monkeypatch):
    """A site without the extra."""
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    has_pdf.cache_clear()
    yield
    has_pdf.cache_clear()


@pytest.mark.usefixtures("story")
def test_a_statement_as_a_pdf_has_the_numbers_of_the_page(bea, code):
    page = statement(bea, code, month="2027-04")

    sent = statement(bea, code, month="2027-04", **{"as": "pdf"})

    assert sent["Content-Type"] == "application/pdf"
    assert f'filename="statement-{code.pk}-2027-04.pdf"' in sent["Content-Disposition"]
    pdf = read(sent.content)
    shown = said(pdf)
    for name, number in page.context["sums"]:
        assert f"{name} {number}" in shown
    for line, text in page.context["lines"]:
        assert f"{line.kind.label} {text} {line.credits}".replace("  ", " ") in shown
    assert "as=pdf" in text_of(page)


@pytest.mark.usefixtures("story")
def test_a_pdf_is_tagged_and_has_a_title_and_a_language(bea, code):
    sent = statement(bea, code, month="2027-04", **{"as": "pdf"})

    pdf = read(sent.content)
    root = pdf.trailer["/Root"]
    assert pdf.metadata["/Title"] == "Statement for April 2027: ACME"
    assert root["/Lang"].startswith("en")
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"pdfuaid:part" in root["/Metadata"].get_data()


@pytest.mark.usefixtures("story", "beta")
def test_the_statement_is_attached_to_its_mail(
    bea,
    code,
    django_capture_on_commit_callbacks,
):
    with django_capture_on_commit_callbacks(execute=True):
        call_command("send_credit_statements")

    (message,) = [each for each in mail.outbox if each.to == ["bea@acme.example"]]
    ((name, content, kind),) = message.attachments
    assert (name, kind) == (f"statement-{code.pk}-2027-04.pdf", "application/pdf")
    assert "At the end 100" in said(read(content))
    assert "is attached" in message.body
    assert "is attached" in message.alternatives[0][0]


@pytest.mark.usefixtures("story", "without_pdf")
def test_without_the_extra_there_is_the_page_to_print(
    bea,
    code,
    django_capture_on_commit_callbacks,
):
    page = statement(bea, code, month="2027-04", **{"as": "pdf"})
    with django_capture_on_commit_callbacks(execute=True):
        call_command("send_credit_statements")

    assert "To keep it as a PDF, print this page" in text_of(page)
    assert "as=pdf" not in text_of(page)
    assert not mail.outbox[0].attachments
    assert "attached" not in mail.outbox[0].body
    assert f"/credits/{code.pk}/statement/" in mail.outbox[0].body


@pytest.mark.usefixtures("story")
def test_a_long_statement_says_what_its_pdf_leaves_out(bea, code, monkeypatch):
    monkeypatch.setattr(documents, "MOST_LINES", 1)

    sent = statement(bea, code, month="2027-04", **{"as": "pdf"})

    shown = said(read(sent.content))
    assert "2 more lines are on the page of the statement, and in its file." in shown
    assert "At the end 100" in shown


def test_a_manager_has_the_certificate_of_a_new_text(bea, code):
    rotate = reverse("training_credits:my-code-rotate", args=[code.pk])
    page = bea.client.post(rotate, {"key": "a" * 32}, follow=True)
    text = page.context["text"]
    here = reverse("training_credits:my-code-text", args=[code.pk])

    sent = bea.client.post(here, {"text": text})
    again = bea.client.post(here, {"text": "AB12-CDE3-4FGH-JK56-MNPQ"}, follow=True)

    assert "Certificate as PDF" in text_of(page)
    assert text in read(sent.content).pages[0].extract_text()
    assert "No certificate was made" in text_of(again)


def test_a_manager_has_the_certificate_of_a_child_code(bea, code):
    child = api.cut_code(code, 5, label="Sales", text=TEXT).code
    here = reverse("training_credits:my-code-child-text", args=[code.pk, child.pk])

    sent = bea.client.post(here, {"text": TEXT})
    none = bea.client.post(here)

    assert TEXT in read(sent.content).pages[0].extract_text()
    assert none.url == reverse("training_credits:my-code", args=[code.pk])


def test_a_stranger_has_no_certificate(beta, code):
    here = reverse("training_credits:my-code-text", args=[code.pk])

    assert beta.client.post(here, {"text": "ACME-TEAM-2026"}).status_code == 404
