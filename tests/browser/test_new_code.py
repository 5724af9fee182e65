"""A new code is copied, printed and mailed, in a real browser; its page draws it."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from playwright.sync_api import expect
from pypdf import PdfReader

from oscar_training_credits import api
from oscar_training_credits.credits.models import CreditCode

from ..support.pdf import needs_pango, said
from .test_codes import (  # noqa: F401
    CODES,
    assert_good,
    browser_context_args,
    logged_in,
)

pytestmark = [pytest.mark.django_db(transaction=True), needs_pango]


def test_a_new_code_is_handed_out(page):
    page.goto(f"{CODES}new/")
    page.get_by_label("Label").fill("ACME, spring")
    page.locator("#id_credits").fill("50")
    page.get_by_label("Managers").fill("kim@acme.example")
    page.get_by_label("Test code").check()
    page.get_by_role("button", name="Issue the code").click()
    text = page.get_by_label("The code is:").input_value()
    assert_good(page)

    page.emulate_media(media="print")
    certificate = page.locator(".training-certificate__code")
    expect(certificate).to_be_visible()
    assert certificate.inner_text() == text
    expect(page.get_by_role("button", name="Mail the code")).to_be_hidden()
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf())) == 1
    page.emulate_media(media="screen")

    with page.expect_download() as download:
        page.get_by_role("button", name="Certificate as PDF").click()
    assert text in said(PdfReader(download.value.path()))

    page.get_by_label("Mail it to").fill("kim@acme.example")
    page.get_by_role("button", name="Mail the code").click()
    page.get_by_text("The code was mailed to kim@acme.example.").wait_for()
    assert text in mail.outbox[-1].body
    assert page.get_by_label("The code is:").input_value() == text

    code = CreditCode.objects.get()
    api.add_grant(code, 20)
    page.get_by_role("link", name="To the code").click()
    expect(page.get_by_role("img", name="Balance over time")).to_be_visible()
    page.get_by_text("As a table").press("Enter")
    credits = page.get_by_role("columnheader", name="Credits at its end")
    expect(credits).to_be_visible()
    assert_good(page)
