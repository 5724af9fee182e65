"""Damage of each kind, done behind the models' back, is found and named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Model
from django.utils import timezone
from django.utils.formats import date_format
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.access import places
from oscar_training_credits.credits.codes.applying import apply_code
from oscar_training_credits.credits.codes.issuing import add_grant
from oscar_training_credits.credits.ledger import auditing, redemption
from oscar_training_credits.credits.ledger.refunding import refund_lines
from oscar_training_credits.credits.ledger.triggers import TRIGGERS
from oscar_training_credits.credits.models import (
    Access,
    CodeChange,
    CreditCode,
    CreditGrant,
    CreditRequest,
    LedgerEntry,
    Place,
    Redemption,
    RedemptionLine,
    Refund,
    RefundLine,
    SettledLine,
)
from oscar_training_credits.shop.basket.quotes import items_of
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.shop.order import audit_rules as shop_auditing
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_issued,
    make_learner,
    make_product,
    make_training,
)

from ...support.orders import place_order

Order = get_model("order", "Order")
OrderLine = get_model("order", "Line")
Source = get_model("payment", "Source")

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

HOUR = timedelta(hours=1)
ELSEWHERE = {
    "access_ends_with_its_refunded_place",
    "credits_that_are_paid_are_on_codes",
    "grants_have_what_was_sold",
    "nothing_waits_for_orders_given_back",
    "what_is_paid_has_opened",
    "what_waits_has_not_opened",
}
"""Rules whose damage is done where it comes from (isolation, paid first, packs)."""
CHECKED = (
    CreditGrant,
    LedgerEntry,
    Redemption,
    RedemptionLine,
    Refund,
    RefundLine,
    SettledLine,
)


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def course():
    return make_training(credits=20, price=None, credit_only=True)


@pytest.fixture
def issued():
    """A code with two grants, of 30 and 100."""
    issued = make_issued(30)
    add_grant(issued.code, 100)
    return issued


@pytest.fixture
def site(learner, course, issued):
    make_site(learner, course, issued)


@pytest.fixture
def small_site(learner):
    """The same, with courses of a single credit."""
    issued = make_issued(1)
    add_grant(issued.code, 4)
    make_site(learner, make_training(credits=1, price=None, credit_only=True), issued)


def make_site(learner, course, issued) -> None:
    """Make two orders, one of them refunded; a hold released, and one kept.

    A code with a child, and one from which staff took credits and which they closed.
    """
    place_order(learner, (course.product, 1), text=issued.text)
    place_order(learner, (course.product, 2), text=issued.text)
    refund(SettledLine.objects.earliest("pk"))
    redemption.release(hold(learner, course, issued))
    hold(learner, course, issued)
    child = api.cut_code(make_code(4), 2, label="Child").code
    api.take_back(child, 1)
    closed = make_code(4)
    api.adjust_credits(closed, -1, reason="mistake")
    api.close_code(closed)


def hold(learner, course, issued, *, lapses_in=HOUR) -> list[Redemption]:
    basket = make_basket(learner, (course.product, 1))
    items = items_of(basket)
    apply_code(issued.text, basket=basket, items=items, learner=learner, requester=None)
    return redemption.hold(
        redemption.lock_and_quote(items, basket=basket, learner=learner),
        basket=basket,
        order_number=f"held-{basket.pk}",
        learner=learner,
        until=timezone.now() + lapses_in,
    )


def refund(settled: SettledLine) -> None:
    """Give back one unit of a line that one grant has paid."""
    refund_lines([(settled.order_line, 1)], idempotency_key="sorry")


def found() -> set[tuple[str, str, int | None]]:
    return {(each.rule, each.model, each.pk) for each in api.audit()}


@contextmanager
def unguarded() -> Iterator[Any]:
    """Let SQL write what triggers and constraints forbid."""
    with connection.cursor() as cursor:
        match connection.vendor:
            case "postgresql":
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                table = LedgerEntry._meta.db_table
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                tables = [model._meta.db_table for model in CHECKED]
                cursor.execute(
                    "SELECT conrelid::regclass, conname FROM pg_constraint WHERE"
                    " contype = 'c' AND conrelid::regclass::text = ANY(%s)",
                    [tables],
                )
                for table, name in cursor.fetchall():
                    cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            case "sqlite":
                cursor.execute("PRAGMA ignore_check_constraints = ON")
                for name in TRIGGERS["sqlite"]:
                    cursor.execute(f"DROP TRIGGER {name}")
            case "mysql":
                cursor.execute(
                    "SET check_constraint_checks = 0, foreign_key_checks = 0"
                )
        try:
            yield cursor
        finally:
            match connection.vendor:
                case "sqlite":
                    cursor.execute("PRAGMA ignore_check_constraints = OFF")
                    for name, sql in TRIGGERS["sqlite"].items():
                        table = LedgerEntry._meta.db_table
                        cursor.execute(sql.format(name=name, table=table))
                case "postgresql":
                    table = LedgerEntry._meta.db_table
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                    cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
                case "mysql":
                    cursor.execute(
                        "SET check_constraint_checks = 1, foreign_key_checks = 1"
                    )


def change(row: Model, **values: Any) -> Any:
    """Write other values into a row by SQL; return the row."""
    table = row._meta.db_table
    with unguarded() as cursor:
        if connection.vendor == "mysql" and isinstance(row, LedgerEntry):
            # The trigger can't be taken off inside a transaction here.
            cursor.execute(f"SELECT * FROM {table} WHERE id = %s", [row.pk])  # noqa: S608
            names = [column[0] for column in cursor.description]
            old = dict(zip(names, cursor.fetchone(), strict=True))
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", [row.pk])  # noqa: S608
            marks = ", ".join(["%s"] * len(names))
            new = list({**old, **values}.values())
            cursor.execute(f"INSERT INTO {table} VALUES ({marks})", new)  # noqa: S608
        else:
            columns = ", ".join(f"{name} = %s" for name in values)
            cursor.execute(
                f"UPDATE {table} SET {columns} WHERE id = %s",  # noqa: S608
                [*values.values(), row.pk],
            )
    return row


def remove(*rows: Model) -> None:
    """Delete rows by SQL."""
    with unguarded() as cursor:
        for row in rows:
            table = row._meta.db_table
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", [row.pk])  # noqa: S608


def captured() -> Redemption:
    return Redemption.objects.filter(state="captured").earliest("pk")


def approved_request() -> CreditRequest:
    """Make a request for 2 credits that a child code answers."""
    course = make_training(credits=2)
    asked, _is_new = api.ask_for_credits(make_learner(), {course: 1})
    return api.approve_request(asked, parent=make_code(4, label="Asked"))


def held() -> Redemption:
    return Redemption.objects.get(state="held")


def entry(kind: str) -> LedgerEntry:
    return LedgerEntry.objects.filter(kind=kind).earliest("pk")


DAMAGE: dict[str, tuple[str, Callable[[], Model]]] = {}
"""By what was done: the rule that finds it, and the doing, which returns the row that
is to be named."""


def damage(
    rule: str, what: str
) -> Callable[[Callable[[], Model]], Callable[[], Model]]:
    def added(do: Callable[[], Model]) -> Callable[[], Model]:
        DAMAGE[what] = (rule, do)
        return do

    return added


@damage("grants_are_not_overdrawn", "more left than was granted")
def _():
    return change(CreditGrant.objects.earliest("pk"), remaining=31)


@damage("grants_are_not_overdrawn", "less than nothing left")
def _():
    if connection.vendor == "mysql":
        pytest.skip("A column there can't hold it.")
    return change(CreditGrant.objects.earliest("pk"), remaining=-1)


@damage("grants_hold_their_entries", "credits left from nowhere")
def _():
    grant = CreditGrant.objects.earliest("pk")
    return change(grant, remaining=grant.remaining + 1)


@damage("grants_hold_their_entries", "the last entry is gone")
def _():
    last = LedgerEntry.objects.latest("pk")
    remove(last)
    return last.grant


@damage("grants_open_with_their_credits", "a grant of more than was entered")
def _():
    return change(CreditGrant.objects.earliest("pk"), credits=35)


@damage("grants_open_with_their_credits", "granted twice")
def _():
    grant = CreditGrant.objects.earliest("pk")
    LedgerEntry.objects.create(grant=grant, kind="grant", credits=30, balance=60)
    return grant


@damage("grants_open_with_their_credits", "granted in two parts")
def _():
    grant = make_code(30).grants.get()
    change(grant.entries.get(), credits=29, balance=29)
    LedgerEntry.objects.create(grant=grant, kind="grant", credits=1, balance=30)
    return grant


@damage("grants_open_with_their_credits", "a grant with no entries")
def _():
    code = make_code().grants.get().code
    return CreditGrant.objects.create(code=code, credits=5, remaining=5)


@damage("movements_add_up", "credits that left a parent, and came nowhere")
def _():
    arrived = LedgerEntry.objects.filter(kind="move", grant__source__isnull=False)
    remove(arrived.earliest("pk"))
    return CreditGrant.objects.filter(moved_to__isnull=False).get()


@damage("parts_are_of_the_parent", "a part of another code's grant")
def _():
    part = CreditGrant.objects.filter(source__isnull=False).get()
    return change(part, source_id=CreditGrant.objects.earliest("pk").pk)


@damage("balances_follow_one_another", "another balance")
def _():
    return change(entry("redeem"), balance=11)


@damage("balances_follow_one_another", "another amount")
def _():
    return change(entry("redeem"), credits=-19)


@damage("balances_follow_one_another", "an entry in between is gone")
def _():
    gone = entry("redeem")
    remove(gone)
    return gone.grant.entries.filter(pk__gt=gone.pk).earliest("pk")


@damage("balances_follow_one_another", "the first entry is gone")
def _():
    gone = entry("grant")
    remove(gone)
    return gone.grant.entries.earliest("pk")


@damage("entries_are_of_their_kind", "a grant with a redemption")
def _():
    return change(entry("redeem"), kind="grant")


@damage("entries_are_of_their_kind", "a refund without its refund")
def _():
    return change(entry("refund"), refund_id=None)


@damage("entries_are_of_their_kind", "a refund that is called a release")
def _():
    return change(entry("refund"), kind="release")


@damage("entries_are_of_their_kind", "a release that is called a refund")
def _():
    return change(entry("release"), kind="refund")


@damage("entries_are_of_their_kind", "an entry of nothing")
def _():
    return change(entry("redeem"), credits=0)


@damage("entries_are_of_their_kind", "an unknown kind")
def _():
    return change(entry("grant"), kind="gift")


@damage("entries_are_of_their_kind", "an adjustment without its change")
def _():
    return change(entry("adjust"), change_id=None)


@damage("entries_are_of_their_kind", "a spending with a change")
def _():
    return change(entry("redeem"), change_id=CodeChange.objects.latest("pk").pk)


@damage("changes_moved_their_credits", "an adjustment of another size")
def _():
    return change(CodeChange.objects.get(kind="adjusted"), credits=-2)


@damage("changes_moved_their_credits", "an edit that says it moved credits")
def _():
    code = CreditCode.objects.earliest("pk")
    return CodeChange.objects.create(code=code, kind="edited", credits=1)


@damage("entries_stay_on_their_code", "a change of another code")
def _():
    other = CodeChange.objects.earliest("pk")
    return change(entry("lapse"), change_id=other.pk)


@damage("entries_stay_on_their_code", "a redemption of another code")
def _():
    first = captured()
    change(first, code_id=make_code().pk)
    return first.entries.earliest("pk")


@damage("entries_stay_on_their_code", "a refund of another code")
def _():
    refunded = Refund.objects.get()
    change(refunded.redemption, code_id=make_code().pk)
    return refunded.entries.get()


@damage("redemptions_are_captured_with_their_order", "captured without an order")
def _():
    return change(captured(), order_id=None)


@damage("redemptions_are_captured_with_their_order", "held with an order")
def _():
    return change(captured(), state="held")


@damage("holds_lapse", "a hold for ever")
def _():
    return change(held(), expires_at=None)


@damage("redemptions_took_their_credits", "a redemption of more")
def _():
    return change(captured(), credits=21)


@damage("redemptions_took_their_credits", "a redemption without entries")
def _():
    first = captured()
    remove(*first.entries.all())
    return first


@damage("redemptions_released_their_credits", "released, but nothing given back")
def _():
    return change(held(), state="released")


@damage("redemptions_released_their_credits", "given back, but still held")
def _():
    released = Redemption.objects.get(state="released")
    return change(released, state="held")


@damage("redemptions_are_held_before_they_are_released", "spent, but only held")
def _():
    return change(captured(), state="held")


@damage("redemptions_are_split_into_lines", "a line of more")
def _():
    line = RedemptionLine.objects.earliest("pk")
    return change(line, credits=21).redemption


@damage("redemptions_are_split_into_lines", "a line is gone")
def _():
    line = RedemptionLine.objects.latest("pk")
    remove(line)
    return line.redemption


@damage("lines_took_what_was_entered", "a line of another grant")
def _():
    change(
        RedemptionLine.objects.earliest("pk"),
        grant_id=CreditGrant.objects.latest("pk").pk,
    )
    return entry("redeem")


@damage("lines_are_settled_when_captured", "captured, but nothing settled")
def _():
    return change(RedemptionLine.objects.earliest("pk"), settled_line_id=None)


@damage("lines_are_settled_when_captured", "settled, but only held")
def _():
    line = held().lines.get()
    return change(line, settled_line_id=SettledLine.objects.earliest("pk").pk)


@damage("lines_agree_with_what_they_settle", "a line at another price")
def _():
    return change(RedemptionLine.objects.earliest("pk"), unit_credits=19)


@damage("lines_agree_with_what_they_settle", "a line of another number")
def _():
    return change(RedemptionLine.objects.earliest("pk"), quantity=9)


@damage("settled_lines_are_paid_in_full", "a settled line of more")
def _():
    return change(SettledLine.objects.latest("pk"), quantity=3)


@damage("settled_lines_are_paid_in_full", "a settled line that nothing paid")
def _():
    settled = SettledLine.objects.latest("pk")
    remove(*settled.redemption_lines.all())
    return settled


@damage("refunds_gave_back_their_credits", "a refund of more")
def _():
    return change(Refund.objects.get(), credits=21)


@damage("refunds_are_of_captured_redemptions", "a refund of a hold")
def _():
    return change(Refund.objects.get(), redemption_id=held().pk)


@damage("refunds_are_on_their_lines", "a refund that no line knows")
def _():
    line = RedemptionLine.objects.get(refunded=20)
    return change(line, refunded=0).redemption


@damage("refunds_went_back_to_their_grants", "a refund to another grant")
def _():
    change(entry("refund"), grant_id=CreditGrant.objects.latest("pk").pk)
    return RefundLine.objects.get()


@damage("refunds_are_split_into_lines", "a refund of which no line tells")
def _():
    remove(RefundLine.objects.get())
    return RedemptionLine.objects.get(refunded=20)


@damage("grants_open_with_their_credits", "a refund to another code's grant")
def _():
    other = make_code().grants.get()
    change(RefundLine.objects.get(), grant_id=other.pk)
    return other


@damage("refunds_are_within_what_was_paid", "more refunded than paid")
def _():
    return change(RedemptionLine.objects.get(refunded=20), refunded=21)


@damage("requests_have_a_code_if_approved", "a request that lost its code")
def _():
    return change(approved_request(), child_id=None)


@damage("requests_have_a_code_if_approved", "a code of a request that was declined")
def _():
    return change(approved_request(), state="declined")


@damage("requests_were_given_their_credits", "more asked for than was moved")
def _():
    return change(approved_request(), credits=3)


@damage("refunds_are_of_whole_units", "refunded, but not counted")
def _():
    return change(SettledLine.objects.earliest("pk"), refunded_quantity=0)


@damage("orders_name_their_redemptions", "a payment source is gone")
def _():
    first = captured()
    remove(*first.order.sources.all())
    return first


@damage("orders_name_their_redemptions", "a source on another order")
def _():
    first, last = Order.objects.order_by("pk")
    change(first.sources.get(), order_id=last.pk)
    return captured()


@damage("sources_have_their_redemption", "a source of no redemption")
def _():
    return change(Source.objects.earliest("pk"), reference="redemption-0")


@damage("redemptions_are_for_their_order", "another order number")
def _():
    return change(captured(), order_number="100000")


@damage("lines_pay_for_their_order", "a redemption of another order")
def _():
    other = place_order(make_learner(), (make_product(), 1))
    return change(captured(), order_id=other.pk).lines.get()


@damage("lines_are_settled_whole", "an order line of more")
def _():
    settled = SettledLine.objects.earliest("pk")
    change(settled.order_line, quantity=9)
    return settled


@damage("settled_lines_give_access", "no access")
def _():
    text = make_issued(20).text
    order = place_order(make_learner(), (make_training().product, 1), text=text)
    settled = order.lines.get().settled_line
    remove(settled.order_line.training_access)
    return settled


@damage("settled_lines_give_access", "no places")
def _():
    settled = SettledLine.objects.latest("pk")
    remove(*settled.order_line.training_places.all())
    return settled


@damage("lines_have_all_their_places", "a place is missing")
def _():
    place = Place.objects.latest("pk")
    remove(place)
    return place.order_line


@damage("lines_have_all_their_places", "access for the buyer besides")
def _():
    place = Place.objects.latest("pk")
    line = place.order_line
    Access.objects.create(
        learner=line.order.user, training=place.training, order_line=line
    )
    return line


@damage("places_that_give_access_are_claimed", "claimed, but not on record")
def _():
    place = Place.objects.latest("pk")
    places.claim(place, make_learner())
    return change(place, claimed_at=None)


@damage("refunded_places_are_not_free", "refunded, but free")
def _():
    settled = SettledLine.objects.latest("pk")
    return change(settled, refunded_quantity=1)


@damage("credit_only_lines_are_settled", "no credits for a credit-only line")
def _():
    settled = SettledLine.objects.latest("pk")
    remove(*settled.redemption_lines.all(), settled)
    return settled.order_line


def test_a_site_in_order_has_no_findings(site):
    assert found() == set()


@pytest.mark.parametrize(("rule", "do"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found_and_named(rule, do, site):
    row = do()

    (message,) = {
        str(each)
        for each in api.audit()
        if (each.rule, each.model, each.pk) == (rule, row._meta.model_name, row.pk)
    }
    assert f" {row.pk}" in message


def make_empty_grant() -> CreditGrant:
    return CreditGrant.objects.create(code=make_code(), credits=1, remaining=1)


def refunded_lines() -> list[Model]:
    return [RefundLine.objects.get(), *RedemptionLine.objects.filter(refunded=1)]


def test_a_site_of_single_credits_is_in_order(small_site):
    assert found() == set()


@pytest.mark.parametrize(
    ("rule", "do"),
    [
        ("grants_hold_their_entries", make_empty_grant),
        ("redemptions_took_their_credits", lambda: remove(entry("redeem"))),
        ("redemptions_released_their_credits", lambda: remove(entry("release"))),
        ("redemptions_are_split_into_lines", lambda: remove(*held().lines.all())),
        ("lines_took_what_was_entered", lambda: remove(*held().lines.all())),
        ("settled_lines_are_paid_in_full", lambda: remove(*refunded_lines())),
        ("refunds_gave_back_their_credits", lambda: remove(entry("refund"))),
        ("refunds_went_back_to_their_grants", lambda: remove(entry("refund"))),
        ("refunds_are_on_their_lines", lambda: remove(*refunded_lines())),
        ("refunds_are_split_into_lines", lambda: remove(RefundLine.objects.get())),
        ("refunds_are_of_whole_units", lambda: remove(*refunded_lines())),
    ],
)
def test_a_single_credit_without_its_rows_is_found(rule, do, small_site):
    do()

    assert rule in {each.rule for each in api.audit()}


# A movement has either sign, so that alone is no fault of its kind.
@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (kind, wrong)
        for kind in LedgerEntry.Kind.values
        for wrong in ("sign", "redemption", "refund")
        if (kind, wrong) != ("move", "sign")
    ],
)
def test_an_entry_has_the_sign_and_the_cause_of_its_kind(kind, wrong, site):
    row = entry(kind)
    if wrong == "sign":
        change(row, credits=-row.credits)
    elif wrong == "redemption":
        change(row, redemption_id=None if row.redemption_id else held().pk)
    else:
        other = Refund.objects.create(
            redemption=captured(), idempotency_key="other", credits=1
        )
        change(row, refund_id=None if row.refund_id else other.pk)

    assert ("entries_are_of_their_kind", "ledgerentry", row.pk) in found()


def test_each_record_is_called_by_what_staff_would_look_for(site):
    redeemed, settled = captured(), SettledLine.objects.earliest("pk")
    number, line = redeemed.order_number, settled.order_line_id
    refunded = Refund.objects.get()

    assert str(redeemed) == f"{number}: 20"
    assert str(redeemed.lines.get()) == f"{redeemed.pk}: 20"
    assert str(settled) == f"{line}: 20"
    assert str(refunded) == f"{refunded.redemption_id}: 20"
    assert str(refunded.lines.get()) == f"{refunded.pk}: 20"
    assert [str(entry("grant")), str(entry("redeem"))] == ["+30", "-20"]


def test_every_rule_has_its_damage():
    rules = {rule.name for rule in [*auditing.RULES, *shop_auditing.RULES]}

    assert rules == {rule for rule, _do in DAMAGE.values()} | ELSEWHERE


def test_one_wrong_entry_is_the_only_one_named(site):
    wrong = change(entry("redeem"), balance=11)

    broken = [each for each in found() if each[0] == "balances_follow_one_another"]

    following = wrong.grant.entries.filter(pk__gt=wrong.pk).earliest("pk")
    assert sorted(pk for _rule, _model, pk in broken) == [wrong.pk, following.pk]


def test_credits_that_came_back_after_they_expired_are_in_order(site):
    paid = SettledLine.objects.latest("pk")
    CreditGrant.objects.update(expires_at=timezone.now() - HOUR)
    refund_lines([(paid.order_line, 1)], idempotency_key="late")
    renewed = CreditGrant.objects.latest("pk")

    assert (renewed.credits, renewed.remaining) == (20, 20)
    assert not found()


def test_a_learner_may_be_deleted(site, learner):
    learner.delete()

    assert found() == set()


def test_a_refunded_line_may_lose_its_access(site):
    settled = SettledLine.objects.get(refunded_quantity=1)
    Access.objects.filter(order_line=settled.order_line).delete()

    assert found() == set()


@pytest.mark.parametrize("price", ["240.00", "0.00"])
def test_what_was_sold_before_it_became_credit_only_is_in_order(price, learner):
    product = make_product("A course", price)
    place_order(learner, (product, 1))

    sell_as_training(product, credits=20, credit_only=True)

    assert found() == set()


def test_a_lapsed_hold_is_listed_but_no_fault(learner, course, issued):
    (lapsed,) = hold(learner, course, issued, lapses_in=-HOUR)

    assert found() == set()
    (listed,) = api.lapsed_holds()
    assert listed.pk == lapsed.pk
    end = date_format(timezone.localtime(lapsed.expires_at), "DATETIME_FORMAT")
    assert str(listed).endswith(f"but lapsed on {end}.")
    assert list(api.lapsed_holds(timezone.now() - 2 * HOUR)) == []


@pytest.mark.parametrize("orders", [1, 4])
def test_more_orders_take_no_more_queries(
    orders, course, issued, django_assert_num_queries
):
    for _number in range(orders):
        place_order(make_learner(), (course.product, 1), text=issued.text)
    triggers = 1
    rules = len(auditing.RULES) + len(shop_auditing.RULES)

    with django_assert_num_queries(triggers + rules):
        assert found() == set()


def check_ledger(*options: str) -> list[str]:
    written = StringIO()
    call_command("check_ledger", *options, stdout=written)
    return written.getvalue().splitlines()


def test_the_command_is_silent_about_a_site_in_order(site):
    assert check_ledger() == []


def test_the_command_names_what_differs_and_fails(site):
    grant = change(CreditGrant.objects.get(credits=100), remaining=7)
    written = StringIO()

    with pytest.raises(CommandError, match="1 thing in the ledger differs"):
        call_command("check_ledger", stdout=written)

    assert written.getvalue().splitlines() == [
        f"Grant {grant.pk} has 7 credits left, but its entries add up to 70."
    ]


def test_the_command_lists_a_lapsed_hold_and_succeeds(learner, course, issued):
    (lapsed,) = hold(learner, course, issued, lapses_in=-HOUR)

    (line,) = check_ledger()

    assert f"Redemption {lapsed.pk} holds 20 credits" in line
    assert "--release-holds" in line
    assert issued.code.balance() == 110


def test_the_command_releases_lapsed_holds(learner, course, issued):
    hold(learner, course, issued, lapses_in=-HOUR)
    hold(learner, course, issued)

    written = check_ledger("--release-holds")

    assert written == ["Released 1 hold that had lapsed."]
    assert issued.code.balance() == 110
    assert check_ledger("--release-holds") == []


def test_a_request_that_was_answered_is_in_order(site):
    child = approved_request().child
    add_grant(child, 5)
    api.take_back(child, 1)

    assert found() == set()
