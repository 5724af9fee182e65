"""Moments at the ends of the calendar, which not every time zone can tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from datetime import timezone as fixed
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits.codes.issuing import add_grant, issue_codes
from oscar_training_credits.credits.models import Access, CreditCode, CreditGrant
from oscar_training_credits.credits.terms import LONGEST_ACCESS
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ...support.shop import text_of
from ..test_admin import edit, errors, grants, issue, when

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

FAR = "That is more than 100 years away."
ZONES = ["America/New_York", "Europe/London", "Asia/Tokyo", "Pacific/Kiritimati"]
ENDS = [
    "9999-12-31",
    "9999-12-31T23:59:59",
    "0001-01-01",
    "0001-01-01T00:00",
    "2199-01-01",
]
WEST, EAST = fixed(-timedelta(hours=12)), fixed(timedelta(hours=14))
MOMENTS = [
    datetime.max.replace(tzinfo=fixed.utc),
    datetime.max.replace(tzinfo=WEST),
    datetime.min.replace(tzinfo=fixed.utc),
    datetime.min.replace(tzinfo=EAST),
    timezone.now() + timedelta(days=LONGEST_ACCESS + 2),
    timezone.now() - timedelta(days=LONGEST_ACCESS + 2),
]


@pytest.fixture(params=ZONES)
def zone(request, settings):
    settings.TIME_ZONE = request.param


@pytest.fixture
def admin(db):
    client = Client()
    client.force_login(make_learner(is_staff=True, is_superuser=True))
    return client


def boxes(field, day, time="23:59:59"):
    return {f"{field}_0": day, f"{field}_1": time}


DAYS = ["31/12/9999", "01/01/0001", "9999-12-31", "0001-01-01", "01/01/2199"]


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("field", ["starts_at", "expires_at"])
@pytest.mark.parametrize("time", ["00:00", "23:59:59"])
def test_the_admin_issues_no_code_for_such_a_moment(zone, admin, day, field, time):
    response = issue(admin, **boxes(field, day, time))

    assert response.context["adminform"].form.errors[field] == [FAR]
    assert not CreditCode.objects.exists()


@pytest.mark.parametrize("day", DAYS)
def test_the_admin_changes_no_code_to_such_a_moment(zone, admin, day):
    code = make_code()

    response = edit(admin, code, **boxes("expires_at", day))

    assert errors(response) == FAR
    code.refresh_from_db()
    assert code.expires_at is None


@pytest.mark.parametrize("day", DAYS)
def test_the_admin_adds_no_grant_for_such_a_moment(zone, admin, day):
    code = make_code()
    far = {"credits": 5, **boxes("expires_at", day)}

    response = edit(admin, code, **grants(code, far))

    assert errors(response) == FAR
    assert code.grants.count() == 1


@pytest.mark.parametrize("option", ["--starts", "--expires"])
@pytest.mark.parametrize("end", ENDS)
def test_the_command_refuses_such_a_moment(zone, option, end):
    with pytest.raises(CommandError, match="100 years away"):
        call_command(
            "issue_credit_codes",
            *("--label", "ACME", "--credits", "20", option, end),
            stdout=StringIO(),
        )

    assert not CreditCode.objects.exists()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("term", ["starts_at", "expires_at", "grant_expires_at"])
def test_no_code_is_issued_for_such_a_moment(moment, term):
    terms = {"label": "ACME", "credits": 20, term: moment}

    with pytest.raises(ValueError, match="100 years away"):
        api.issue_code(**terms)
    with pytest.raises(ValueError, match="100 years away"):
        next(issue_codes(2, **terms))

    assert not CreditCode.objects.exists()


@pytest.mark.parametrize("moment", MOMENTS)
def test_no_grant_ends_at_such_a_moment(moment):
    code = make_code()

    with pytest.raises(ValueError, match="100 years away"):
        add_grant(code, 5, expires_at=moment)

    assert CreditGrant.objects.count() == 1


@pytest.mark.parametrize("moment", MOMENTS)
def test_no_access_ends_at_such_a_moment(moment):
    learner, course = make_learner(), make_training(access_days=10)
    with pytest.raises(ValueError, match="100 years away"):
        api.give_access(learner, course, reason="Goodwill", until=moment)
    given = api.give_access(learner, course, reason="Goodwill")

    with pytest.raises(ValueError, match="100 years away"):
        api.extend_access(given, reason="Goodwill", until=moment)

    assert Access.objects.get().ends_at == given.ends_at


def test_a_century_is_not_too_far(zone, admin):
    # At noon, as no clock is put back there: an hour that comes twice is refused.
    noon = timezone.now().replace(hour=12)
    issue(admin, **when("expires_at", noon + timedelta(days=LONGEST_ACCESS - 2)))

    page = admin.get(reverse("admin:training_credits_creditcode_changelist"))

    assert CreditCode.objects.get().label in text_of(page)


def test_the_report_of_changes_takes_any_day(zone, admin):
    admin_address = reverse("training_credits_changes")
    assert Permission.objects.exists()

    for field in ("changed_at_before", "changed_at_after"):
        for day in ("9999-12-31", "0001-01-01"):
            response = admin.get(admin_address, {field: day})

            assert response.status_code == 200, (field, day)


def test_the_lists_of_the_admin_take_any_moment(zone, admin):
    make_code(expires_at=timezone.now() + timedelta(days=1))
    address = reverse("admin:training_credits_creditcode_changelist")

    for lookup in ("expires_at__gte", "expires_at__lt"):
        for moment in ("9999-12-31 23:59:59-05:00", "0001-01-01 00:00:00+05:00"):
            assert admin.get(address, {lookup: moment}).status_code in (200, 302)
