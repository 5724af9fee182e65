"""Staff cut child codes, look at them, and take credits back, in the dashboard."""

from __future__ import annotations

import csv
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.models import CodeChange, CreditCode
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ...support.orders import place_order
from ...support.shop import text_of, words
from .test_codes import (
    ALL,
    EXPORT,
    FIND,
    LIST,
    address,
    client_of,
    errors,
    fill,
    labels,
    shown_text,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

DAY = timedelta(days=1)
TEXT, CHILD = "ACME-TEAM-2026", "ACME-SALES-2026"
Range = get_model("offer", "Range")


@pytest.fixture
def staff():
    return client_of(*ALL)


@pytest.fixture
def parent():
    return make_code(
        100,
        text=TEXT,
        label="ACME",
        reference="C-17",
        holder="ACME Ltd",
        expires_at=timezone.now() + 30 * DAY,
        credits_per_learner=40,
        paid=api.Paid(Decimal("333.00"), "GBP"),
    )


@pytest.fixture
def child(parent):
    return api.cut_code(parent, 30, label="Sales", text=CHILD).code


def cut(staff, parent, **asked):
    fields = {"label": "Sales", "credits": "30", "text": CHILD, **asked}
    return fill(staff, address("cut", parent), **fields)


def test_a_child_code_is_cut_and_its_text_is_shown_once(staff, parent):
    last_day = (timezone.localdate() + 10 * DAY).isoformat()

    response = cut(staff, parent, last_day=last_day, managers="kim@acme.example")

    child = CreditCode.objects.get(parent=parent)
    assert response.url == address("text", child)
    assert shown_text(staff.get(response.url)) == CHILD
    assert "not shown a second time" in text_of(staff.get(response.url))
    assert (child.label, child.reference, child.holder) == (
        *("Sales", "C-17", "ACME Ltd"),
    )
    assert (child.balance(), parent.balance()) == (30, 70)
    assert child.credits_per_learner == 40
    assert child.expires_at < timezone.now() + 11 * DAY
    assert child.managers.get().email == "kim@acme.example"


def test_the_form_begins_with_the_customer_of_the_parent(staff, parent):
    page = text_of(staff.get(address("cut", parent)))

    assert 'value="C-17"' in page
    assert 'value="ACME Ltd"' in page
    assert "100 credits can be moved from it." in words(page)


def test_a_second_click_cuts_no_second_child(staff, parent):
    from .test_codes import hidden

    form = hidden(staff.get(address("cut", parent)))
    fields = {**form, "label": "Sales", "credits": "30"}

    first = staff.post(address("cut", parent), fields)
    again = staff.post(address("cut", parent), fields)

    assert first.url == again.url
    assert shown_text(staff.get(again.url)) == form["generated"]
    assert parent.balance() == 70
    other = staff.post(address("cut", parent), {**fields, "credits": "31"})
    assert "was used before" in text_of(other)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"credits": "101"}, "credits"),
        ({"credits": "0"}, "credits"),
        ({"credits": ""}, "credits"),
        ({"label": ""}, "label"),
        ({"text": TEXT}, "text"),
        ({"last_day": "2099-12-31"}, "last_day"),
        ({"last_day": "2001-01-01"}, "last_day"),
        ({"credits_per_learner": "41"}, "credits_per_learner"),
        ({"ends_access": "on"}, "last_day"),
    ],
    ids=str,
)
def test_what_can_not_be_cut_is_said_at_its_field(staff, parent, asked, field):
    response = cut(staff, parent, **asked)

    assert list(errors(response)) == [field]
    assert (parent.balance(), CreditCode.objects.count()) == (100, 1)


def test_whom_a_parent_is_not_for_no_child_is_for(staff, parent):
    outsider, insider = make_learner(), make_learner(email="lee@acme.example")
    parent.email_domains = "acme.example"
    parent.save()

    response = cut(staff, parent, learners=outsider.email)
    assert "Its parent does not allow that" in text_of(response)
    assert "learners" in errors(response)
    cut(staff, parent, learners=insider.email)

    child = CreditCode.objects.get(parent=parent)
    assert list(child.learners.all()) == [insider]


def test_a_parent_for_a_range_leaves_no_choice(staff, parent):
    parent.content = Range.objects.create(name="Safety")
    parent.save()

    assert "content" not in staff.get(address("cut", parent)).context["form"].fields
    cut(staff, parent)

    assert CreditCode.objects.get(parent=parent).content == parent.content


@pytest.mark.parametrize("what", ["child", "disabled", "one order"])
def test_what_can_not_be_a_parent_offers_nothing(staff, parent, child, what):
    if what == "child":
        parent = child
    elif what == "disabled":
        api.set_state(parent, "disabled")
    else:
        CreditCode.objects.filter(pk=parent.pk).update(one_order_only=True)

    assert address("cut", parent) not in text_of(staff.get(address("detail", parent)))
    response = staff.get(address("cut", parent))
    assert response.url == address("detail", parent)
    before = CreditCode.objects.count()
    staff.post(address("cut", parent), {"label": "x", "credits": 1})
    assert CreditCode.objects.count() == before


def test_parent_and_child_lead_to_each_other(staff, parent, child):
    page = text_of(staff.get(address("detail", parent)))
    own = text_of(staff.get(address("detail", child)))

    assert f'href="{address("detail", child)}">Sales</a>' in page
    assert "1 child code in the list" in words(page)
    assert f'href="{address("detail", parent)}">ACME (code ending' in own
    assert "£99.90" in own
    assert "Moved to a child code (-30) child code: - → Sales" in words(page)
    assert "Issued (+30) parent: - → ACME" in words(own)


@pytest.mark.parametrize("typed", [TEXT, "acme", "2026", "#"])
def test_the_children_of_a_code_are_found(staff, parent, child, typed):
    make_code(5, label="Other")
    asked = f"#{parent.pk}" if typed == "#" else typed

    response = staff.post(FIND, {"child_of": asked})

    assert TEXT not in response.url
    assert labels(staff.get(response.url)) == ["Sales"]
    assert "Child</span>" in text_of(staff.get(response.url))


@pytest.mark.parametrize("typed", ["nobody", "#0", "#x", "#" + "9" * 30, TEXT])
def test_other_addresses_find_no_children(staff, parent, child, typed):
    assert labels(staff.get(LIST, {"child_of": typed})) == []


def test_a_generated_text_of_a_parent_is_in_no_address(staff):
    response = staff.post(FIND, {"child_of": "AAAA-BBBB-CCCC-DDDD-EEEE"})

    assert response.url == f"{LIST}?"


def test_a_file_names_the_parent(staff, parent, child):
    response = staff.get(EXPORT)

    written = b"".join(response.streaming_content).decode("utf-8-sig")
    head, first, last = csv.reader(written.splitlines())
    assert head[-1] == "Child of"
    assert (first[-1], last[-1]) == (str(parent), "")


# Taken back


def test_unused_credits_are_taken_back_once(staff, parent, child):
    course = make_training("Course", credits=20)
    place_order(make_learner(), (course.product, 1), text=CHILD)
    page = staff.get(address("take-back", child))
    assert "10 credits can go back to ACME" in words(text_of(page))

    response = fill(staff, address("take-back", child), reason="contract")

    assert response.url == address("detail", child)
    assert (child.balance(), parent.balance()) == (0, 80)
    change = CodeChange.objects.get(code=child, kind="taken_back")
    assert (change.changed_by, change.reason) == (staff.user, "contract")
    nothing = fill(staff, address("take-back", child), reason="contract")
    assert "There is nothing to do" in text_of(staff.get(nothing.url))


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"credits": "31"}, "credits"), ({"credits": "0"}, "credits"), ({}, "reason")],
    ids=str,
)
def test_what_can_not_be_taken_back_is_said(staff, child, asked, field):
    fields = {"reason": "contract"} if asked else {}

    response = fill(staff, address("take-back", child), **fields, **asked)

    assert list(errors(response)) == [field]
    assert child.balance() == 30


def test_closing_a_child_says_what_goes_back(staff, parent, child):
    api.add_grant(child, 5)
    page = words(text_of(staff.get(address("close", child))))
    assert "30 credits that are unused go back to ACME" in page
    assert "5 credits that are left lapse." in page

    fill(staff, address("close", child), reason="ended")

    assert (child.balance(), parent.balance()) == (0, 100)


@pytest.mark.parametrize("take_back", [True, False])
def test_closing_a_parent_asks_for_its_children(staff, parent, child, take_back):
    asked = {"take_back": "on"} if take_back else {}

    fill(staff, address("close", parent), reason="ended", **asked)

    assert child.balance() == (0 if take_back else 30)
    fields = staff.get(address("close", child)).context["form"].fields
    assert "take_back" not in fields


def test_a_child_is_not_made_wider_by_an_edit_or_extended_too_far(staff, parent, child):
    edit = {"label": "Sales", "credits_per_learner": "41"}
    assert "credits_per_learner" in errors(fill(staff, address("edit", child), **edit))

    late = {"last_day": "2099-12-31", "reason": "contract"}
    assert "last_day" in errors(fill(staff, address("extend", child), **late))

    child.refresh_from_db()
    assert child.credits_per_learner == 40


def test_movements_are_in_the_report(staff, parent, child):
    page = staff.get(reverse("training_credits:code-outstanding"), {"by": "code"})

    assert "Moved between codes" in text_of(page)
    rows = {row.name.split(" (")[0]: row.numbers for row in page.context["rows"]}
    moved = {name: numbers[5] for name, numbers in rows.items()}
    assert moved == {"ACME": -30, "Sales": 30}
