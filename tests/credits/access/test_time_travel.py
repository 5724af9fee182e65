"""Every way in which access begins and ends, on the page, as the clock goes on.

Each row of the table is a story: what happens when, and what the learner's course page
says from that moment on. It is asked a microsecond before the moment, and at it.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.access import places
from oscar_training_credits.credits.models import Access, CreditCode, Place
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.orders import place_order
from ...support.pages import SECRET, make_course
from ...support.shop import text_of, words

Range = get_model("offer", "Range")

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

TEXT = "ACME-TEAM-2026"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
INSTANT = timedelta(microseconds=1)

OPEN, TO_COME, ENDED, SHUT = "open", "to come", "ended", "shut"
SAYS = {
    "You have access": OPEN,
    "Your access begins on": TO_COME,
    "Your access ended on": ENDED,
    "Access to this ended on": ENDED,
    "Buy this training": SHUT,
}

# The first day of each story; the clocks change in the night after it.
ZONES = [
    pytest.param("America/New_York", date(2027, 3, 13), id="clocks forward"),
    pytest.param("Australia/Lord_Howe", date(2027, 4, 3), id="half an hour back"),
]


class Story:
    """One learner, one course with its page, and what happens to them."""

    def __init__(self, zone, first_day):
        self.zone, self.first_day = ZoneInfo(zone), first_day
        self.start = datetime.combine(first_day, time(12), self.zone)
        self.learner = make_learner()
        self.code = make_code(1000, text=TEXT)
        self.product = make_product("Docker", "240.00")

    def begin(self, **terms):
        self.page = make_course(self.product, credits=20, **self.on_days(terms))
        self.course = self.page.training
        self.path = make_training(
            "Path", kind="path", path_courses=(self.course,), access_days=2
        )
        self.content = Range.objects.create(name="In the plan")
        self.content.add_product(self.product)
        self.plan = make_training(
            "Plan", kind="plan", plan_content=self.content, access_days=3
        )

    def on_days(self, terms):
        """Replace the number of a day, as in the table, by its date."""
        dated = {"access_from", "access_until"}
        return {
            name: self.first_day + value * DAY if name in dated else value
            for name, value in terms.items()
        }

    def moment(self, when):
        """Return a moment: so long after noon, or the midnight before a day."""
        if isinstance(when, timedelta):
            # By the clock of the world, which never changes.
            return self.start.astimezone(ZoneInfo("UTC")) + when
        day = self.first_day + when * DAY
        return datetime.combine(day, time(), self.zone)

    def state(self):
        client = Client()
        client.force_login(self.learner)
        page = text_of(client.get(self.page.url))
        said = [state for text, state in SAYS.items() if text in words(page)]
        assert (SECRET in page) == (said[0] == OPEN)
        return said[0]

    # What may happen

    def buy(self):
        self.order = place_order(self.learner, (self.product, 1), text=TEXT)

    def buy_path(self):
        self.path_order = place_order(self.learner, (self.path.product, 1), text=TEXT)

    def buy_plan(self):
        place_order(self.learner, (self.plan.product, 1), text=TEXT)

    def buy_places(self):
        self.buyer = make_learner()
        self.order = place_order(self.buyer, (self.product, 2), text=TEXT)

    def claim(self):
        places.claim(Place.objects.first(), self.learner)

    def refund(self):
        api.refund_order(self.order, idempotency_key="Refund")

    def cancel(self):
        api.cancel_lines(self.order.lines.all(), idempotency_key="Cancelled")

    def refund_path(self):
        api.refund_order(self.path_order, idempotency_key="Refund")

    def give(self):
        api.give_access(self.learner, self.course, reason="Goodwill")

    def end(self):
        api.end_access(Access.objects.get(), reason="A mistake")

    def extend(self):
        api.extend_access(
            Access.objects.get(), until=self.moment(5 * DAY), reason="They were ill."
        )

    def change_terms(self):
        api.sell_as_training(self.product, credits=20, access_days=30)

    def take_out_of_plan(self):
        self.content.remove_product(self.product)

    def take_off_path(self):
        other = make_training("Another course")
        api.sell_as_training(self.path.product, kind="path", path_courses=(other,))

    def disable_code(self):
        api.set_state(self.code, CreditCode.State.DISABLED)

    def code_ends(self, **terms):
        """Let the code expire a day and a half after noon."""
        CreditCode.objects.filter(pk=self.code.pk).update(
            expires_at=self.moment(36 * HOUR), **terms
        )

    def code_ends_access(self):
        self.code_ends(ends_access=True)


NOON = timedelta(0)
BUY, NOTHING = Story.buy, None

# terms of the course, then: when, what happens, what the page says from then on
STORIES = {
    "for ever": ({}, (NOON, BUY, OPEN)),
    "for days, of 24 hours": (
        {"access_days": 2},
        (NOON, BUY, OPEN),
        (2 * DAY, NOTHING, ENDED),
    ),
    "through the last day": (
        {"access_until": 1},
        (NOON, BUY, OPEN),
        (2, NOTHING, ENDED),
    ),
    "from the first day on": (
        {"access_from": 2},
        (NOON, BUY, TO_COME),
        (2, NOTHING, OPEN),
    ),
    "from the first day through the last": (
        {"access_from": 1, "access_until": 1},
        (NOON, BUY, TO_COME),
        (1, NOTHING, OPEN),
        (2, NOTHING, ENDED),
    ),
    "for a day from the first day on": (
        {"access_from": 3, "access_days": 1},
        (NOON, BUY, TO_COME),
        (3, NOTHING, OPEN),
        (4, NOTHING, ENDED),
    ),
    "with its code": (
        {},
        (NOON, Story.code_ends_access, SHUT),
        (NOON, BUY, OPEN),
        (36 * HOUR, NOTHING, ENDED),
    ),
    "with its code, which ends sooner than the days": (
        {"access_days": 2},
        (NOON, Story.code_ends_access, SHUT),
        (NOON, BUY, OPEN),
        (36 * HOUR, NOTHING, ENDED),
    ),
    "after days, sooner than its code": (
        {"access_days": 1},
        (NOON, Story.code_ends_access, SHUT),
        (NOON, BUY, OPEN),
        (DAY, NOTHING, ENDED),
    ),
    "not with a code that only expires": (
        {},
        (NOON, Story.code_ends, SHUT),
        (NOON, BUY, OPEN),
        (36 * HOUR, NOTHING, OPEN),
    ),
    "not with a code that is disabled": (
        {},
        (NOON, BUY, OPEN),
        (DAY, Story.disable_code, OPEN),
    ),
    "not by terms that change after purchase": (
        {"access_days": 2},
        (NOON, BUY, OPEN),
        (DAY, Story.change_terms, OPEN),
        (2 * DAY, NOTHING, ENDED),
    ),
    "later when bought again": (
        {"access_days": 2},
        (NOON, BUY, OPEN),
        (DAY, BUY, OPEN),
        (2 * DAY, NOTHING, OPEN),
        (4 * DAY, NOTHING, ENDED),
    ),
    "and begins anew when bought again after the end": (
        {"access_days": 2},
        (NOON, BUY, OPEN),
        (2 * DAY, NOTHING, ENDED),
        (3 * DAY, BUY, OPEN),
        (5 * DAY, NOTHING, ENDED),
    ),
    "when staff end it": ({}, (NOON, BUY, OPEN), (DAY, Story.end, ENDED)),
    "when staff end what they gave": (
        {},
        (NOON, Story.give, OPEN),
        (DAY, Story.end, ENDED),
    ),
    "before it begins, when staff end it": (
        {"access_from": 2},
        (NOON, BUY, TO_COME),
        (DAY, Story.end, ENDED),
        (2, NOTHING, ENDED),
    ),
    "later when staff extend it": (
        {"access_days": 2},
        (NOON, BUY, OPEN),
        (DAY, Story.extend, OPEN),
        (2 * DAY, NOTHING, OPEN),
        (5 * DAY, NOTHING, ENDED),
    ),
    "and goes on when staff extend it after the end": (
        {"access_days": 2},
        (NOON, BUY, OPEN),
        (2 * DAY, NOTHING, ENDED),
        (3 * DAY, Story.extend, OPEN),
        (5 * DAY, NOTHING, ENDED),
    ),
    "when it is refunded": ({}, (NOON, BUY, OPEN), (DAY, Story.refund, ENDED)),
    "when it is cancelled": ({}, (NOON, BUY, OPEN), (DAY, Story.cancel, ENDED)),
    "once, when it is refunded after the end": (
        {"access_days": 1},
        (NOON, BUY, OPEN),
        (DAY, NOTHING, ENDED),
        (2 * DAY, Story.refund, ENDED),
    ),
    "for the days after a refund of the first of two": (
        {"access_days": 2},
        (NOON, BUY, OPEN),
        (NOON, Story.buy_path, OPEN),
        (DAY, Story.refund, OPEN),
        (2 * DAY, NOTHING, ENDED),
    ),
    "with the path, where the course is not bought": (
        {},
        (NOON, Story.buy_path, OPEN),
        (2 * DAY, NOTHING, ENDED),
    ),
    "later than the path, as the course follows it": (
        {"access_days": 2},
        (NOON, Story.buy_path, OPEN),
        (NOON, BUY, OPEN),
        (2 * DAY, NOTHING, OPEN),
        (4 * DAY, NOTHING, ENDED),
    ),
    "not with a refunded path, as the course moves up": (
        {"access_days": 2},
        (NOON, Story.buy_path, OPEN),
        (NOON, BUY, OPEN),
        (DAY, Story.refund_path, OPEN),
        (3 * DAY, NOTHING, ENDED),
    ),
    "with the plan, which ends later than the course": (
        {"access_days": 2},
        (NOON, BUY, OPEN),
        (NOON, Story.buy_plan, OPEN),
        (2 * DAY, NOTHING, OPEN),
        (3 * DAY, NOTHING, ENDED),
    ),
    "when it leaves the plan": (
        {},
        (NOON, Story.buy_plan, OPEN),
        (DAY, Story.take_out_of_plan, SHUT),
    ),
    "when it leaves the path": (
        {},
        (NOON, Story.buy_path, OPEN),
        (DAY, Story.take_off_path, SHUT),
    ),
    "for days from when a place is claimed": (
        {"access_days": 2},
        (NOON, Story.buy_places, SHUT),
        (DAY, Story.claim, OPEN),
        (3 * DAY, NOTHING, ENDED),
    ),
    "for a place too, when its order is refunded": (
        {},
        (NOON, Story.buy_places, SHUT),
        (DAY, Story.claim, OPEN),
        (2 * DAY, Story.refund, ENDED),
    ),
}


@pytest.mark.parametrize(("zone", "first_day"), ZONES)
@pytest.mark.parametrize("story", STORIES)
def test_access_ends(settings, story, zone, first_day):
    settings.TIME_ZONE = zone
    settings.TRAINING_CREDITS_MOST_PLACES = 2
    terms, *events = STORIES[story]
    noon = datetime.combine(first_day, time(12), ZoneInfo(zone))

    with time_machine.travel(noon - DAY, tick=False) as clock:
        told = Story(zone, first_day)
        told.begin(**terms)
        now, expected = told.moment(-DAY), SHUT
        for when, happens, after in events:
            before, now = now, told.moment(when)
            if now > before:
                clock.move_to(now - INSTANT)
                assert told.state() == expected, f"before {when}"
            clock.move_to(now)
            if happens:
                happens(told)
            expected = after
            assert told.state() == expected, f"from {when} on"
        clock.move_to(noon + 3650 * DAY)
        assert told.state() == expected, "ever after"
