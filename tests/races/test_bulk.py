"""Two of the staff change codes that overlap, while a learner pays with one of them."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits.codes import issuing
from oscar_training_credits.credits.ledger import extending
from oscar_training_credits.credits.models import CodeChange, CreditCode
from oscar_training_credits.exceptions import CreditCodeRefused
from oscar_training_credits.shop.dashboard.codes.changes import BulkView
from oscar_training_credits.shop.exceptions import OrderRefused
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ..support.orders import place_order
from ..support.racing import at_once

pytestmark = [pytest.mark.races, pytest.mark.django_db(transaction=True)]

LIST = reverse("training_credits:code-list")
STATE = reverse("training_credits:codes-state")
TEXT = "ACME-TEAM-2026"


@pytest.fixture
def codes():
    return [make_code(20), make_code(20, text=TEXT), make_code(20), make_code(20)]


@pytest.fixture(autouse=True)
def slow(monkeypatch):
    """Let each code take a while, so that the two meet in the middle."""
    set_state = issuing.set_state

    def set_slowly(*args, **kwargs):
        set_state(*args, **kwargs)
        time.sleep(0.2)

    monkeypatch.setattr(issuing, "set_state", set_slowly)


def staff() -> Client:
    client = Client()
    client.force_login(make_learner(is_staff=True, is_superuser=True))
    return client


def state_of(codes, state: str):
    terms = {"state": state, "confirmed": 1, "reason": "leaked"}
    client, chosen = staff(), [code.pk for code in codes]
    return lambda: client.post(STATE, {**terms, "code": chosen}).url


def extension_of(codes):
    until = timezone.now() + timedelta(days=90)
    return lambda: extending.extend_codes(codes, until=until, by=None)


def purchase():
    learner, product = make_learner(), make_training(credits=20, credit_only=True)

    def buy() -> bool:
        try:
            return bool(place_order(learner, (product.product, 1), text=TEXT))
        except (OrderRefused, CreditCodeRefused):
            return False

    return buy


def test_each_is_done_and_nothing_is_lost(codes):
    CreditCode.objects.update(expires_at=timezone.now() + timedelta(days=9))

    steps = [
        state_of(codes[:3], "disabled"),
        state_of(codes[:0:-1], "disabled"),
        extension_of(codes[1:]),
        purchase(),
    ]
    *done, extended, bought = at_once(steps)

    assert [url.partition("?")[0] for url in done] == [LIST] * 2
    assert [each.obstacle for each in extended] == [None] * 3
    states = CreditCode.objects.order_by("pk").values_list("state", flat=True)
    assert [*states] == ["disabled"] * 4
    kept = CodeChange.objects.filter(kind=CodeChange.Kind.DISABLED)
    assert kept.count() == 4
    late = CreditCode.objects.filter(expires_at__gt=timezone.now() + timedelta(days=80))
    assert late.count() == 3
    assert codes[1].balance() == (0 if bought else 20)
    assert [*api.audit()] == []


def test_locks_in_another_order_would_stop_one_of_them(codes, monkeypatch):
    """The control: the race above would have been lost without the order of locks."""
    in_order = BulkView.chosen

    def as_posted(view):
        posted = view.request.POST.getlist("code")
        return in_order(view).order_by("-pk" if posted[0] > posted[-1] else "pk")

    monkeypatch.setattr(BulkView, "chosen", as_posted)

    done = at_once(
        [state_of(codes, "disabled"), state_of([*reversed(codes)], "disabled")]
    )

    assert sorted(url.partition("?")[0] for url in done) == sorted([LIST, STATE])
