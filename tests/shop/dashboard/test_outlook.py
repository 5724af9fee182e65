"""Staff see which codes run dry, and what will expire unused."""

from __future__ import annotations

from datetime import datetime, timedelta
from datetime import timezone as zones

import pytest
import time_machine
from django.urls import reverse

from oscar_training_credits import api
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import place_order
from ...support.shop import csv_rows, text_of, words

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
NOW = datetime(2027, 3, 1, 12, tzinfo=zones.utc)
PAGE = reverse("training_credits:code-outlook")


@pytest.fixture
def staff(client):
    with time_machine.travel(NOW, tick=False):
        client.force_login(make_learner(is_staff=True, is_superuser=True))
        yield client


@pytest.fixture
def codes(staff):
    """One runs dry in 10 days, one in 70; one ends in 20, one never."""
    course = make_training("Course", credits=90, credit_only=True)
    with time_machine.travel(NOW - 200 * DAY, tick=False):
        fast = make_code(100, text="FAST-TEAM-2027", label="Fast", holder="ACME Ltd")
        slow = make_code(160, text="SLOW-TEAM-2027", label="Slow")
        make_code(50, label="Ends", expires_at=NOW + 20 * DAY)
        make_code(50, label="For ever")
        make_code(50, label="Disabled", expires_at=NOW + DAY, state="disabled")
    with time_machine.travel(NOW - 9 * DAY, tick=False):
        for text in ("FAST-TEAM-2027", "SLOW-TEAM-2027"):
            place_order(make_learner(), (course.product, 1), text=text)
    return fast, slow


def test_what_ends_soonest_stands_first(staff, codes):
    page = words(text_of(staff.get(PAGE)))

    fast = "Fast (code ending 2027) ACME Ltd 10 1.0 11 Mar 2027 0"
    assert fast in page
    assert "50 0.0 21 Mar 2027 50" in page
    assert page.index("Fast (") < page.index("Ends (")
    for label in ("Slow", "For ever", "Disabled"):
        assert f"{label} (" not in page


def test_farther_ahead_more_codes_end(staff, codes):
    page = words(text_of(staff.get(PAGE, {"within": "90"})))

    assert "Slow (code ending 2027) 70 1.0 10 May 2027 0" in page


def test_the_file_has_all_of_them(staff, codes):
    headings, *rows = csv_rows(staff.get(PAGE, {"within": "90", "as": "csv"}))

    assert headings[-1] == "Will expire unused"
    assert [row[0].split(" (")[0] for row in rows] == ["Fast", "Slow", "Ends"]
    assert rows[0][3:] == ["10", "1.000", "2027-03-11 12:00+00:00", "0"]


def test_no_code_ends(staff):
    assert "No code ends by then." in text_of(staff.get(PAGE))


def test_another_horizon_is_refused_at_its_field(staff):
    response = staff.get(PAGE, {"within": "7"})

    assert response.status_code == 200
    assert response.context["form"].errors


def test_the_page_of_a_code_says_how_long_it_lasts(staff, codes):
    code, _slow = codes
    api.add_grant(code, 30, expires_at=NOW + 5 * DAY)

    page = words(
        text_of(staff.get(reverse("training_credits:code-detail", args=[code.pk])))
    )

    assert (
        "Outlook 1.0 credits a day were redeemed lately."
        " At that rate, nothing is left after 16 Mar 2027."
        " 25 credits will expire unused." in page
    )
