"""What staff do to codes: done once, on record, and never below what is spent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits.models import (
    Access,
    AppliedCode,
    CodeChange,
    CreditCode,
    LedgerEntry,
)
from oscar_training_credits.exceptions import (
    CodeClosed,
    CodeTaken,
    IdempotencyKeyReused,
    NotEnoughCredits,
)
from oscar_training_credits.test.factories import (
    make_code,
    make_issued,
    make_learner,
    make_training,
)

from ...support.orders import hold, place_order

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

DAY = timedelta(days=1)
TEXT, OTHER_TEXT = "ACME-TEAM-2026", "ACME-TEAM-2027"


@pytest.fixture(autouse=True)
def the_books_are_right():
    yield
    assert [str(each) for each in api.audit()] == []


@pytest.fixture
def staff():
    return make_learner(is_staff=True)


@pytest.fixture
def learner():
    return make_learner()


def spend(learner, credits: int, text: str, **terms):
    """Let a learner buy a course for so many credits."""
    course = make_training("Course", credits=credits, credit_only=True, **terms)
    return place_order(learner, (course.product, 1), texts=[text])


# Issued once


def test_the_same_key_issues_one_code(staff):
    asked = {"label": "ACME", "credits": 50, "text": TEXT, "by": staff}

    first = api.issue_code(**asked, idempotency_key="form 1")
    second = api.issue_code(**asked, idempotency_key="form 1")

    assert second.code == first.code
    assert second.text == TEXT
    assert first.code.balance() == 50
    (change,) = first.code.changes.all()
    assert (change.kind, change.credits, change.changed_by) == ("issued", 50, staff)


def test_a_text_that_was_generated_is_not_known_again():
    first = api.issue_code(label="ACME", credits=50, idempotency_key="form 1")
    second = api.issue_code(label="ACME", credits=50, idempotency_key="form 1")

    assert second.code == first.code
    assert (bool(first.text), second.text) == (True, "")


@pytest.mark.parametrize("asked", [{"text": OTHER_TEXT}, {"credits": 60}])
def test_a_key_stands_for_one_code(asked):
    first = {"label": "ACME", "credits": 50, "text": TEXT}
    api.issue_code(**first, idempotency_key="form 1")

    with pytest.raises(IdempotencyKeyReused):
        api.issue_code(**{**first, **asked}, idempotency_key="form 1")

    assert CreditCode.objects.count() == 1


# Topped up


def test_a_code_is_topped_up_once_for_a_key(staff):
    code = make_code(10)
    asked = {"note": "Invoice 7", "by": staff, "idempotency_key": "form 1"}

    first = api.add_grant(code, 30, **asked)
    second = api.add_grant(code, 30, **asked)

    assert first == second
    assert code.balance() == 40
    entry = first.entries.get()
    assert (entry.change.note, entry.change.changed_by) == ("Invoice 7", staff)
    with pytest.raises(IdempotencyKeyReused):
        api.add_grant(code, 31, **asked)


# Adjusted


def test_credits_are_taken_from_what_expires_soonest(staff):
    code = make_code(50)
    soon = api.add_grant(code, 20, expires_at=timezone.now() + DAY)

    change = api.adjust_credits(code, -30, reason="mistake", note="Typo", by=staff)

    soon.refresh_from_db()
    assert (soon.remaining, code.balance()) == (0, 40)
    entries = LedgerEntry.objects.filter(kind="adjust").order_by("pk")
    assert [entry.credits for entry in entries] == [-20, -10]
    assert {entry.change for entry in entries} == {change}
    assert (change.reason, change.note) == ("mistake", "Typo")


def test_credits_are_taken_from_the_grant_that_staff_choose():
    code = make_code(50)
    api.add_grant(code, 20, expires_at=timezone.now() + DAY)
    chosen = code.grants.get(expires_at=None)

    api.adjust_credits(code, -30, grant=chosen, reason="mistake")

    chosen.refresh_from_db()
    assert chosen.remaining == 20


def test_what_is_spent_held_or_expired_is_not_taken(learner):
    code = make_code(100, text=TEXT)
    api.add_grant(code, 500, expires_at=timezone.now() - DAY)
    spend(learner, 20, TEXT)
    hold(learner, code, 30)

    with pytest.raises(NotEnoughCredits):
        api.adjust_credits(code, -51, reason="mistake")
    api.adjust_credits(code, -50, reason="mistake")

    assert code.balance() == 0


def test_a_hold_that_has_lapsed_can_be_taken(learner):
    code = make_code(30)
    hold(learner, code, 30, minutes=-1)

    api.adjust_credits(code, -30, reason="mistake")

    assert code.balance() == 0


def test_credits_are_added_by_a_grant_of_their_own():
    code = make_code(10)
    end = timezone.now() + DAY

    api.adjust_credits(
        code, 5, expires_at=end, reason="goodwill", idempotency_key="form 1"
    )
    api.adjust_credits(
        code, 5, expires_at=end, reason="goodwill", idempotency_key="form 1"
    )

    added = code.grants.get(origin="adjustment")
    assert (added.credits, added.expires_at) == (5, end)
    assert code.balance() == 15


def test_credits_are_taken_once_for_a_key():
    code = make_code(50)

    for _click in range(2):
        api.adjust_credits(code, -40, reason="mistake", idempotency_key="form 1")

    assert code.balance() == 10
    with pytest.raises(IdempotencyKeyReused):
        api.adjust_credits(code, -4, reason="mistake", idempotency_key="form 1")


@pytest.mark.parametrize(
    ("credits", "record"),
    [
        (0, {"reason": "mistake"}),
        (-5, {}),
        (5, {"reason": "whim"}),
        (-5, {"reason": "mistake", "note": "n" * 201}),
    ],
)
def test_an_adjustment_that_makes_no_sense_is_refused(credits, record):
    code = make_code(50)

    with pytest.raises(ValueError):  # noqa: PT011
        api.adjust_credits(code, credits, **record)

    assert code.balance() == 50


# Closed


def test_what_is_left_lapses_when_a_code_is_closed(learner, staff):
    code = make_code(100, text=TEXT)
    order = spend(learner, 20, TEXT)

    change = api.close_code(code, reason="ended", by=staff)

    assert (change.kind, change.credits) == ("closed", -80)
    assert code.balance() == 0
    assert LedgerEntry.objects.get(kind="lapse").credits == -80
    assert order.credit_redemptions.get().state == "captured"
    assert api.first_refusal(code, api.Purchase()).reason == api.Reason.DISABLED
    assert api.close_code(code) is None


def test_what_comes_back_to_a_closed_code_lapses_by_closing_it_again(learner):
    code = make_code(100, text=TEXT)
    order = spend(learner, 20, TEXT)
    api.close_code(code)

    api.refund_order(order, idempotency_key="call 1")

    assert code.balance() == 20
    assert api.close_code(code).credits == -20
    assert code.balance() == 0


def test_a_hold_stands_when_its_code_is_closed(learner):
    code = make_code(100)
    held = hold(learner, code, 30)

    api.close_code(code)

    held.refresh_from_db()
    assert held.state == "held"
    assert LedgerEntry.objects.get(kind="lapse").credits == -70


@pytest.mark.parametrize(
    "change",
    [
        lambda code: api.set_state(code, "active"),
        lambda code: api.set_state(code, "disabled"),
        lambda code: api.add_grant(code, 5),
        lambda code: api.adjust_credits(code, 5, reason="mistake"),
        lambda code: api.adjust_credits(code, -5, reason="mistake"),
        lambda code: api.extend_code(code, until=timezone.now() + DAY),
        lambda code: api.rotate_code(code),
    ],
    ids=["enable", "disable", "top up", "add", "take", "extend", "rotate"],
)
def test_a_closed_code_stays_closed(change):
    code = make_code(100)
    api.close_code(code)

    with pytest.raises(CodeClosed):
        change(code)

    code.refresh_from_db()
    assert (code.state, code.balance()) == ("closed", 0)


def test_no_code_is_closed_by_its_state_alone():
    with pytest.raises(ValueError, match="closed"):
        api.set_state(make_code(100), "closed")


@pytest.mark.parametrize(
    ("act", "undo"),
    [
        (
            lambda code, key: api.set_state(code, "disabled", idempotency_key=key),
            lambda code: api.set_state(code, "active"),
        ),
        (
            lambda code, key: api.close_code(code, idempotency_key=key),
            lambda code: give_back(code),
        ),
    ],
    ids=["disabled", "closed"],
)
def test_a_late_repeat_with_its_key_leaves_what_came_after(learner, act, undo):
    code, other = make_code(100, text=TEXT), make_code(100, text=OTHER_TEXT)
    spend(learner, 20, TEXT)
    act(code, "call 1")
    undo(code)
    before = CreditCode.objects.get(pk=code.pk).state, code.balance()

    act(code, "call 1")
    with pytest.raises(IdempotencyKeyReused):
        act(other, "call 1")

    code.refresh_from_db()
    assert (code.state, code.balance()) == before
    other.refresh_from_db()
    assert (other.state, other.balance()) == ("active", 100)
    assert CodeChange.objects.filter(idempotency_key="call 1").count() == 1


def give_back(code) -> None:
    """Give the one order that was paid with a code back."""
    order = code.redemptions.get().order
    api.refund_order(order, idempotency_key="refund 1")


# Disabled, and active again


def test_it_is_on_record_who_disables_a_code(staff):
    code = make_code(100)

    for state in ("disabled", "disabled", "active"):
        api.set_state(code, state, reason="leaked", by=staff)

    changes = code.changes.exclude(kind="issued").order_by("pk")
    assert [change.kind for change in changes] == ["disabled", "enabled"]
    assert {change.changed_by for change in changes} == {staff}


# A new text


def test_a_rotated_code_keeps_all_but_its_text(learner, staff):
    issued = make_issued(100, text=TEXT)
    code = issued.code
    order = spend(learner, 20, TEXT)
    held = hold(learner, code, 30)

    again = api.rotate_code(code, text=OTHER_TEXT, reason="leaked", by=staff)

    assert api.find_code(TEXT) is None
    assert api.find_code(OTHER_TEXT) == again.code == code
    assert again.code.balance() == 50
    assert order.credit_redemptions.get().code == code
    held.refresh_from_db()
    assert held.state == "held"
    assert not AppliedCode.objects.filter(code=code).exists()
    change = code.changes.get(kind="rotated")
    assert (change.reason, change.changed_by) == ("leaked", staff)
    assert change.details == [["last_four", "2026", "2027"]]


def test_a_code_is_rotated_once_for_a_key():
    code = make_code(100, text=TEXT)

    first = api.rotate_code(code, text=OTHER_TEXT, idempotency_key="form 1")
    second = api.rotate_code(code, text=OTHER_TEXT, idempotency_key="form 1")

    assert first.text == second.text == OTHER_TEXT
    assert code.changes.filter(kind="rotated").count() == 1
    with pytest.raises(IdempotencyKeyReused):
        api.rotate_code(code, text="ANOTHER-TEXT", idempotency_key="form 1")


def test_a_code_gets_no_text_of_another():
    code = make_code(100, text=TEXT)
    make_code(100, text=OTHER_TEXT)

    with pytest.raises(CodeTaken):
        api.rotate_code(code, text=OTHER_TEXT.lower())

    assert api.find_code(TEXT) == code


# A longer life


def test_a_code_is_extended_with_its_credits_and_its_access(learner, staff):
    end, until = timezone.now() + DAY, timezone.now() + 400 * DAY
    code = make_code(100, text=TEXT, expires_at=end, ends_access=True)
    api.add_grant(code, 20, expires_at=timezone.now() - DAY)
    order = spend(learner, 30, TEXT, access_days=90)
    endless = spend(make_learner(), 10, TEXT)

    change = api.extend_code(
        code, until=until, with_credits=True, with_access=True, by=staff
    )

    code.refresh_from_db()
    assert code.expires_at == until
    assert code.balance() == 80
    limited = Access.objects.get(order_line__order=order)
    assert limited.ends_at == limited.starts_at + 90 * DAY
    assert Access.objects.get(order_line__order=endless).ends_at == until
    assert (change.kind, change.changed_by) == ("extended", staff)
    assert ["access", "", "2"] in change.details


def test_credits_and_access_stay_as_they_are_unless_chosen(learner):
    end = timezone.now() + DAY
    code = make_code(100, text=TEXT, expires_at=end, ends_access=True)
    grant = api.add_grant(code, 20, expires_at=end)
    order = spend(learner, 30, TEXT)

    api.extend_code(code, until=end + DAY)

    grant.refresh_from_db()
    assert grant.expires_at == end
    assert Access.objects.get(order_line__order=order).ends_at == end
    assert api.extend_code(code, until=end + DAY) is None


def test_a_code_is_not_extended_to_an_earlier_end():
    end = timezone.now() + DAY
    code = make_code(100, expires_at=end)

    with pytest.raises(ValueError, match="earlier"):
        api.extend_code(code, until=end - DAY / 2)


def test_places_that_nobody_has_claimed_live_longer_with_their_code(settings, learner):
    settings.TRAINING_CREDITS_MOST_PLACES = 5
    end = timezone.now() + DAY
    code = make_code(100, text=TEXT, expires_at=end, ends_access=True)
    course = make_training("Team", credits=10, credit_only=True)
    order = place_order(learner, (course.product, 3), texts=[TEXT])

    api.extend_code(code, until=end + DAY, with_access=True)

    places = order.lines.get().training_places.all()
    assert {place.ends_at for place in places} == {end + DAY}


def test_an_edit_is_kept_field_by_field(staff):
    from oscar_training_credits.credits.codes import history

    code = make_code(100, label="ACME")
    before = history.terms_in_text(code)
    code.label = "ACME, spring"
    code.save(update_fields=["label"])

    change = history.keep_edit(code, before, {"by": staff})

    assert change.details == [["label", "ACME", "ACME, spring"]]
    assert history.keep_edit(code, history.terms_in_text(code), {}) is None
    assert CodeChange.objects.filter(kind="edited").count() == 1
