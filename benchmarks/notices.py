"""Notices sent while the shop goes on, each once: the mail server was down before."""

from __future__ import annotations

import logging
import multiprocessing
import statistics
import time
from collections import Counter
from collections.abc import Callable

from django.core import mail
from django.db import connections
from django.test import Client, override_settings
from django.utils import timezone

from oscar_training_credits.credits import outbox
from oscar_training_credits.credits.codes import issuing, managing
from oscar_training_credits.credits.codes.noticing import managers_who_hear
from oscar_training_credits.credits.models import Delivery
from oscar_training_credits.test.factories import make_learner

from .serving import QUICK, Case

NOTICES = 50 if QUICK else 10_000
AT_ONCE = 10 if QUICK else 500
"""How many credits are put on codes in one transaction, of one manager each."""
ALONE = 20 if QUICK else 400
"""How many pages are asked for where nothing else goes on."""
DOWN = "tests.support.broken.EmailBackend"
UP = "django.core.mail.backends.locmem.EmailBackend"


def page_alone(address: str) -> Case:
    return lambda: statistics.median(_asked(address) for _time in range(ALONE))


def page_while_sending(address: str) -> Case:
    """Time the page while another process sends all notices; each must arrive once."""

    def measure() -> float:
        Delivery.objects.all().delete()
        # The mail server is down at first: they wait.
        with override_settings(EMAIL_BACKEND=DOWN):
            _write_all()
            # Its failures are what is wanted here, and no news for a terminal.
            logging.disable(logging.CRITICAL)
            tried = outbox.deliver_due()
            logging.disable(logging.NOTSET)
        if (tried.arrived, tried.failed) != (0, outbox.FAILURES_IN_A_ROW):
            raise RuntimeError(f"The mail server is not down: {tried}.")
        Delivery.objects.update(next_attempt_at=timezone.now())
        return _median_during(lambda: _asked(address), _send_all)

    return measure


def _asked(address: str) -> float:
    client = Client()
    began = time.perf_counter()
    response = client.get(address)
    taken = (time.perf_counter() - began) * 1000
    if response.status_code != 200:
        raise RuntimeError(f"{address}: {response.status_code}")
    return taken


def _median_during(call: Callable[[], float], work: Callable[[], None]) -> float:
    """Return the median of what `call` returns while `work` is done beside it."""
    # Or both processes would share one.
    connections.close_all()
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    taken = [call()]
    while process.is_alive():
        taken.append(call())
    process.join()
    if process.exitcode or Delivery.objects.pending().exists():
        raise RuntimeError("Not every notice arrived once.")
    return statistics.median(taken)


def _write_all() -> None:
    """Write a notice that credits were added for each of so many managers."""
    code = issuing.issue_code(label="Notices", credits=1).code
    people = [
        make_learner(email=f"manager{number}@acme.example") for number in range(AT_ONCE)
    ]
    for person in people:
        managing.add_manager(code, person)
    while Delivery.objects.count() < NOTICES:
        issuing.add_grant(code, 1)
    if managers_who_hear(code).count() != AT_ONCE:
        raise RuntimeError("Somebody does not look after the code.")


def _send_all() -> None:
    mail.outbox = []
    with override_settings(EMAIL_BACKEND=UP):
        done = outbox.deliver_due()
    waited = Delivery.objects.count()
    told = Counter((each.to[0], each.subject) for each in mail.outbox)
    if not done.arrived == waited == told.total() or done.failed:
        raise SystemExit(f"{waited} waited, {done} were sent.")
    print(f"{waited} notices sent, each once", flush=True)
