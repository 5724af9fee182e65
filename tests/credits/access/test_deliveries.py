"""News of access on its way to a learning system: in order, once, and not lost."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager, suppress
from datetime import timedelta
from importlib import import_module, invalidate_caches
from io import StringIO
from pathlib import Path
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits import outbox
from oscar_training_credits.credits.access import deliveries
from oscar_training_credits.credits.models import Access, Delivery
from oscar_training_credits.credits.outbox import Result, Round
from oscar_training_credits.exceptions import DeliveryFailed
from oscar_training_credits.test.factories import make_learner, make_training

from ...support import enrolment, lms
from ...support.enrolment import backend
from ...support.orders import place_order
from ...support.racing import Meeting, at_once

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
DOCS = Path(__file__).parent.parent.parent.parent / "docs"


class Killed(BaseException):
    """The process died."""


@pytest.fixture(autouse=True)
def backend_is_set(settings):
    backend.heard.clear()
    backend.recover()
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = enrolment.PATH


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def course():
    return make_training("Django Foundations", access_days=10)


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def given(learner, course):
    """Access whose news is written and not yet sent: the process died before that."""
    return api.give_access(learner, course, reason="Goodwill")


@contextmanager
def later(by: timedelta):
    moment = timezone.now() + by
    with mock.patch("django.utils.timezone.now", return_value=moment):
        yield moment


def deliver() -> str:
    written = StringIO()
    call_command("send_deliveries", stdout=written)
    return written.getvalue().strip()


# What a backend hears


def test_a_purchase_is_told_when_it_is_committed(commit, learner, course):
    with commit():
        order = place_order(learner, (course.product, 1))
        assert backend.heard == []

    (news,) = backend.heard
    access = order.lines.get().training_access
    assert (news.kind, news.access) == ("given", access)
    assert (news.learner, news.training) == (learner, course)
    assert (news.starts_at, news.ends_at) == (access.starts_at, access.ends_at)
    delivery = Delivery.objects.get()
    assert (delivery.attempts, delivery.error) == (1, "")
    assert delivery.delivered_at


def test_a_purchase_that_is_rolled_back_is_no_news(learner, course):
    with transaction.atomic():
        place_order(learner, (course.product, 1))
        transaction.set_rollback(True)

    assert not Delivery.objects.exists()
    assert backend.heard == []


def test_without_a_backend_nothing_is_written(settings, learner, course):
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = None

    api.give_access(learner, course, reason="Goodwill")

    assert not Delivery.objects.exists()
    assert deliver() == ""
    with pytest.raises(CommandError, match="not set"):
        call_command("send_deliveries", "--existing")


def test_changes_and_ends_are_told_too(commit, learner, course):
    with commit():
        first = api.give_access(learner, course, reason="Goodwill")
        second = api.give_access(learner, course, reason="Goodwill")
    with commit():
        api.extend_access(first, until=first.ends_at + DAY, reason="Ill")
    with commit():
        api.end_access(first, reason="They left")

    told = [(news.kind, news.access.pk) for news in backend.heard]
    assert told[:2] == [("given", first.pk), ("given", second.pk)]
    assert sorted(told[2:4]) == [("changed", first.pk), ("changed", second.pk)]
    assert sorted(told[4:]) == [("changed", second.pk), ("ended", first.pk)]
    assert len({news.key for news in backend.heard}) == 6


# Failures


def test_a_backend_that_fails_does_not_disturb_the_purchase(commit, learner, course):
    backend.fail(ZeroDivisionError("in the backend"))

    with commit():
        order = place_order(learner, (course.product, 1))

    assert api.has_access(learner, course)
    assert order.lines.get().training_access
    delivery = Delivery.objects.get()
    assert (delivery.delivered_at, delivery.attempts) == (None, 1)


def test_a_backend_that_is_gone_does_not_disturb_the_purchase(
    commit, settings, learner, course
):
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = "tests.no_such_module.backend"

    with commit():
        place_order(learner, (course.product, 1))

    assert Delivery.objects.get().error == "ModuleNotFoundError"


def test_an_outbox_that_fails_after_the_commit_does_not_disturb_the_purchase(
    commit, learner, course
):
    broken = mock.Mock(side_effect=DatabaseError)
    with mock.patch.object(outbox, "_attempt", broken), commit():
        order = place_order(learner, (course.product, 1))

    assert broken.call_count == 1
    assert order.lines.get().training_access
    assert deliver() == "Arrived: 1. Failed: 0."


def test_what_failed_is_tried_again_with_the_same_key(commit, learner, course):
    backend.fail(OSError())
    with commit():
        place_order(learner, (course.product, 1))
    backend.recover()

    assert deliver() == ""
    with later(MINUTE):
        assert deliver() == "Arrived: 1. Failed: 0."
        assert deliver() == ""

    first, second = backend.heard
    assert first.key == second.key
    assert Delivery.objects.get().error == ""


def test_the_delays_grow_up_to_six_hours(given):
    backend.fail(OSError())
    delays = []
    now = timezone.now()

    for _attempt in range(12):
        with mock.patch("django.utils.timezone.now", return_value=now):
            deliver()
        delivery = Delivery.objects.get()
        delays.append((delivery.next_attempt_at - now) // MINUTE)
        now = delivery.next_attempt_at

    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]
    assert len({news.key for news in backend.heard}) == 1


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (DeliveryFailed("The learning system answered 500."), None),
        (DeliveryFailed(), "DeliveryFailed"),
        (DeliveryFailed("x" * 900), "x" * 500),
        (OSError("https://lms.example/?token=4711"), "OSError"),
        (ValueError("Bearer 4711"), "ValueError"),
    ],
)
def test_only_what_the_backend_says_to_staff_is_kept_of_an_error(given, error, shown):
    backend.fail(error)

    deliver()

    assert Delivery.objects.get().error == (shown or str(error))
    assert "4711" not in Delivery.objects.get().error


def test_the_log_holds_the_whole_error(given, caplog):
    backend.fail(OSError("https://lms.example/?token=4711"))

    deliver()

    (record,) = caplog.records
    assert record.name == "training_credits"
    assert Delivery.objects.get().key in record.getMessage()
    assert "4711" in caplog.text


def test_a_system_that_is_down_lets_one_learner_a_minute_wait(commit, course):
    backend.fail(OSError())
    for _learner in range(3):
        with commit():
            place_order(make_learner(), (course.product, 1))
    assert len(backend.heard) == 1

    with later(MINUTE), commit():
        place_order(make_learner(), (course.product, 1))

    assert len(backend.heard) == 2


def test_news_that_waits_for_long_lets_nobody_else_wait(commit, course):
    backend.fail(OSError())
    api.give_access(make_learner(), course, reason="Goodwill")
    deliver()
    with later(MINUTE):
        deliver()
        backend.recover()
        with commit():
            place_order(make_learner(), (course.product, 1))

    assert len(backend.heard) == 3
    assert Delivery.objects.pending().count() == 1


def test_failures_are_counted_anew_after_a_success(course):
    given = [
        api.give_access(make_learner(), course, reason="Goodwill") for _ in range(10)
    ]

    def answer(news):
        if news.access not in (given[4], given[9]):
            raise DeliveryFailed("No such learner.")

    backend.answer = answer

    assert deliver() == "Arrived: 2. Failed: 8."


def test_a_system_that_is_down_is_left_alone_after_some_failures(course):
    for _learner in range(9):
        api.give_access(make_learner(), course, reason="Goodwill")
    backend.fail(OSError())

    assert deliver() == "Arrived: 0. Failed: 5."

    backend.recover()
    assert deliver() == "Arrived: 4. Failed: 0."
    with later(MINUTE):
        assert deliver() == "Arrived: 5. Failed: 0."


def test_news_that_waits_for_its_turn_is_no_success(course):
    for _learner in range(6):
        given = api.give_access(make_learner(), course, reason="Goodwill")
        api.end_access(given, reason="They left")
    backend.fail(OSError())

    assert deliver() == "Arrived: 0. Failed: 5."


def test_news_that_never_arrives_does_not_hold_up_the_rest(learner, course):
    poor = api.give_access(make_learner(), course, reason="Goodwill")
    api.give_access(learner, course, reason="Goodwill")

    def answer(news):
        if news.access == poor:
            raise DeliveryFailed("No such learner.")

    backend.answer = answer

    assert deliver() == "Arrived: 1. Failed: 1."


def test_each_failure_is_its_own(learner, course):
    for_poor = api.give_access(make_learner(), course, reason="Goodwill")
    for_other = api.give_access(learner, course, reason="Goodwill")

    def answer(news):
        raise DeliveryFailed(f"Not known: {news.access.pk}.")

    backend.answer = answer
    deliver()

    errors = dict(Delivery.objects.values_list("access", "error"))
    assert errors == {
        each.pk: f"Not known: {each.pk}." for each in (for_poor, for_other)
    }


# In order, and never by two


def test_later_news_waits_for_the_earlier(given):
    backend.fail(OSError())
    deliver()
    backend.recover()
    api.end_access(given, reason="They left")

    assert deliver() == ""
    with later(MINUTE):
        deliver()

    assert backend.kinds == ["given", "given", "ended"]


def test_a_process_that_dies_leaves_its_news_to_the_next(given):
    backend.fail(Killed())
    with pytest.raises(Killed):
        deliver()
    backend.recover()

    with later(outbox.LEASE - MINUTE):
        assert deliver() == ""
    with later(outbox.LEASE + MINUTE):
        assert deliver() == "Arrived: 1. Failed: 0."

    assert len({news.key for news in backend.heard}) == 1
    assert Delivery.objects.get().attempts == 2


def test_news_that_is_being_sent_is_sent_by_nobody_else(given):
    pk = Delivery.objects.get().pk
    answers = []
    backend.answer = lambda news: answers.extend(
        [outbox.try_again(pk), outbox.deliver_due()]
    )

    assert deliver() == "Arrived: 1. Failed: 0."

    assert answers == [Result.LEFT, Round()]
    assert len(backend.heard) == 1


def test_who_took_too_long_and_failed_says_nothing_of_the_next(given):
    """The first is slower than its lease; the second has arrived meanwhile."""

    def answer(news):
        backend.recover()
        with later(outbox.LEASE + MINUTE):
            deliver()
        raise OSError

    backend.answer = answer

    deliver()

    delivery = Delivery.objects.get()
    assert delivery.delivered_at
    assert (delivery.attempts, delivery.error) == (2, "")


def test_who_took_too_long_and_failed_leaves_the_next_to_go_on(given):
    """The first is slower than its lease; the second is still at it."""

    def answer(news):
        backend.fail(Killed())
        with later(outbox.LEASE + MINUTE), suppress(Killed):
            deliver()
        raise OSError

    backend.answer = answer

    deliver()

    delivery = Delivery.objects.get()
    assert delivery.taken_until > timezone.now() + outbox.LEASE
    assert (delivery.attempts, delivery.error) == (2, "")


def test_news_has_arrived_when_it_first_did(given):
    """The first is slower than its lease; the second has arrived meanwhile."""
    moments = []

    def answer(news):
        backend.recover()
        with later(outbox.LEASE + MINUTE) as moment:
            deliver()
        moments.append(moment)

    backend.answer = answer

    deliver()

    assert [Delivery.objects.get().delivered_at] == moments


@pytest.fixture
def due(backend_is_set):
    course = make_training(access_days=10)
    backend.fail(OSError())
    api.give_access(make_learner(), course, reason="Goodwill")
    backend.recover()
    backend.heard.clear()
    Delivery.objects.update(next_attempt_at=timezone.now())
    return Delivery.objects.get()


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_news_once(due, monkeypatch):
    both_have_read = Meeting(2)
    take = outbox._take

    def take_late(delivery):
        both_have_read()
        return take(delivery)

    monkeypatch.setattr(outbox, "_take", take_late)

    rounds = at_once([outbox.deliver_due] * 2)

    assert sorted(each.arrived for each in rounds) == [0, 1]
    assert len(backend.heard) == 1


@pytest.mark.django_db(transaction=True)
def test_control_read_then_write_sends_it_twice(due, monkeypatch):
    both_have_read = Meeting(2)

    def take_blindly(delivery):
        free = delivery.taken_until is None
        both_have_read()
        delivery.taken_until = timezone.now() + outbox.LEASE
        delivery.save(update_fields=["taken_until"])
        return free

    monkeypatch.setattr(outbox, "_take", take_blindly)

    at_once([outbox.deliver_due] * 2)

    assert len(backend.heard) == 2


@pytest.mark.django_db(transaction=True)
def test_two_workers_write_once_that_time_ran_out(due):
    outbox.deliver_due()
    Access.objects.update(
        starts_at=timezone.now() - 2 * DAY, ends_at=timezone.now() - DAY
    )

    written = at_once([deliveries.write_run_out] * 4)

    assert sorted(written) == [0, 0, 0, 1]


# Access that ends by itself


def test_time_that_ran_out_is_told_once(given):
    deliver()
    with later(9 * DAY):
        assert deliver() == ""

    for _twice in range(2):
        with later(11 * DAY):
            deliver()

    assert backend.kinds == ["given", "ended"]
    assert backend.heard[1].ends_at == given.ends_at


def test_it_is_said_for_how_many_time_ran_out(given, course):
    api.give_access(make_learner(), course, reason="Goodwill")
    deliver()

    with later(11 * DAY):
        counted = [deliveries.write_run_out() for _twice in range(2)]

    assert counted == [2, 0]


def test_what_ended_early_does_not_end_again(given):
    api.end_access(given, reason="They left")

    with later(11 * DAY):
        deliver()

    assert backend.kinds == ["given", "ended"]


def test_what_was_extended_after_its_end_ends_again(given):
    deliver()
    with later(11 * DAY) as moment:
        deliver()
        api.extend_access(given, until=moment + DAY, reason="Ill")
        deliver()
    with later(13 * DAY):
        deliver()

    assert backend.kinds == ["given", "ended", "changed", "ended"]


def test_a_backend_does_not_hear_of_the_end_of_what_it_never_knew(
    settings, learner, course
):
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = None
    api.give_access(learner, course, reason="Goodwill")
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = enrolment.PATH

    with later(11 * DAY):
        deliver()

    assert backend.heard == []


def test_a_new_backend_can_be_told_of_what_there_is(settings, learner, course):
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = None
    ended, running = (
        api.give_access(each, course, reason="Goodwill")
        for each in (make_learner(), learner)
    )
    api.end_access(ended, reason="They left")
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = enrolment.PATH

    for _twice in range(2):
        call_command("send_deliveries", "--existing", stdout=StringIO())

    assert [(news.kind, news.access) for news in backend.heard] == [("given", running)]


# Trying again by hand


def test_one_is_tried_before_its_time(given):
    backend.fail(OSError())
    deliver()
    pk = Delivery.objects.get().pk

    assert outbox.try_again(pk) is Result.FAILED
    backend.recover()
    assert outbox.try_again(pk) is Result.ARRIVED
    assert outbox.try_again(pk) is Result.LEFT

    assert len(backend.heard) == 3


def test_the_others_wait_for_their_time(given, course):
    api.give_access(make_learner(), course, reason="Goodwill")
    backend.fail(OSError())
    deliver()
    backend.recover()

    outbox.try_again(Delivery.objects.earliest("pk").pk)

    assert deliver() == ""
    assert Delivery.objects.pending().count() == 1


def test_what_is_gone_is_left(given):
    pk = Delivery.objects.get().pk
    given.delete()

    assert outbox.try_again(pk) is Result.LEFT


def test_all_are_tried_before_their_time(course):
    for _learner in range(3):
        api.give_access(make_learner(), course, reason="Goodwill")
    backend.fail(OSError())
    deliver()
    backend.recover()

    assert outbox.try_all_again(seconds=10) == Round(arrived=3)


def test_all_are_tried_for_a_while_only(course):
    for _learner in range(3):
        api.give_access(make_learner(), course, reason="Goodwill")

    assert outbox.try_all_again(seconds=-1) == Round()

    assert Delivery.objects.pending().count() == 3


def test_a_round_costs_few_queries(course, django_assert_max_num_queries):
    for _learner in range(5):
        api.give_access(make_learner(), course, reason="Goodwill")

    # Three of a round look for uses of codes that managers are to hear of.
    with django_assert_max_num_queries(2 + 3 + 5 * 4):
        outbox.deliver_due()


# The example of the manual, against a real server


@pytest.fixture
def system():
    with lms.learning_system() as system:
        yield system


@pytest.fixture
def example(settings, tmp_path, monkeypatch, system):
    """The module that docs/lms.md shows, installed as its reader would."""
    text = (DOCS / "lms.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (code,) = [block for block in blocks if "def enrol" in block]
    (tmp_path / "lms_of_the_manual.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    invalidate_caches()
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = "lms_of_the_manual.enrol"
    settings.LMS_URL, settings.LMS_TOKEN = system.url, lms.TOKEN
    module = import_module("lms_of_the_manual")
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    yield module
    del sys.modules["lms_of_the_manual"]


def seat(course, learner) -> str:
    return f"/courses/{course.product.upc}/learners/{learner.pk}"


def test_the_example_enrols(example, system, commit, learner, course):
    with commit():
        order = place_order(learner, (course.product, 1))

    access = order.lines.get().training_access
    assert system.enrolled == {
        seat(course, learner): {
            "email": learner.email,
            "starts_at": access.starts_at.isoformat(),
            "ends_at": access.ends_at.isoformat(),
        }
    }
    assert system.tokens == {f"Bearer {lms.TOKEN}"}
    assert Delivery.objects.get().delivered_at


def test_the_example_takes_out_who_has_no_access_left(
    example, system, commit, learner, course
):
    path = make_training("A path", kind="path", path_courses=(course,))
    with commit():
        both = [
            api.give_access(learner, each, reason="Goodwill") for each in (course, path)
        ]
    with commit():
        api.end_access(both[0], reason="They left")
    assert system.enrolled[seat(course, learner)]["ends_at"] is None

    with commit():
        api.end_access(both[1], reason="They left")

    assert system.enrolled == {}


def test_the_example_is_told_500(example, system, commit, learner, course):
    system.answers = [500]
    with commit():
        place_order(learner, (course.product, 1))

    assert Delivery.objects.get().error == "The learning system answered 500."
    with later(MINUTE):
        assert deliver() == "Arrived: 1. Failed: 0."
    assert [*system.enrolled] == [seat(course, learner)]


def test_the_example_waits_in_vain_and_is_known_by_its_key(
    example, system, commit, learner, course, monkeypatch
):
    """It was done, but the answer came too late; done again it is done once."""
    monkeypatch.setattr(example, "TIMEOUT", 0.1)
    system.delay = 0.5
    with commit():
        place_order(learner, (course.product, 1))
    assert Delivery.objects.get().error == "The learning system did not answer."

    with later(MINUTE):
        assert deliver() == "Arrived: 1. Failed: 0."

    delivery = Delivery.objects.get()
    assert system.keys == [f"{delivery.key}-{course.pk}"]
    assert delivery.attempts == 2


def test_the_example_survives_a_restart_in_between(
    example, system, commit, learner, course, monkeypatch
):
    """The process dies when the learning system has done it."""
    ask = example.ask_lms

    def ask_and_die(*args, **kwargs):
        ask(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(example, "ask_lms", ask_and_die)
    with pytest.raises(Killed), commit():
        place_order(learner, (course.product, 1))
    monkeypatch.setattr(example, "ask_lms", ask)

    with later(outbox.LEASE + MINUTE):
        assert deliver() == "Arrived: 1. Failed: 0."

    assert len(system.keys) == 1


def test_the_example_keeps_its_token_to_itself(
    example, system, commit, learner, course
):
    system.answers = [403]
    with commit():
        place_order(learner, (course.product, 1))

    with connection.cursor() as cursor:
        cursor.execute("SELECT error FROM training_credits_delivery")
        assert lms.TOKEN not in str(cursor.fetchall())
