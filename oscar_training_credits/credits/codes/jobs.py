"""Many codes in the background: issued, checked or imported in steps, none repeated.

A step first counts itself as done on the row of the job, and commits together with its
codes. So a second worker waits, one that is killed leaves nothing half done, and
whoever goes on begins where the last one stopped.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, transaction
from django.db.models import Case, F, Q, When
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from ...conf import settings
from ...exceptions import JobStopped
from ..isolation import own_transaction
from ..locking import for_update
from ..models import CodeJob, CodeJobEvent, CreditCode
from ..terms import Paid
from . import deriving, importing, workers
from .issuing import CHUNK, Batch

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

logger = logging.getLogger("training_credits")

State, Kind, Event = CodeJob.State, CodeJob.Kind, CodeJobEvent.Kind

MOST_CODES = 1_000_000
MOST_CHECKED_AT_ONCE = 5_000
"""A file with more rows is checked in the background."""
SALT = "oscar_training_credits.job"
STALLED = timedelta(seconds=30)
"""After so long without a step nobody seems to work on a job."""
KEPT = timedelta(days=7)
"""How long the texts of codes can be fetched that nobody has fetched yet."""
KEPT_AFTER_FETCHED = timedelta(hours=1)
"""How long they can be fetched again, as a download may break off."""


def plan_issue(count: int, *, key: str, by: AbstractBaseUser, **terms: Any) -> CodeJob:
    """Return a draft to issue `count` codes on these terms of `issue_codes`.

    With the same `key` the draft is changed, unless it has been confirmed.

    Raises:
        ValueError: the terms make no sense, or there are too many.
    """
    if not 1 <= count <= MOST_CODES:
        raise ValueError(f"A job issues 1 to {MOST_CODES} codes.")
    Batch.of(by=by, **terms)
    stored = {
        **terms,
        "content": terms["content"].pk if terms.get("content") else None,
        "learners": [each.pk for each in terms.get("learners", ())],
        "groups": [each.pk for each in terms.get("groups", ())],
        "paid": [paid.amount, paid.currency] if (paid := terms.get("paid")) else None,
    }
    with transaction.atomic():
        values = {"kind": Kind.ISSUE, "created_by": by}
        job, is_new = CodeJob.objects.get_or_create(
            idempotency_key=key, defaults=values
        )
        drafts = CodeJob.objects.filter(
            pk=job.pk, state=State.DRAFT, kind=Kind.ISSUE, created_by_id=by.pk
        )
        drafts.update(terms=stored, total=count)
        if is_new:
            note(job, Event.CREATED, by)
    job.refresh_from_db()
    return job


def plan_import(rows: Iterable[importing.Row], **of: Any) -> CodeJob:
    """Return a draft that imports `rows`, or what is refused because of its errors.

    A long file is checked by the site's workers, or whoever calls `run`: its state says
    so. The rest is that of `importing.keep_rows`.

    Raises:
        FileRefused: as `keep_rows` says.
    """
    job = importing.keep_rows(rows, **of)
    if job.state != State.CHECKING or job.done:
        return job
    if job.total <= MOST_CHECKED_AT_ONCE:
        run(job.pk)
        job.refresh_from_db()
    else:
        _hand_to_workers(job)
    return job


def note(job: CodeJob, kind: str, by: AbstractBaseUser | None) -> None:
    """Keep on record what somebody did about a job."""
    job.events.create(kind=kind, by_id=by.pk if by else None)


def confirm(job: CodeJob, *, by: AbstractBaseUser) -> bool:
    """Begin with what was planned, once; tell whether it began now.

    An import is checked once more first, and refused if a code of it was issued
    meanwhile.
    """
    first = State.CHECKING if job.kind == Kind.IMPORT else State.RUNNING
    key = settings.CODE_KEYS[0]
    with own_transaction():
        begun = _at(job, State.DRAFT).update(
            state=first,
            active_at=timezone.now(),
            salt=secrets.token_hex(32) if job.kind == Kind.ISSUE else "",
            key_mark=_mark(key),
        )
        if not begun:
            return False
        note(job, Event.CONFIRMED, by)
    _hand_to_workers(job)
    return True


def go_on(job: CodeJob, *, by: AbstractBaseUser) -> None:
    """Go on with a job that stopped, or that nobody has worked on for a while."""
    now = timezone.now()
    stopped = Q(state=State.STOPPED)
    stalled = Q(state__in=CodeJob.AT_WORK, active_at__lt=now - STALLED)
    on = Case(When(state=State.STOPPED, then=F("stopped_while")), default=F("state"))
    with transaction.atomic():
        jobs = CodeJob.objects.filter(stopped | stalled, pk=job.pk)
        if not jobs.update(state=on, error="", active_at=now):
            return
        note(job, Event.STARTED_AGAIN, by)
    _hand_to_workers(job)


def is_stalled(job: CodeJob) -> bool:
    """Tell whether nobody seems to work on a job that is running."""
    if job.state not in CodeJob.AT_WORK or job.active_at is None:
        return False
    return job.active_at < timezone.now() - STALLED


def discard(job: CodeJob) -> bool:
    """Delete a job that has not begun; tell whether there was one."""
    with own_transaction():
        found = for_update(CodeJob.objects.filter(pk=job.pk).order_by("pk")).first()
        if found is None or not found.can_be_discarded:
            return False
        found.delete()
    return True


def run(job_id: int, *, seconds: float | None = None) -> None:
    """Work on a job to its end, or for so long. Any number may do so at once."""
    begun = time.monotonic()
    while True:
        job = CodeJob.objects.select_related("created_by").filter(pk=job_id).first()
        if job is None or job.state not in CodeJob.AT_WORK:
            return
        try:
            _step(job)
        except (JobStopped, ValueError) as error:
            _stop(job, str(error))
        except DatabaseError:
            logger.exception("Job %s: the database gave up", job.pk)
            _stop(job, _("The database gave up. What is done, is done: go on."))
        if seconds is not None and time.monotonic() - begun > seconds:
            return


def _step(job: CodeJob) -> None:
    size = min(CHUNK, job.total - job.done)
    with own_transaction():
        if not _count(job, size):
            return  # another one has taken this step
        if job.state == State.CHECKING:
            importing.check_part(job, job.done // CHUNK)
            if job.done + size >= job.total:
                importing.end_check(job)
        elif job.kind == Kind.IMPORT:
            importing.import_part(job, job.done // CHUNK)
        else:
            texts = list(_texts(job, job.done, job.done + size))
            Batch.of(by=job.created_by, **_terms_of(job)).issue(texts)


def _count(job: CodeJob, size: int) -> bool:
    """Count the next step as done: it locks the row, so there is one who does it."""
    now = timezone.now()
    is_last = job.state == State.RUNNING and job.done + size >= job.total
    ending = {"state": State.DONE, "finished_at": now} if is_last else {}
    return bool(
        _at(job, job.state)
        .filter(done=job.done)
        .update(done=F("done") + size, active_at=now, **ending)
    )


def _stop(job: CodeJob, error: str) -> None:
    at_work = CodeJob.objects.filter(pk=job.pk, state__in=CodeJob.AT_WORK)
    # In this order: MariaDB reads what the same UPDATE has written before.
    at_work.update(stopped_while=F("state"), state=State.STOPPED, error=error)


def _at(job: CodeJob, state: str) -> Any:
    return CodeJob.objects.filter(pk=job.pk, state=state)


def _hand_to_workers(job: CodeJob) -> None:
    if workers.has_workers():
        transaction.on_commit(partial(_enqueue, job.pk), robust=True)


def _enqueue(job_id: int) -> None:
    from .job_task import run_job

    run_job.enqueue(job_id)


def _terms_of(job: CodeJob) -> dict[str, Any]:
    """Return the terms as they were planned.

    Raises:
        JobStopped: what the codes are for is gone: without it they would open more.
    """
    terms = dict(job.terms)
    for name in ("starts_at", "expires_at"):
        terms[name] = parse_datetime(terms[name]) if terms.get(name) else None
    try:
        if terms["content"]:
            ranges: Any = CreditCode._meta.get_field("content").related_model
            terms["content"] = ranges._default_manager.get(pk=terms["content"])
    except ObjectDoesNotExist as error:
        raise JobStopped(_("The range that the codes are for is gone.")) from error
    for name in ("learners", "groups"):
        rows: Any = CreditCode._meta.get_field(name).related_model
        named = terms[name]
        terms[name] = list(rows._default_manager.filter(pk__in=named))
        # Whoever is gone leaves a code for those named, not for everybody.
        terms["named_only"] = bool(terms.get("named_only") or named)
    if paid := terms.get("paid"):
        amount, currency = paid
        terms["paid"] = Paid(Decimal(amount), currency)
    terms["note"] = str(job)
    return terms


# The texts


def texts_end_at(job: CodeJob) -> datetime | None:
    """Return when the texts of a job can be fetched no more; None if they can't now."""
    if not job.salt or job.finished_at is None:
        return None
    end = job.finished_at + KEPT
    if job.handed_out_at:
        end = min(end, job.handed_out_at + KEPT_AFTER_FETCHED)
    return end if end > timezone.now() else None


@sensitive_variables("text")
def hand_out(job: CodeJob, *, by: AbstractBaseUser) -> Iterator[str] | None:
    """Return the texts of the codes that were issued, in their order, as a stream.

    None if they are gone. `by` is to be whoever planned the job.

    Raises:
        JobStopped: the site's secret is not the one that they were made with.
    """
    with transaction.atomic():
        if texts_end_at(job) is None:
            return None
        _key_of(job)
        kept = CodeJob.objects.filter(pk=job.pk, handed_out_at=None)
        kept.update(handed_out_at=timezone.now())
        note(job, Event.HANDED_OUT, by)
    return _texts(job, 0, job.total)


def forget_texts(job: CodeJob, *, by: AbstractBaseUser) -> None:
    """Let the texts of a job be gone, for good."""
    with transaction.atomic():
        found = _at(job, State.DONE).exclude(salt="")
        if found.update(salt=""):
            note(job, Event.FORGOTTEN, by)


def forget_what_is_over() -> None:
    """Delete what is left of texts whose time is over, and drafts of yesterday."""
    now = timezone.now()
    over = Q(finished_at__lt=now - KEPT) | Q(handed_out_at__lt=now - KEPT_AFTER_FETCHED)
    CodeJob.objects.filter(over, state=State.DONE).exclude(salt="").update(salt="")
    begun = (State.RUNNING, State.DONE)
    old = CodeJob.objects.filter(created_at__lt=now - timedelta(days=1))
    for job in old.exclude(state__in=begun):
        discard(job)


@sensitive_variables("secret")
def _texts(job: CodeJob, start: int, stop: int) -> Iterator[str]:
    key = _key_of(job)
    secret = salted_hmac(SALT, job.salt, secret=key, algorithm="sha256").digest()
    yield from deriving.derived_texts(secret, range(start, stop))


@sensitive_variables("key")
def _key_of(job: CodeJob) -> str:
    for key in settings.CODE_KEYS:
        if _mark(key) == job.key_mark:
            return key
    raise JobStopped(_("The secret of the site has changed since the job began."))


@sensitive_variables("key")
def _mark(key: str) -> str:
    mark = salted_hmac(f"{SALT}.mark", "", secret=key, algorithm="sha256")
    return mark.hexdigest()[:16]
