"""A request for credits is asked and answered by several at the same moment."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import pytest
from django.db import DatabaseError

from oscar_training_credits import api
from oscar_training_credits.credits.ledger import credit_requests
from oscar_training_credits.credits.models import CreditRequest
from oscar_training_credits.exceptions import RequestDecided, TrainingCreditsError
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ..support.books import assert_balanced
from ..support.racing import at_once

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def asked():
    return api.ask_for_credits(make_learner(), {make_training(credits=20): 1})[0]


def step(verb, *args, **options):
    try:
        return verb(*args, **options).state
    except RequestDecided:
        return "decided"


def test_it_is_asked_once():
    learner, course = make_learner(), make_training(credits=20)

    at_once([partial(api.ask_for_credits, learner, {course: 1})] * 6)

    assert CreditRequest.objects.count() == 1


def test_it_is_approved_once_from_one_code(asked):
    """By several managers, from codes of their own, while the learner withdraws it."""
    codes = [make_code(100), make_code(100)]
    steps = [
        partial(step, api.approve_request, asked, parent=code) for code in codes * 3
    ]
    steps += [partial(step, api.withdraw_request, asked)]

    answers = at_once(steps)

    cut = sum(code.children.count() for code in codes)
    assert cut == ("approved" in answers)
    assert sum(code.balance() for code in codes) == 200 - 20 * cut
    assert_balanced()
    assert list(api.audit()) == []


def test_without_the_lock_several_would_answer(asked, monkeypatch):
    """The negative control: only the key of the cut stands in the way."""
    seen = []

    def note(request):
        seen.append(request.state)

    def unlocked(request):
        return CreditRequest.objects.get(pk=request.pk)

    monkeypatch.setattr(credit_requests, "_lock", unlocked)
    monkeypatch.setattr(credit_requests, "_refuse_decided", note)
    codes = [make_code(100) for _number in range(6)]
    at_once([partial(_try, asked, code) for code in codes])

    # With the lock each sees what the one before has answered.
    assert seen.count("open") > 1


def _try(asked, code):
    with suppress(TrainingCreditsError, DatabaseError):
        api.approve_request(asked, parent=code)
