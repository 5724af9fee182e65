"""From the sale of credits to the books: each number is the same everywhere."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from oscar_training_credits import api
from oscar_training_credits.credits.codes import managing
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.test.factories import make_code, make_learner, make_product

from ..support import gateways
from ..support.books import assert_balanced
from ..support.pages import SECRET, make_course
from ..support.pdf import needs_pango, read, said
from ..support.shop import Learner, csv_rows
from .steps import give_session
from .test_codes import SIZES
from .test_packs import look_at

pytestmark = [pytest.mark.django_db(transaction=True), needs_pango]

TRIAL = "ACME-TRIAL-2026"


@pytest.fixture(params=SIZES.values(), ids=SIZES)
def browser_context_args(browser_context_args, request):
    return {**browser_context_args, **request.param}


@pytest.fixture
def gateway(monkeypatch):
    return gateways.install(monkeypatch, gateways.Gateway())


@pytest.fixture
def course():
    product = make_product("Django Foundations", None)
    return make_course(product, credits=20, credit_only=True)


@pytest.fixture
def browse_as(context, live_server):
    """Let somebody go on in the same browser, logged in."""
    return lambda user: give_session(context, live_server, user)


def buy_pack(page) -> str:
    """Buy 100 credits for £1,000 at the checkout; return the code, shown once."""
    pack = make_product("100 credits", "1000.00")
    api.sell_as_pack(pack, credits=100, days=365)
    page.goto(pack.get_absolute_url())
    page.get_by_role("button", name="Add to basket").first.click()
    page.get_by_text("has been added").first.wait_for()
    page.goto("/shop/checkout/")
    page.get_by_role("link", name="Review and Pay").click()
    page.get_by_role("button", name="Place order").click()
    page.get_by_role("button", name="Show the code").click()
    text = page.get_by_label("The code is:").input_value()
    page.reload()
    page.get_by_text("The text is not shown a second time").wait_for()
    expect(page.get_by_text(text)).to_have_count(0)
    return text


def spend(page, course, text):
    page.goto(f"{course.url}?purchase=open")
    page.get_by_label("Enter Code").fill(text)
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("button", name="Purchase", exact=True).click()
    page.get_by_text(SECRET).first.wait_for()


def ask(page, course, text):
    page.goto(f"{course.url}?purchase=open")
    page.get_by_label("Enter Code").fill(text)
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="Ask your learning administrator").click()
    page.get_by_role("button", name="Send the request").click()
    page.get_by_text("Your request is sent.").wait_for()


def link_to(address: str) -> str:
    """Return the path that the latest mail to an address leads to."""
    (*_others, latest) = [each for each in mail.outbox if each.to == [address]]
    return re.search(r"https?://[^/]+(/training/\S+)", latest.body)[1]


def numbers_on(page) -> dict[str, int]:
    """Return the sums of the statement that is shown, by their names."""
    rows = page.locator(".training-statement__sums tr").all()
    return {
        row.locator("th").inner_text(): int(row.locator("td").inner_text())
        for row in rows
    }


def roll_forward(staff, **query) -> dict[str, dict[str, int]]:
    """Return the roll-forward of this month: the numbers of each row, by its name."""
    address = reverse("training_credits:code-outstanding")
    found = csv_rows(staff.client.get(address, {"as": "csv", **query}))
    headings, *rows = found
    return {
        row[0]: dict(zip(headings[1:], map(int, row[1:]), strict=True)) for row in rows
    }


def test_sale_use_and_books_agree_to_the_credit(page, gateway, course, browse_as):
    bea = make_learner(email="bea@example.com", first_name="Bea", last_name="Boss")
    lee = make_learner(email="lee@example.com", first_name="Lee", last_name="Learner")
    ann = make_learner(email="ann@example.com", first_name="Ann", last_name="Other")
    trial = make_code(5, text=TRIAL, label="Trial")
    managing.add_manager(trial, bea)

    browse_as(bea)
    text = buy_pack(page)
    code = CreditCode.objects.exclude(pk=trial.pk).get()
    assert gateway.charged == [Decimal("1000.00")]

    browse_as(lee)
    spend(page, course, text)
    assert code.balance() == 80

    browse_as(bea)
    page.goto(reverse("training_credits:my-code", args=[code.pk]))
    used = page.get_by_role("row", name="Lee Learner")
    used.get_by_role("cell", name="20", exact=True).wait_for()
    look_at(page, "circle-code")
    page.get_by_role("link", name="New text…").click()
    page.get_by_role("button", name="Give it a new text").click()
    new = page.get_by_label("The code is:").input_value()
    assert (api.find_code(text), api.find_code(new)) == (None, code)

    browse_as(ann)
    ask(page, course, TRIAL)
    browse_as(bea)
    page.goto(link_to("bea@example.com"))
    page.get_by_label("From this code").select_option(str(code.pk))
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("The credits are given.").wait_for()
    browse_as(ann)
    page.goto(link_to("ann@example.com"))
    page.get_by_role("button", name="Purchase", exact=True).click()
    page.get_by_text("You have access now.").first.wait_for()

    browse_as(bea)
    page.goto(reverse("training_credits:my-code-statement", args=[code.pk]))
    page.get_by_label("Month").select_option(index=0)
    page.get_by_role("button", name="Show").click()
    page.get_by_text("Lee Learner, Django Foundations").wait_for()
    look_at(page, "circle-statement")
    shown = numbers_on(page)
    assert shown == {
        "At the beginning": 0,
        "Granted": 100,
        "Used": -20,
        "Given back": 0,
        "Moved between codes": -20,
        "Expired unused": 0,
        "At the end": 60,
    }

    staff = make_learner(email="stef@example.com", is_staff=True, is_superuser=True)
    code.refresh_from_db()
    by_code = roll_forward(Learner(staff), by="code")
    row = by_code[str(code)]
    assert row["Granted"] == shown["Granted"]
    assert row["Redeemed"] == -shown["Used"]
    assert row["Moved between codes"] == shown["Moved between codes"]
    assert row["Outstanding after"] == shown["At the end"] == code.balance()
    (total,) = roll_forward(Learner(staff)).values()
    assert total["Outstanding after"] == 65 == trial.balance() + code.balance()
    assert total["Redeemed"] == 40
    browse_as(staff)
    page.goto(reverse("training_credits:code-outstanding"))
    page.get_by_role("cell", name="65", exact=True).first.wait_for()
    look_at(page, "circle-outstanding", ".page-content")

    mail.outbox.clear()
    with time_machine.travel(timezone.now() + timedelta(days=32)):
        call_command("send_credit_statements", stdout=StringIO())
    (message,) = [each for each in mail.outbox if code.label in each.subject]
    ((_name, pdf, _kind),) = message.attachments
    for name, number in shown.items():
        assert f"{name} {number}" in said(read(pdf))
    assert_balanced()
    assert list(api.audit()) == []
    assert not CreditCode.objects.filter(last_four=text[-4:]).exists()
