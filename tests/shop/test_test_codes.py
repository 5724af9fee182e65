"""Test codes: for staff only, marked, in no report, and purged with all they made."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits.codes.refusals import Reason
from oscar_training_credits.credits.ledger.forecast import ending_within
from oscar_training_credits.credits.ledger.usage import UseGrouping, use_of_credits
from oscar_training_credits.credits.models import CodeChange, CreditCode
from oscar_training_credits.exceptions import CreditCodeRefused
from oscar_training_credits.shop.order import purging
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ..support.books import assert_balanced
from ..support.orders import place_order
from ..support.shop import Learner, text_of, words
from .dashboard.test_codes import ALL, LIST, NEW, address, client_of, fill, labels

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

TEXT, REAL = "TEST-TEAM-2026", "ACME-TEAM-2026"


@pytest.fixture
def code():
    return make_code(100, text=TEXT, label="Trial", is_test=True)


@pytest.fixture
def tester():
    return make_learner(is_staff=True)


@pytest.fixture
def course():
    return make_training("Course", credits=20, credit_only=True)


def refusal_of(text, learner):
    with pytest.raises(CreditCodeRefused) as refused:
        api.read_code(text, purchase=api.Purchase(learner), requester=None)
    return refused.value.refusal


def said(learner, product, text):
    visitor = Learner(learner)
    visitor.add(product)
    return visitor.apply(text)


def test_it_works_for_staff_alone(code, tester, course):
    assert api.read_code(TEXT, purchase=api.Purchase(tester), requester=None) == code

    for other in (make_learner(), None):
        assert refusal_of(TEXT, other).reason is Reason.TEST_CODE


def test_a_stranger_is_told_what_is_said_of_no_code(code, course):
    learner = make_learner()

    assert said(learner, course.product, TEXT) == said(
        make_learner(), course.product, "TEST-TEAM-2027"
    )


def test_a_stranger_costs_no_more_queries_than_no_code(code, django_assert_num_queries):
    learner = make_learner()
    for text in (TEXT, "TEST-TEAM-2027"):
        with django_assert_num_queries(1):
            refusal_of(text, learner)


def test_it_works_for_everybody_where_the_site_is_in_test_mode(settings, code, course):
    settings.TRAINING_CREDITS_TEST_MODE = True

    assert place_order(make_learner(), (course.product, 1), text=TEXT)


def test_it_stops_working_at_the_purchase_too(settings, code, course):
    settings.TRAINING_CREDITS_TEST_MODE = True
    learner = Learner(make_learner())
    learner.add(course.product)
    learner.apply(TEXT)
    page = learner.preview()

    settings.TRAINING_CREDITS_TEST_MODE = False
    learner.place(page)

    assert code.balance() == 100


def test_reports_leave_it_out(code, tester, course):
    make_code(50, text=REAL)
    since = timezone.now() - timedelta(days=1)
    place_order(tester, (course.product, 1), text=TEXT)
    place_order(make_learner(), (course.product, 1), text=REAL)

    until = timezone.now() + timedelta(days=1)
    total = api.roll_forward(start=since, end=until)
    used = list(use_of_credits(UseGrouping.PRODUCT, start=since, end=until))

    assert (total.granted, total.redeemed, total.closing) == (50, 20, 30)
    assert [row.credits for row in used] == [20]
    rows = api.roll_forward_by(api.Grouping.CODE, start=since, end=until)
    assert [row.granted for row in rows] == [50]
    at = timezone.now()
    assert code not in [each for each, _end in ending_within(36_500, at=at)]
    boss = Learner(make_learner(is_superuser=True, is_staff=True)).client
    index = boss.get(reverse("dashboard:index"))
    assert index.context["credits_paid"] == 20


def test_it_is_marked_wherever_it_is_shown(code, tester, course):
    order = place_order(tester, (course.product, 1), text=TEXT)
    staff = client_of(*ALL)

    assert str(code) == "Trial (test code ending 2026)"
    listed = text_of(staff.get(LIST))
    assert '<span class="badge badge-warning">Test</span>' in listed
    detail = words(text_of(staff.get(address("detail", code))))
    assert "Test code For staff only; in no report" in detail
    boss = Learner(make_learner(is_superuser=True, is_staff=True)).client
    page = boss.get(reverse("dashboard:order-detail", args=[order.number]))
    assert "code ending 2026 (test code)" in words(text_of(page))


def test_staff_issue_one_and_find_it(code):
    make_code(5, label="Real")
    staff = client_of(*ALL)

    form = {"label": "Second", "credits": "5", "origin": "goodwill", "is_test": "on"}
    fill(staff, NEW, **form)

    assert CreditCode.objects.get(label="Second").is_test
    assert labels(staff.get(LIST, {"test": "only"})) == ["Second", "Trial"]
    assert labels(staff.get(LIST, {"test": "no"})) == ["Real"]


def test_no_test_code_becomes_a_real_one(code):
    stored = CreditCode.objects.get()
    stored.is_test = False
    stored.save()
    fill(client_of(*ALL), address("edit", code), label="Trial", is_test="")

    code.refresh_from_db()
    assert code.is_test


def test_it_is_purged_with_all_it_made(code, tester, course):
    order = place_order(tester, (course.product, 1), text=TEXT)
    staff = client_of(*ALL)
    asked = words(text_of(staff.get(address("purge", code))))

    for _click in range(2):
        fill(staff, address("purge", code), reason="ended")

    assert "1 order gives the credits back that it took from it." in asked
    assert "1 access that was bought with it ends." in asked
    code.refresh_from_db()
    assert (code.state, code.balance()) == ("closed", 0)
    assert not api.has_access(tester, course)
    assert order.lines.get().settled_line.left == 0
    assert "Access has ended" in order.notes.latest("pk").message
    assert CodeChange.objects.filter(kind="closed").count() == 1
    assert_balanced()


def test_a_real_code_is_not_purged():
    code = make_code(5)

    with pytest.raises(ValueError, match="Only a test code"):
        purging.purge(code)

    assert client_of(*ALL).get(address("purge", code)).status_code == 302
