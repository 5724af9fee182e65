"""A worker is killed, with no warning, in the middle of a job on many codes."""

from __future__ import annotations

import pytest

from oscar_training_credits import api
from oscar_training_credits.credits.codes import importing, jobs
from oscar_training_credits.credits.models import CodeJob, CreditCode, LedgerEntry
from oscar_training_credits.test.factories import make_learner

from ..support.killing import kill_at, moments_of, spread
from ..support.racing import at_once, at_once_in_processes

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

COUNT = 8
DEATHS = 8


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """Steps of three codes, so that few codes take several."""
    monkeypatch.setattr(jobs, "CHUNK", 3)
    monkeypatch.setattr(importing, "CHUNK", 3)


def issuing(key: str) -> CodeJob:
    staff = make_learner()
    job = jobs.plan_issue(COUNT, key=key, by=staff, label="ACME", credits=5)
    assert jobs.confirm(job, by=staff)
    return job


def importing_from_a_file(key: str) -> CodeJob:
    staff = make_learner()
    rows = [
        importing.Row(n, {"code": f"{key}-{n:05}", "credits": 5, "label": "ACME"})
        for n in range(COUNT)
    ]
    job = jobs.plan_import(rows, key=key, name="codes.csv", by=staff)
    assert jobs.confirm(job, by=staff)
    return job


def checking(key: str) -> CodeJob:
    rows = [
        importing.Row(n, {"code": f"{key}-{n % 7:05}", "credits": n, "label": "ACME"})
        for n in range(1, COUNT + 1)
    ]
    return importing.keep_rows(rows, key=key, name="codes.csv", by=make_learner())


def assert_checked(job: CodeJob, died: str) -> None:
    job.refresh_from_db()
    assert (job.state, job.done, job.failed) == ("refused", 0, 1), died
    assert [*importing.errors_of(job)] == [[8, "code", "Row 1 has the same code."]]
    assert job.terms["credits"] == sum(range(1, COUNT)), died


def assert_whole(job: CodeJob, died: str) -> None:
    job.refresh_from_db()
    assert (job.state, job.done, job.failed) == ("done", COUNT, 0), died
    codes = CreditCode.objects.filter(created_by=job.created_by)
    assert codes.count() == COUNT, died
    assert sum(code.balance() for code in codes) == COUNT * 5, died
    entries = LedgerEntry.objects.filter(grant__code__in=codes)
    assert entries.count() == COUNT, died
    if job.kind == "issue":
        texts = list(jobs.hand_out(job, by=job.created_by))
        found = {api.find_code(text) for text in texts}
        assert found == {*codes}, died
    else:
        assert not job.parts.exclude(rows=[]).exists()


def made(job: CodeJob) -> int:
    """Return how many codes its steps have made."""
    return 0 if job.state == "checking" else job.done


@pytest.mark.parametrize("begin", [issuing, importing_from_a_file])
def test_a_killed_job_goes_on_and_repeats_nothing(begin):
    job = begin("uninterrupted")
    moments = moments_of(lambda: jobs.run(job.pk))
    assert_whole(job, "nobody")
    half_done = 0

    for number in spread(moments, DEATHS):
        job = begin(f"killed-{number}")
        kill_at(number, lambda job=job: jobs.run(job.pk))
        job.refresh_from_db()
        codes = CreditCode.objects.filter(created_by=job.created_by)
        assert codes.count() == made(job)
        half_done += 0 < made(job) < COUNT

        jobs.run(job.pk)

        assert_whole(job, f"{number} of {len(moments)}: {moments[number][:90]}")
    assert half_done


def test_a_check_that_was_killed_goes_on_and_repeats_nothing():
    job = checking("uninterrupted")
    moments = moments_of(lambda: jobs.run(job.pk))
    assert_checked(job, "nobody")
    half_done = 0

    for number in spread(moments, DEATHS):
        job = checking(f"killed-{number}")
        kill_at(number, lambda job=job: jobs.run(job.pk))
        job.refresh_from_db()
        half_done += 0 < job.done < COUNT

        jobs.run(job.pk)

        assert_checked(job, f"{number} of {len(moments)}: {moments[number][:90]}")
    assert half_done


@pytest.mark.parametrize("race", [at_once, at_once_in_processes])
def test_two_workers_at_once_check_no_row_twice(race):
    job = checking("twice")

    race([lambda: jobs.run(job.pk)] * 3)

    assert_checked(job, "nobody")


@pytest.mark.parametrize("begin", [issuing, importing_from_a_file])
@pytest.mark.parametrize("race", [at_once, at_once_in_processes])
def test_two_workers_at_once_repeat_nothing(begin, race):
    job = begin("twice")

    race([lambda: jobs.run(job.pk)] * 3)

    assert_whole(job, "nobody")
