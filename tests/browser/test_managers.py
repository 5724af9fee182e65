"""A manager narrows a code, cuts one for a department, and reads what became of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect
from pypdf import PdfReader

from oscar_training_credits import api
from oscar_training_credits.credits.codes import managing
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ..support.orders import hold, place_order
from ..support.pdf import needs_pango, said
from .steps import give_session
from .test_codes import SIZES
from .test_packs import look_at
from .test_places import shoot

pytestmark = [pytest.mark.django_db(transaction=True), needs_pango]

TEXT = "ACME-TEAM-2026"


@pytest.fixture(params=SIZES.values(), ids=SIZES)
def browser_context_args(browser_context_args, request):
    return {**browser_context_args, **request.param}


@pytest.fixture
def code(context, live_server):
    """100 credits of ACME's, of which Lee has used 20, and 7 are held."""
    bea = make_learner(email="bea@example.com", first_name="Bea", last_name="Boss")
    made = make_code(100, text=TEXT)
    CreditCode.objects.update(created_at=timezone.now() - timedelta(days=70))
    managing.add_manager(made, bea)
    lee = make_learner(email="lee@example.com", first_name="Lee", last_name="Learner")
    course = make_training("Django Foundations", credits=20)
    place_order(lee, (course.product, 1), text=TEXT)
    hold(lee, made, 7)
    give_session(context, live_server, bea)
    return made


def test_codes_with_long_labels_fit_a_phone(page, live_server, code):
    CreditCode.objects.update(label="Transformationsprogramm, framework agreement")
    end = timezone.now() + timedelta(days=300)
    api.add_grant(code, 1_000_000, expires_at=end)
    page.goto(live_server.url + reverse("training_credits:my-credits"))
    look_at(page, "long-labels")
    page.get_by_role("link", name="framework agreement").click()
    page.get_by_role("heading", name="Credits put on it").wait_for()
    look_at(page, "long-label")


def test_a_manager_looks_after_a_code(page, live_server, code):
    home = live_server.url + reverse("training_credits:my-code", args=[code.pk])
    page.goto(home)
    page.get_by_role("link", name="Limits…").click()
    page.get_by_label("Credits per learner").fill("40")
    page.get_by_label("Only for e-mail addresses at").fill("example.com")
    look_at(page, "limits")
    page.get_by_role("button", name="Set the limits").click()
    page.get_by_text("The limits are set.").wait_for()

    page.get_by_role("link", name="Notices…").click()
    page.get_by_label("Mail when so many credits are left").fill("30")
    page.get_by_label("Mail what was used, and by whom").select_option("Once a week")
    page.get_by_label("Monthly statement").check()
    look_at(page, "notices")
    page.get_by_role("button", name="Set the notices").click()
    page.get_by_text("The notices are set.").wait_for()

    page.get_by_role("link", name="Text for your team…").click()
    words = page.get_by_label("Text for your team").input_value()
    assert "Each of you can spend 40 credits at most." in words
    look_at(page, "team")

    page.goto(home)
    page.get_by_role("link", name="Cut a code…").click()
    page.get_by_label("Label").fill("Sales")
    page.get_by_label("Credits (required)", exact=False).first.fill("30")
    look_at(page, "cut")
    page.get_by_role("button", name="Cut the code").click()
    text = page.get_by_label("The code is:").input_value()
    child = code.children.get()
    assert api.find_code(text) == child
    assert text in page.get_by_label("Text for your team").input_value()
    look_at(page, "cut-text")
    page.get_by_role("link", name="To the code").click()
    look_at(page, "code-with-child")
    page.get_by_role("link", name="Take back… Sales").click()
    page.get_by_label("Credits").fill("10")
    look_at(page, "take-back")
    page.get_by_role("button", name="Take them back").click()
    page.get_by_text("10 credits are back.").wait_for()
    assert child.balance() == 20

    page.get_by_role("link", name="All of it, with filters and files").click()
    page.get_by_label("Learner").fill("lee")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("cell", name="Django Foundations").wait_for()
    page.get_by_text("Lee Learner, Held: 7 credits").wait_for()
    look_at(page, "used")

    page.goto(home)
    page.get_by_role("link", name="Monthly statements").click()
    page.get_by_label("Month").select_option(index=0)
    page.get_by_role("button", name="Show").click()
    page.get_by_text("Lee Learner, Django Foundations").wait_for()
    look_at(page, "statement")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as PDF").click()
    assert "Lee Learner, Django Foundations -20" in said(
        PdfReader(download.value.path())
    )
    page.emulate_media(media="print")
    shoot(page, "printed")
    expect(page.get_by_role("heading", name="Statement for")).to_be_visible()
    for part in ("link", "button", "banner", "contentinfo"):
        assert not any(each.is_visible() for each in page.get_by_role(part).all())


def test_a_buyer_hands_out_places(page, live_server, code):
    course = make_training("Git", price="90.00")
    bea = code.managers.get().user
    order = place_order(bea, (course.product, 3))
    page.goto(live_server.url + reverse("customer:order", args=[order.number]))
    page.get_by_role("link", name="Name or mail… place 2").click()
    page.get_by_label("Meant for").fill("Ann")
    page.get_by_role("button", name="Note the name").click()
    page.get_by_text("The name is noted.").wait_for()
    page.get_by_label("Mail the link to").fill("ann@example.com")
    page.get_by_role("button", name="Mail the link").click()
    page.get_by_text("The link was mailed to ann@example.com.").wait_for()
    look_at(page, "hand-out")
    page.get_by_role("link", name="All places of this order").click()
    page.get_by_text("All links together").click()
    links = page.get_by_label("All links of Git").input_value()
    assert links.count("/training/claim/") == 3
    assert "Place 2 (Ann): http" in links
    shoot(page, "places")
