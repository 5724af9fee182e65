"""Staff issue many codes and import others, in a real browser."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits.codes import jobs
from oscar_training_credits.credits.models import CodeJob, CreditCode
from oscar_training_credits.shop.dashboard.codes import jobs as pages

from ..support import workers
from .test_codes import (  # noqa: F401
    CODES,
    assert_good,
    browser_context_args,
    logged_in,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch):
    """One step of ten codes for each post."""
    monkeypatch.setattr(jobs, "CHUNK", 10)
    monkeypatch.setattr(pages, "SECONDS", 0)
    monkeypatch.setattr(pages, "SECONDS_WITH_SCRIPT", 0)


def test_many_codes_are_issued_and_others_imported(page, java_script_enabled):
    page.goto(CODES)
    page.get_by_role("link", name="Issue many codes…").click()
    assert_good(page)
    page.get_by_label("How many codes").fill("40")
    page.get_by_label("Label").fill("ACME, spring")
    page.locator("#id_credits").fill("50")
    page.get_by_role("button", name="Go on…").click()
    page.get_by_text("40 codes will be issued.").wait_for()
    assert_good(page)

    page.get_by_role("button", name="Issue them").click()
    page.get_by_text("10 of 40 codes").wait_for()
    assert_good(page)
    if not java_script_enabled:
        for done in (20, 30, 40):
            page.get_by_role("button", name="Go on").click()
            page.get_by_text(f"{done} of 40 codes").wait_for()
    page.get_by_role("heading", name="The file with the codes").wait_for()
    assert_good(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    with Path(download.value.path()).open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert all(api.find_code(row["code"]).label == "ACME, spring" for row in rows)
    page.goto(page.url)
    page.get_by_role("button", name="I have the file: delete the texts").click()
    page.get_by_text("The texts of these codes are gone.").wait_for()

    page.goto(CODES)
    page.get_by_role("link", name="Import codes…").click()
    assert_good(page)
    upload(page, "code,credits,label\nBETA-TEAM-2027,12.7,Beta\n")
    page.get_by_role("cell", name="It is no whole number.").wait_for()
    assert_good(page)
    page.get_by_role("link", name="Import codes").click()
    upload(page, "code,credits,label\nBETA-TEAM-2027,12,Beta\n")
    page.get_by_text("All is right. 1 code will be imported.").wait_for()
    page.get_by_role("button", name="Import them").click()
    if not java_script_enabled:
        # The first step looks once more whether the codes are free.
        page.get_by_role("button", name="Go on").click()
    page.get_by_text("1 of 1 code").wait_for()
    assert api.find_code("beta team 2027").balance() == 12
    assert CreditCode.objects.count() == 41


def upload(page, text: str) -> None:
    file = {"name": "codes.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Check the file").click()


@pytest.fixture
def java_script_enabled(browser_context_args):  # noqa: F811
    return browser_context_args.get("java_script_enabled", True)


def test_a_page_that_is_open_offers_to_go_on_once_the_worker_is_gone(page, settings):
    settings.TASKS = workers.TASKS
    page.goto(f"{CODES}many/")
    page.get_by_label("How many codes").fill("20")
    page.get_by_label("Label").fill("ACME, spring")
    page.locator("#id_credits").fill("50")
    page.get_by_role("button", name="Go on…").click()
    page.get_by_role("button", name="Issue them").click()
    page.get_by_text("It goes on if you leave this page.").wait_for()
    workers.waiting.clear()

    CodeJob.objects.update(active_at=timezone.now() - 2 * jobs.STALLED)
    page.get_by_role("button", name="Go on").click()

    page.get_by_text("It goes on if you leave this page.").wait_for()
    assert workers.work() == 1
    page.get_by_role("heading", name="The file with the codes").wait_for()
    assert CreditCode.objects.count() == 20
