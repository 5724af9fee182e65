"""Child codes: credits moved to a code of their own, spent there, and back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.codes import rules
from oscar_training_credits.credits.codes.issuing import edit_code
from oscar_training_credits.credits.codes.rules import Purchase, first_refusal
from oscar_training_credits.credits.ledger.stranding import Stranding, stranding_of
from oscar_training_credits.credits.models import (
    CodeChange,
    CreditCode,
    CreditGrant,
    LedgerEntry,
)
from oscar_training_credits.exceptions import (
    CodeTaken,
    IdempotencyKeyReused,
    NotCut,
    NotEnoughCredits,
    WiderThanParent,
)
from oscar_training_credits.test.factories import (
    make_code,
    make_issued,
    make_learner,
    make_training,
)

from ...support.books import assert_balanced
from ...support.orders import hold, place_order

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

DAY = timedelta(days=1)
TEXT, CHILD = "ACME-TEAM-2026", "ACME-SALES-2026"
Range = get_model("offer", "Range")


@pytest.fixture(autouse=True)
def in_order():
    yield
    assert_balanced()
    assert list(api.audit()) == []


@pytest.fixture
def staff():
    return make_learner(is_staff=True)


@pytest.fixture
def parent():
    """60 credits sold for 100.00 that end in 20 days, and 40 given for ever."""
    code = make_code(
        60,
        text=TEXT,
        holder="ACME Ltd",
        grant_expires_at=timezone.now() + 20 * DAY,
        paid=api.Paid(Decimal("100.00"), "GBP"),
    )
    api.add_grant(code, 40, origin="goodwill")
    return code


def cut(parent: CreditCode, credits: int = 70, **terms) -> CreditCode:
    return api.cut_code(parent, credits, **{"label": "Sales", **terms}).code


def spend(text: str = CHILD, credits: int = 20):
    course = make_training(f"For {credits}", credits=credits)
    return place_order(make_learner(), (course.product, 1), text=text)


def parts(code: CreditCode) -> list[tuple[int, str]]:
    grants = code.grants.order_by("pk")
    return [(grant.remaining, grant.origin) for grant in grants]


def end(code: CreditCode) -> None:
    """Let the time come at which a code ends, and not its credits."""
    CreditCode.objects.filter(pk=code.pk).update(expires_at=timezone.now())


# Cut


def test_credits_move_to_a_child_soonest_to_expire_first(parent, staff):
    record = {"by": staff, "note": "For sales"}
    issued = api.cut_code(parent, 70, label="Sales", record=record)

    child = issued.code
    assert api.find_code(issued.text) == child
    assert (child.parent, child.label, child.holder) == (parent, "Sales", "ACME Ltd")
    assert (parent.balance(), child.balance()) == (30, 70)
    assert parts(parent) == [(0, "sale"), (30, "goodwill")]
    assert parts(child) == [(60, "sale"), (10, "goodwill")]
    for mine, its in zip(
        child.grants.order_by("pk"), parent.grants.order_by("pk"), strict=True
    ):
        assert (mine.source, mine.expires_at) == (its, its.expires_at)
        assert mine.paid_amount is None
    entries = LedgerEntry.objects.filter(kind="move").order_by("pk")
    moved = [(entry.grant.code.label, entry.credits) for entry in entries]
    assert moved == [("ACME", -60), ("Sales", 60), ("ACME", -10), ("Sales", 10)]
    assert len({entry.created_at for entry in entries}) == 1
    changes = CodeChange.objects.filter(changed_by=staff, note="For sales")
    assert {(change.code, change.kind, change.credits) for change in changes} == {
        (parent, "cut", -70),
        (child, "issued", 70),
    }


def test_a_child_is_cut_once_for_each_key(parent):
    terms = {"label": "Sales", "record": {"idempotency_key": "click"}}
    first = api.cut_code(parent, 70, text=CHILD, **terms)
    again = api.cut_code(parent, 70, text=CHILD, **terms)

    assert (again.code, again.text) == (first.code, CHILD)
    assert parent.balance() == 30
    with pytest.raises(IdempotencyKeyReused):
        api.cut_code(parent, 69, text=CHILD, **terms)
    with pytest.raises(IdempotencyKeyReused):
        api.cut_code(make_code(100), 70, text=CHILD, **terms)


@pytest.mark.parametrize(
    ("credits", "error"), [(101, NotEnoughCredits), (0, ValueError), (-1, ValueError)]
)
def test_no_more_is_cut_than_there_is(parent, credits, error):
    with pytest.raises(error):
        cut(parent, credits)

    assert parent.balance() == 100
    assert not CreditCode.objects.filter(parent=parent).exists()


def test_what_is_held_or_has_expired_is_not_cut(parent):
    hold(make_learner(), parent, 20)
    parent.grants.filter(origin="goodwill").update(expires_at=timezone.now())

    with pytest.raises(NotEnoughCredits):
        cut(parent, 41)
    assert cut(parent, 40).balance() == 40


def test_a_text_that_is_taken_moves_nothing(parent):
    make_issued(5, text=CHILD)

    with pytest.raises(CodeTaken):
        cut(parent, text=CHILD)

    assert parent.balance() == 100


@pytest.mark.parametrize("kind", ["disabled", "closed", "one order", "child", "over"])
def test_what_can_have_no_children(kind):
    code = make_code(50, one_order_only=kind == "one order")
    if kind == "disabled":
        api.set_state(code, "disabled")
    elif kind == "closed":
        api.close_code(code)
    elif kind == "child":
        code = cut(code, 20)
    elif kind == "over":
        end(code)

    with pytest.raises(NotEnoughCredits if kind == "over" else NotCut):
        cut(code, 10)


def test_a_child_of_a_test_code_is_one(parent):
    assert cut(make_code(50, is_test=True), 10).is_test
    assert not cut(parent).is_test


# Not wider than the parent


@pytest.fixture
def narrow():
    now = timezone.now()
    return make_code(
        100,
        text=TEXT,
        starts_at=now - DAY,
        expires_at=now + 30 * DAY,
        content=Range.objects.create(name="Safety"),
        learners=[make_learner(email="ann@beta.example")],
        groups=[Group.objects.create(name="Team")],
        email_domains=["acme.example"],
        credits_per_learner=30,
        redemptions_per_learner=2,
        ends_access=True,
    )


def test_a_child_inherits_what_it_does_not_say(narrow):
    child = cut(narrow, 10)

    for name in (
        *("starts_at", "expires_at", "content", "email_domains", "named_only"),
        *("credits_per_learner", "redemptions_per_learner", "ends_access"),
    ):
        assert getattr(child, name) == getattr(narrow, name), name
    assert set(child.learners.all()) == set(narrow.learners.all())
    assert set(child.groups.all()) == set(narrow.groups.all())


def wider(narrow) -> dict[str, dict]:
    now = timezone.now()
    return {
        "starts_at": {"starts_at": None},
        "expires_at": {"expires_at": now + 31 * DAY},
        "content": {"content": None},
        "learners": {"learners": [make_learner(email="eve@evil.example")]},
        "groups": {"groups": [Group.objects.create(name="Others")]},
        "email_domains": {"email_domains": ["evil.example"]},
        "include_subdomains": {
            "email_domains": ["acme.example"],
            "include_subdomains": True,
        },
        "credits_per_learner": {"credits_per_learner": 31},
        "redemptions_per_learner": {"redemptions_per_learner": None},
        "ends_access": {"ends_access": False},
    }


FIELDS = [
    *("starts_at", "expires_at", "content", "learners", "groups", "email_domains"),
    *("include_subdomains", "credits_per_learner", "redemptions_per_learner"),
    "ends_access",
]


@pytest.mark.parametrize("field", FIELDS)
def test_a_child_is_not_wider_than_its_parent(narrow, field):
    with pytest.raises(WiderThanParent) as refused:
        cut(narrow, 10, **wider(narrow)[field])

    assert refused.value.field == field
    assert narrow.balance() == 100


@pytest.mark.parametrize("field", FIELDS)
def test_nor_does_it_become_wider(narrow, field):
    child = cut(narrow, 10)
    values = wider(narrow)[field]
    if "email_domains" in values:
        values["email_domains"] = "\n".join(values["email_domains"])

    with pytest.raises(WiderThanParent):
        edit_code(child, values)

    child.refresh_from_db()
    assert not CodeChange.objects.filter(code=child, kind="edited").exists()


def test_a_child_can_be_narrower(narrow):
    learner = make_learner(email="lee@acme.example")

    child = cut(narrow, 10, learners=[learner], credits_per_learner=5)

    assert list(child.learners.all()) == [learner]
    assert child.email_domains == ""
    assert first_refusal(child, Purchase(make_learner(email="x@acme.example")))
    edit_code(child, {"label": "Narrow"})
    assert child.credits_per_learner == 5


def test_a_parent_that_becomes_narrower_stops_no_other_change(narrow):
    child = cut(narrow, 10)
    edit_code(narrow, {"credits_per_learner": 1})

    edit_code(child, {"label": "Renamed"})
    child.refresh_from_db()

    assert child.label == "Renamed"


def test_a_child_of_what_never_ends_may_end_or_not(parent):
    now = timezone.now()

    assert cut(parent, 10, expires_at=now + 10 * DAY).expires_at == now + 10 * DAY
    with pytest.raises(WiderThanParent):
        cut(parent, 10, expires_at=now + 21 * DAY)
    assert cut(parent, 60, expires_at=now + 99 * DAY).balance() == 60


def test_moved_credits_do_not_outlive_their_parent():
    ends = timezone.now() + 5 * DAY
    child = cut(make_code(50, expires_at=ends), 10)

    assert (child.expires_at, child.grants.get().expires_at) == (ends, ends)
    with pytest.raises(WiderThanParent):
        api.extend_code(child, until=ends + DAY, with_credits=True)
    (found,) = api.plan_extension([child], until=ends + DAY, with_credits=True)
    assert found.obstacle is api.ExtensionObstacle.OUTLIVES_PARENT
    api.extend_code(child.parent, until=ends + 9 * DAY)
    api.extend_code(child, until=ends + DAY, with_credits=True)
    assert child.grants.get().expires_at == ends + DAY


# Taken back


def test_what_is_unused_is_taken_back_to_where_it_came_from(parent, staff):
    child = cut(parent, 70, text=CHILD)
    spend(credits=20)
    hold(make_learner(), child, 10)

    change = api.take_back(child, by=staff, reason="contract")

    assert change.credits == -40
    assert (child.balance(), parent.balance()) == (0, 70)
    assert parts(parent) == [(30, "sale"), (40, "goodwill")]
    changes = CodeChange.objects.filter(kind="taken_back", changed_by=staff)
    assert {(each.code, each.credits) for each in changes} == {
        (child, -40),
        (parent, 40),
    }
    assert api.take_back(child) is None


def test_so_much_is_taken_back_and_once(parent):
    child = cut(parent, 70)

    for _click in range(2):
        api.take_back(child, 15, idempotency_key="click")

    # What cutting 55 would have left.
    assert parts(child) == [(55, "sale"), (0, "goodwill")]
    assert parts(parent) == [(5, "sale"), (40, "goodwill")]
    with pytest.raises(IdempotencyKeyReused):
        api.take_back(child, 14, idempotency_key="click")
    with pytest.raises(NotEnoughCredits):
        api.take_back(child, 56)
    assert api.take_back(child, idempotency_key="rest").credits == -55


@pytest.mark.parametrize("credits", [0, -1])
def test_less_than_one_is_not_taken_back(parent, credits):
    with pytest.raises(ValueError, match="One credit"):
        api.take_back(cut(parent), credits)
    with pytest.raises(NotCut):
        api.take_back(parent)


def test_credits_of_its_own_stay_on_a_child(parent):
    child = cut(parent, 10)
    api.add_grant(child, 5)

    api.take_back(child)

    assert (child.balance(), parent.balance()) == (5, 100)


def test_nothing_goes_back_to_a_closed_parent_or_after_its_end(parent):
    child = cut(parent, 70)
    parent.grants.filter(origin="sale").update(expires_at=timezone.now())
    assert api.take_back(child).credits == -10
    api.close_code(parent)

    assert api.take_back(child) is None
    assert child.balance() == 60


# Closed and ended


def test_a_closed_child_gives_back_what_is_unused(parent, staff):
    child = cut(parent, 70, text=CHILD)
    spend(credits=20)

    api.close_code(child, by=staff)

    assert (child.balance(), parent.balance()) == (0, 80)
    assert not LedgerEntry.objects.filter(kind="lapse").exists()


def test_what_can_not_go_back_lapses_with_the_child(parent):
    child = cut(parent, 70)
    api.add_grant(child, 5)
    parent.grants.filter(origin="sale").update(expires_at=timezone.now())

    api.close_code(child)

    assert parent.balance() == 40
    lapsed = LedgerEntry.objects.filter(kind="lapse", grant__code=child)
    assert sum(entry.credits for entry in lapsed) == -65


@pytest.mark.parametrize("take_back", [True, False])
def test_closing_a_parent_takes_back_what_its_children_have_or_not(parent, take_back):
    one, other = cut(parent, 30, text=CHILD), cut(parent, 20)
    spend(credits=10)

    api.close_code(parent, take_back=take_back)

    assert parent.balance() == 0
    assert one.balance() == (0 if take_back else 20)
    assert other.balance() == (0 if take_back else 20)
    one.refresh_from_db()
    assert one.state == "active"
    # They live on without it.
    api.close_code(one)
    assert one.balance() == parent.balance() == 0


def test_a_disabled_parent_stops_no_child(parent):
    cut(parent, 70, text=CHILD)
    api.set_state(parent, "disabled")

    spend(credits=20)


def test_a_cap_is_counted_for_each_code_by_itself():
    code = make_code(100, text=TEXT, credits_per_learner=30)
    child = api.cut_code(code, 50, label="Sales", text=CHILD).code
    learner = make_learner()

    place_order(learner, (make_training(credits=20).product, 1), text=TEXT)

    assert child.credits_per_learner == 30
    assert rules.credits_left(code, Purchase(learner)) == 10
    assert rules.credits_left(child, Purchase(learner)) == 30


def test_what_an_ended_child_has_unused_goes_back(parent, capsys):
    child = cut(parent, 70, text=CHILD)
    spend(credits=20)
    end(child)

    call_command("check_ledger", "--release-holds")

    assert "1 child code" in capsys.readouterr().out
    assert (child.balance(), parent.balance()) == (0, 80)
    assert api.return_ended() == 0


def test_what_an_ended_child_of_a_closed_parent_has_lapses(parent):
    child = cut(parent, 70)
    api.close_code(parent)
    end(child)

    assert api.return_ended() == 1

    assert child.balance() == 0
    assert LedgerEntry.objects.filter(kind="lapse", grant__code=child).count() == 2


def test_a_parent_that_is_short_gets_back_what_ended_children_have():
    parent = make_code(20, text=TEXT)
    child = cut(parent, 20)
    end(child)

    spend(TEXT, credits=20)

    assert (parent.balance(), child.balance()) == (0, 0)


def test_a_hold_of_an_ended_child_comes_back_when_it_lapses(parent):
    child = cut(parent, 70)
    held = hold(make_learner(), child, 20)
    end(child)
    api.return_ended()
    assert parent.balance() == 80

    api.release_expired(held.expires_at)
    api.return_ended()

    assert parent.balance() == 100


# Refunds


def refund(order) -> None:
    api.refund_order(order, idempotency_key=f"refund {order.pk}")


def test_a_refund_goes_to_the_childs_own_grant(parent):
    child = cut(parent, 70, text=CHILD)
    order = spend(credits=65)

    refund(order)

    assert (child.balance(), parent.balance()) == (70, 30)


@pytest.mark.parametrize("how", ["closed", "ended"])
def test_a_refund_of_a_child_at_its_end_goes_on_to_the_parent(parent, how):
    child = cut(parent, 70, text=CHILD)
    order = spend(credits=65)
    if how == "closed":
        api.close_code(child)
        child.refresh_from_db()
        assert stranding_of(child, back=65) is None
    else:
        end(child)

    refund(order)
    refund(order)

    assert (child.balance(), parent.balance()) == (0, 100)
    assert parts(parent) == [(60, "sale"), (40, "goodwill")]
    assert LedgerEntry.objects.filter(kind="refund").count() == 2


def test_a_refund_stays_on_a_closed_child_of_a_closed_parent(parent):
    child = cut(parent, 70, text=CHILD)
    order = spend(credits=65)
    for code in (child, parent):
        api.close_code(code)

    child.refresh_from_db()
    assert stranding_of(child, back=65) is Stranding.CLOSED
    refund(order)

    assert sum(credits for credits, _origin in parts(child)) == 65


def test_expired_credits_of_a_child_come_back_to_it_with_days_of_grace(
    parent, settings
):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = 30
    child = cut(parent, 60, text=CHILD)
    order = spend(credits=30)
    CreditGrant.objects.filter(origin="sale").update(expires_at=timezone.now())

    refund(order)

    renewed = child.grants.get(source=None)
    assert (renewed.remaining, renewed.paid_amount) == (30, Decimal("50.00"))


# Reports


def rolled(**period) -> dict[str, api.RollForward]:
    rows = api.roll_forward_by(api.Grouping.CODE, **period)
    return {CreditCode.objects.get(pk=row.key).label: row for row in rows}


def test_movements_are_told_by_code_and_are_nothing_in_all(parent):
    before = timezone.now() - DAY
    child = cut(parent, 70, text=CHILD)
    spend(credits=20)
    api.take_back(child, 10)

    period = {"start": before, "end": timezone.now()}
    rows, whole = rolled(**period), api.roll_forward(**period)

    assert (rows["ACME"].moved, rows["Sales"].moved) == (-60, 60)
    assert (rows["ACME"].granted, rows["Sales"].granted) == (100, 0)
    assert (rows["ACME"].redeemed, rows["Sales"].redeemed) == (0, 20)
    assert (rows["ACME"].closing, rows["Sales"].closing) == (40, 40)
    assert (whole.granted, whole.redeemed, whole.moved) == (100, 20, 0)
    assert whole.closing == 80
    by_origin = {
        row.key: row.moved for row in api.roll_forward_by(api.Grouping.ORIGIN, **period)
    }
    assert by_origin == {"paid": 0, "goodwill": 0}


def test_the_money_of_moved_credits_agrees_to_the_cent(parent):
    """60 credits for 100.00: a credit is worth 1.666…"""
    start = timezone.now() - DAY
    child = cut(parent, 7, text=CHILD)
    spend(credits=5)

    money = list(
        api.roll_forward_money(
            start=start, end=timezone.now(), grouping=api.Grouping.CODE
        )
    )
    (whole,) = api.roll_forward_money(start=start, end=timezone.now())

    closings = {row.key: row.closing for row in money}
    assert closings == {parent.pk: Decimal("88.33"), child.pk: Decimal("3.34")}
    assert (whole.granted, whole.moved) == (Decimal("100.00"), 0)
    assert (whole.redeemed, whole.closing) == (Decimal("8.33"), Decimal("91.67"))


def test_what_an_ended_child_has_is_outstanding_until_it_is_back(parent):
    start = timezone.now() - DAY
    child = cut(parent, 70)
    end(child)
    between = timezone.now()
    assert rolled(start=start, end=between)["Sales"].closing == 70

    api.return_ended()

    after = rolled(start=between, end=timezone.now())
    assert (after["Sales"].expired, after["Sales"].moved) == (0, -70)
    assert (after["ACME"].moved, after["ACME"].closing) == (70, 100)


def test_what_expires_on_a_child_is_breakage_once(parent):
    start = timezone.now() - DAY
    cut(parent, 50)
    CreditGrant.objects.filter(origin="sale").update(expires_at=timezone.now())

    whole = api.roll_forward(start=start, end=timezone.now() + DAY)
    assert (whole.expired, whole.closing) == (60, 40)
    (money,) = api.roll_forward_money(start=start, end=timezone.now() + DAY)
    assert (money.expired, money.closing) == (Decimal("100.00"), 0)


def test_what_goes_back_when_a_child_ends_is_not_reckoned_as_unused(parent):
    child = cut(parent, 50, expires_at=timezone.now() + 5 * DAY)

    assert api.forecasts([child])[child.pk].unused == 0
    assert api.forecasts([child.parent])[parent.pk].unused == 10


# The audit


def test_the_audit_finds_movements_that_do_not_add_up(parent):
    child = cut(parent, 10)
    grant = child.grants.get()
    other = make_code(50).grants.get()
    CreditGrant.objects.filter(pk=grant.pk).update(source=other)

    found = {finding.rule for finding in api.audit()}

    assert found == {"movements_add_up", "parts_are_of_the_parent"}
    CreditGrant.objects.filter(pk=grant.pk).update(source=grant.source)
