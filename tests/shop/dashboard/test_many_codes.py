"""Staff issue many codes at once in the dashboard, and get one file."""

from __future__ import annotations

import csv
from datetime import timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from uuid import uuid4

import openpyxl
import pytest
import time_machine
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.codes import jobs
from oscar_training_credits.credits.models import CodeJob, CreditCode, LedgerEntry
from oscar_training_credits.test.factories import make_learner

from ...support import workers
from ...support.shop import text_of, words
from .test_codes import client_of, fill

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

NEW = reverse("training_credits:code-many")
ASKED = {
    "number": "7",
    "label": "=ACME & Söhne",
    "credits": "50",
    "origin": "sale",
    "last_day": "2099-12-31",
    "reference": "C-17",
    "paid": "99.50",
}


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """Steps of three codes, so that few codes take several."""
    monkeypatch.setattr(jobs, "CHUNK", 3)


@pytest.fixture
def staff():
    return client_of("add_creditcode")


@pytest.fixture
def with_workers(settings, django_capture_on_commit_callbacks):
    settings.TASKS = workers.TASKS
    workers.waiting.clear()
    with django_capture_on_commit_callbacks(execute=True):
        yield
    workers.waiting.clear()


def planned(client, **changes) -> CodeJob:
    response = fill(client, NEW, **{**ASKED, **changes})
    assert response.status_code == 302, response.context["form"].errors
    return CodeJob.objects.latest("pk")


def page_of(job) -> str:
    return reverse("training_credits:code-many-job", args=[job.pk])


def do(client, job, what: str):
    url = reverse("training_credits:code-many-act", args=[job.pk])
    return client.post(url, {"do": what})


def file_of(client, job, kind: str = "csv"):
    url = reverse("training_credits:code-many-file", args=[job.pk])
    return client.post(url, {"as": kind})


def rows_of(response) -> list[list[str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(StringIO(text)))


def issued(client, **changes) -> CodeJob:
    job = planned(client, **changes)
    do(client, job, "confirm")
    job.refresh_from_db()
    assert job.state == "done"
    return job


def test_many_codes_are_issued_after_a_question(staff):
    job = planned(staff)
    asked = words(text_of(staff.get(page_of(job))))
    assert "7 codes will be issued." in asked
    assert "C-17" in asked
    assert "Credits on all of them 350" in asked
    assert not CreditCode.objects.exists()

    response = do(staff, job, "confirm")

    assert response.url == page_of(job)
    assert "Done" in text_of(staff.get(page_of(job)))
    heading, *rows = rows_of(file_of(staff, job))
    assert heading[:3] == ["code", "credits", "label"]
    assert len({row[0] for row in rows}) == CreditCode.objects.count() == 7
    for text, *rest in rows:
        code = api.find_code(text)
        assert (code.reference, code.balance()) == ("C-17", 50)
        assert code.created_by == staff.user
        assert rest == [
            *("50", "'=ACME & Söhne", "99.50", "", "2099-12-31", "C-17", "")
        ]
    assert LedgerEntry.objects.count() == 7
    grant = LedgerEntry.objects.first().grant
    assert (grant.note, grant.paid_amount) == (str(job), Decimal("99.50"))
    assert grant.paid_currency == "GBP"


def test_the_file_is_a_sheet_without_formulas(staff):
    job = issued(staff)

    response = file_of(staff, job, "xlsx")

    book = openpyxl.load_workbook(BytesIO(b"".join(response.streaming_content)))
    heading, *rows = book.active.iter_rows()
    assert [cell.value for cell in heading][:2] == ["code", "credits"]
    assert [row[2].value for row in rows] == ["=ACME & Söhne"] * 7
    assert {row[2].data_type for row in rows} == {"s"}
    assert {row[1].value for row in rows} == {50}
    assert api.find_code(rows[6][0].value)


def test_a_second_click_issues_nothing_twice(staff):
    key = uuid4()
    first, second = (planned(staff, key=key) for _ in range(2))
    assert first == second

    for _ in range(2):
        do(staff, first, "confirm")
    again = planned(staff, key=key, number="9")

    assert again == first
    assert CreditCode.objects.count() == 7
    assert [event.kind for event in first.events.order_by("pk")] == [
        "created",
        "confirmed",
    ]


def test_a_draft_is_changed_by_going_back_or_discarded(staff):
    key = uuid4()
    planned(staff, key=key)
    job = planned(staff, key=key, number="9")
    assert "9 codes will be issued." in words(text_of(staff.get(page_of(job))))

    response = do(staff, job, "discard")

    assert response.url == NEW
    assert not CodeJob.objects.exists()
    assert do(staff, job, "confirm").status_code == 404


def test_what_is_running_is_not_discarded(staff):
    job = issued(staff)

    do(staff, job, "discard")

    assert CodeJob.objects.get() == job


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"number": "0"}, "number"),
        ({"number": "1000001"}, "number"),
        ({"credits": "12.7"}, "credits"),
        ({"last_day": "2020-01-31"}, "last_day"),
        ({"label": ""}, "label"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_at_its_field(staff, changes, field):
    response = fill(staff, NEW, **{**ASKED, **changes})

    assert field in response.context["form"].errors
    assert not CodeJob.objects.exists()


def test_restrictions_are_those_of_one_code(staff):
    learner = make_learner(email="lee@acme.example")
    everything = get_model("offer", "Range").objects.create(name="Everything")

    issued(
        staff,
        learners="lee@acme.example",
        email_domains="acme.example",
        content=everything.pk,
        credits_per_learner="5",
    )

    for code in CreditCode.objects.all():
        assert list(code.learners.all()) == [learner]
        assert (code.email_domains, code.named_only) == ("acme.example", True)
        assert (code.content, code.credits_per_learner) == (everything, 5)


def test_nothing_is_opened_by_what_was_deleted_meanwhile(staff):
    learner = make_learner(email="lee@acme.example")
    ranges = get_model("offer", "Range").objects
    narrow, other = ranges.create(name="Narrow"), ranges.create(name="Other")
    named = planned(staff, learners="lee@acme.example", content=other.pk)
    ranged = planned(staff, content=narrow.pk)
    learner.delete()
    narrow.delete()

    do(staff, named, "confirm")
    do(staff, ranged, "confirm")

    assert {code.named_only for code in CreditCode.objects.all()} == {True}
    assert CreditCode.objects.count() == 7
    page = words(text_of(staff.get(page_of(ranged))))
    assert "Stopped" in page
    assert "The range that the codes are for is gone." in page


# The file


def test_no_text_is_stored_and_none_is_left_when_staff_have_it(staff):
    job = issued(staff)
    texts = [row[0] for row in rows_of(file_of(staff, job))[1:]]
    job.refresh_from_db()
    stored = repr(CodeJob.objects.values()) + repr(CreditCode.objects.values())
    assert not any(text in stored for text in texts)

    again = [row[0] for row in rows_of(file_of(staff, job))[1:]]
    do(staff, job, "forget")

    assert again == texts
    assert file_of(staff, job).url == page_of(job)
    assert "texts of these codes are gone" in words(text_of(staff.get(page_of(job))))
    assert [event.kind for event in job.events.order_by("pk")] == [
        *("created", "confirmed", "handed_out", "handed_out", "forgotten")
    ]
    job.refresh_from_db()
    assert job.salt == ""


@pytest.mark.parametrize(
    ("fetched", "later", "is_there"),
    [
        (False, timedelta(days=6), True),
        (False, timedelta(days=8), False),
        (True, timedelta(minutes=50), True),
        (True, timedelta(minutes=70), False),
    ],
)
def test_a_download_can_be_repeated_for_a_while(staff, fetched, later, is_there):
    job = issued(staff)
    if fetched:
        file_of(staff, job)

    with time_machine.travel(timezone.now() + later):
        staff.force_login(staff.user)
        response = file_of(staff, job)

        assert response.has_header("Location") != is_there
        call_command("check_ledger", "--release-holds", stdout=StringIO())
    assert bool(CodeJob.objects.get(pk=job.pk).salt) == is_there


def test_only_who_issued_them_gets_the_texts(staff):
    job = issued(staff)
    other = client_of("add_creditcode")

    assert file_of(other, job).status_code == 403
    assert do(other, job, "forget").status_code == 403
    page = words(text_of(other.get(page_of(job))))
    assert "Only Stef Staff can download it." in page
    assert rows_of(file_of(staff, job))


def test_the_texts_outlive_a_new_key_as_long_as_the_old_one_is_listed(staff, settings):
    settings.TRAINING_CREDITS_CODE_KEYS = ["old"]
    job = issued(staff)
    texts = [row[0] for row in rows_of(file_of(staff, job))[1:]]

    settings.TRAINING_CREDITS_CODE_KEYS = ["new", "old"]
    assert [row[0] for row in rows_of(file_of(staff, job))[1:]] == texts
    settings.TRAINING_CREDITS_CODE_KEYS = ["new"]
    response = file_of(staff, job)

    page = words(text_of(staff.get(response.url)))
    assert "The secret of the site has changed" in page


def own_generator() -> str:
    return f"ACME-{uuid4().hex}"


def own_repeatable_generator(random) -> str:
    return f"ACME-{random(8).hex()}-{random(8).hex()}"


def test_a_generator_of_the_sites_own_takes_the_random_bytes(staff, settings):
    settings.TRAINING_CREDITS_CODE_GENERATOR = f"{__name__}.own_generator"
    response = fill(staff, NEW, **ASKED)
    assert "in a way of its own" in text_of(response)

    name = f"{__name__}.own_repeatable_generator"
    settings.TRAINING_CREDITS_CODE_GENERATOR = name
    job = issued(staff)

    texts = [row[0] for row in rows_of(file_of(staff, job))[1:]]
    assert all(text.startswith("ACME-") and api.find_code(text) for text in texts)
    assert all(text[5:21] != text[22:] for text in texts)


# Step by step


def test_without_workers_each_post_goes_on(staff, monkeypatch):
    from oscar_training_credits.shop.dashboard.codes import jobs as pages

    monkeypatch.setattr(pages, "SECONDS", 0)
    monkeypatch.setattr(pages, "SECONDS_WITH_SCRIPT", 0)
    job = planned(staff)

    do(staff, job, "confirm")
    page = text_of(staff.get(page_of(job)))
    assert "3 of 7 codes" in words(page)
    assert 'max="7" value="3"' in page
    assert CreditCode.objects.count() == 3
    assert file_of(staff, job).url == page_of(job)
    do(staff, job, "advance")
    do(staff, job, "advance")
    do(staff, job, "advance")

    assert CreditCode.objects.count() == 7
    assert "Done" in text_of(staff.get(page_of(job)))
    assert len(rows_of(file_of(staff, job))) == 8


def test_workers_do_it_in_the_background(staff, with_workers):
    job = planned(staff)

    with_refresh = 'http-equiv="refresh"'
    do(staff, job, "confirm")
    page = text_of(staff.get(page_of(job)))
    assert "0 of 7 codes" in words(page)
    assert with_refresh in page
    assert with_refresh not in text_of(staff.get(page_of(job), {"still": 1}))


def test_a_worker_that_was_killed_is_replaced_by_staff(
    staff, settings, django_capture_on_commit_callbacks
):
    settings.TASKS = workers.TASKS
    workers.waiting.clear()
    job = planned(staff)
    with django_capture_on_commit_callbacks(execute=True):
        do(staff, job, "confirm")
    assert len(workers.waiting) == 1
    workers.waiting.clear()  # its worker is gone
    with django_capture_on_commit_callbacks(execute=True):
        do(staff, job, "go-on")  # too soon: it seems to be worked on
    assert not workers.waiting

    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        page = words(text_of(staff.get(page_of(job))))
        assert "Begun, but nobody works on it" in page
        assert "Nothing has been done since" in page
        with django_capture_on_commit_callbacks(execute=True):
            do(staff, job, "go-on")
        assert workers.work() == 1

    assert CreditCode.objects.count() == 7
    assert job.events.filter(kind="started_again").count() == 1


def test_a_job_that_stopped_goes_on(staff, monkeypatch, settings):
    from oscar_training_credits.shop.dashboard.codes import jobs as pages

    monkeypatch.setattr(pages, "SECONDS_WITH_SCRIPT", 0)
    settings.TRAINING_CREDITS_CODE_KEYS = ["old"]
    job = planned(staff)
    do(staff, job, "confirm")
    settings.TRAINING_CREDITS_CODE_KEYS = ["new"]
    do(staff, job, "advance")
    assert "The secret of the site has changed" in text_of(staff.get(page_of(job)))

    settings.TRAINING_CREDITS_CODE_KEYS = ["new", "old"]
    do(staff, job, "go-on")

    job.refresh_from_db()
    assert (job.state, job.done, CreditCode.objects.count()) == ("done", 7, 7)


def test_the_latest_jobs_are_listed(staff):
    job = issued(staff)

    page = text_of(staff.get(NEW))

    assert page_of(job) in page
    assert "7 of 7" in words(page)
