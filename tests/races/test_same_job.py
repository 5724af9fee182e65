"""A form about many codes that is sent several times at once plans and does one job."""

from __future__ import annotations

import pytest

from oscar_training_credits.credits.codes import importing, jobs
from oscar_training_credits.credits.models import CodeJob, CreditCode
from oscar_training_credits.test.factories import make_learner

from ..support.racing import at_once

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

TIMES = 6


def issuing(staff, key: str, number: int) -> CodeJob:
    return jobs.plan_issue(5, key=key, by=staff, label="ACME", credits=5)


def from_a_file(staff, key: str, number: int) -> CodeJob:
    texts = [f"ACME-{number:04}-{row:04}" for row in range(5)]
    rows = [
        importing.Row(row, {"code": text, "credits": 5, "label": "ACME"})
        for row, text in enumerate(texts, start=2)
    ]
    return jobs.plan_import(rows, key=key, name="codes.csv", by=staff)


@pytest.mark.parametrize("plan", [issuing, from_a_file])
def test_the_same_key_plans_one_job(plan):
    staff = make_learner()

    planned = at_once([lambda: plan(staff, "key", 0)] * TIMES)

    assert len({job.pk for job in planned}) == 1
    job = CodeJob.objects.get()
    assert (job.state, job.total, job.failed) == ("draft", 5, 0)
    assert job.events.count() == 1


@pytest.mark.parametrize("plan", [issuing, from_a_file])
def test_other_keys_plan_jobs_of_their_own(plan):
    staff = make_learner()

    at_once([lambda n=n: plan(staff, f"key-{n}", n) for n in range(TIMES)])

    assert CodeJob.objects.count() == TIMES


@pytest.mark.parametrize("plan", [issuing, from_a_file])
def test_one_of_several_confirmations_begins(plan):
    staff = make_learner()
    job = plan(staff, "key", 0)

    begun = at_once([lambda: jobs.confirm(job, by=staff)] * TIMES)
    at_once([lambda: jobs.run(job.pk)] * TIMES)

    assert sorted(begun) == [False] * (TIMES - 1) + [True]
    assert CreditCode.objects.count() == 5
    assert job.events.filter(kind="confirmed").count() == 1


@pytest.mark.parametrize("plan", [issuing, from_a_file])
def test_a_job_is_confirmed_or_discarded(plan):
    staff = make_learner()
    for number in range(TIMES):
        job = plan(staff, f"key-{number}", number)
        before = CreditCode.objects.count()

        begun, discarded = at_once(
            [
                lambda job=job: jobs.confirm(job, by=staff),
                lambda job=job: jobs.discard(job),
            ]
        )
        jobs.run(job.pk)

        assert begun != discarded
        assert CreditCode.objects.count() == before + (5 if begun else 0)
        assert CodeJob.objects.filter(pk=job.pk).exists() == begun
