"""What an object remembers does not undo what a service has written since."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.core.management import call_command
from django.db import DatabaseError, connection, models, transaction
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits import guards
from oscar_training_credits.credits.access import places
from oscar_training_credits.credits.codes.applying import apply_code
from oscar_training_credits.credits.codes.issuing import set_state
from oscar_training_credits.credits.ledger import redemption
from oscar_training_credits.credits.ledger.redemption import lock_and_quote
from oscar_training_credits.credits.models import (
    Access,
    CreditCode,
    CreditGrant,
    Delivery,
    Place,
    Redemption,
    RedemptionLine,
    SettledLine,
    TakenPayment,
)
from oscar_training_credits.credits.models.columns import ServiceColumns
from oscar_training_credits.shop.basket.quotes import items_of
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import place_order

TEXT = "ACME-TEAM-2026"

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


# Ways to write a row as somebody remembers it


def save(row: models.Model) -> None:
    row.save()


def save_raw(row: models.Model) -> None:
    row.save_base(raw=True)


def deserialise(row: models.Model) -> None:
    """As `loaddata` and django-reversion's `revert` do."""
    (read,) = serializers.deserialize("json", serializers.serialize("json", [row]))
    read.save()


def save_by_number(row: models.Model) -> None:
    """A new object with the number of an old row: Django tries an UPDATE first."""
    values = {field.attname: getattr(row, field.attname) for field in columns(row)}
    type(row)(**values).save()


def force(row: models.Model) -> None:
    row.save(force_update=True)


def name_all(row: models.Model) -> None:
    row.save(update_fields=[field.name for field in columns(row)[1:]])


def update_in_bulk(row: models.Model) -> None:
    names = [field.name for field in columns(row)[1:]]
    type(row)._default_manager.bulk_update([row], names)


def columns(row: models.Model) -> list[Any]:
    # What the database computes itself, nobody can write.
    return [field for field in row._meta.concrete_fields if not field.generated]


WAYS: dict[str, Callable[[Any], None]] = {
    "save": save,
    "raw": save_raw,
    "deserialised": deserialise,
    "by number": save_by_number,
    "forced": force,
    "all named": name_all,
    "bulk": update_in_bulk,
}


# What services do meanwhile


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def training():
    return make_training(credits=20)


@pytest.fixture
def line(code, training):
    """Two places for 40 credits."""
    return place_order(make_learner(), (training.product, 2), text=TEXT).lines.get()


def spend(line: Any) -> None:
    training = line.product.training
    place_order(make_learner(), (training.product, 1), text=TEXT)


def refund(line: Any) -> None:
    api.refund_lines([(line, 2)], idempotency_key="sorry")


def disable(line: Any) -> None:
    set_state(CreditCode.objects.get(), "disabled")


def claim(line: Any) -> None:
    places.claim(line.training_places.get(number=1), make_learner())


def renew(line: Any) -> None:
    places.renew_link(line.training_places.get(number=1))


MEANWHILE: dict[str, tuple[type[Any], Callable[[Any], None], str]] = {
    "spent": (CreditGrant, spend, "remaining"),
    "given back": (CreditGrant, refund, "remaining"),
    "disabled": (CreditCode, disable, "state"),
    "line given back": (RedemptionLine, refund, "refunded"),
    "units given back": (SettledLine, refund, "refunded_quantity"),
    "claimed": (Place, claim, "claimed_at"),
    "taken back": (Place, refund, "revoked_at"),
    "new link": (Place, renew, "salt"),
}


@pytest.mark.parametrize("write", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("model", "do", "column"), MEANWHILE.values(), ids=MEANWHILE)
def test_what_a_service_has_written_stays(line, write, model, do, column):
    stale = model.objects.earliest("pk")
    do(line)
    written = getattr(model.objects.earliest("pk"), column)

    write(stale)

    assert getattr(stale, column) != written
    assert getattr(model.objects.earliest("pk"), column) == written
    assert list(api.audit()) == []


@pytest.mark.parametrize("write", WAYS.values(), ids=WAYS)
def test_no_more_is_spent_than_was_granted(code, training, write):
    grant = code.grants.get()
    for _ in range(5):
        place_order(make_learner(), (training.product, 1), text=TEXT)

    write(grant)

    assert code.balance() == 0
    learner = make_learner()
    basket = make_basket(learner, (training.product, 1))
    with transaction.atomic():
        quote = lock_and_quote(items_of(basket), basket=basket, learner=learner)
    assert quote.missing == 20


@pytest.mark.parametrize("write", WAYS.values(), ids=WAYS)
def test_access_that_was_ended_stays_ended(code, training, write):
    learner = make_learner()
    place_order(learner, (training.product, 1), text=TEXT)
    stale = Access.objects.get()
    api.end_access(Access.objects.get(), reason="Left")

    write(stale)

    ended = Access.objects.get()
    assert ended.ends_at is not None
    assert not api.has_access(learner, training)


def test_access_that_the_caller_has_changed_is_saved(code, training):
    place_order(make_learner(), (training.product, 1), text=TEXT)
    given = Access.objects.get()

    given.ends_at = given.starts_at + timedelta(days=5)
    given.save()

    assert Access.objects.get().ends_at == given.ends_at


@pytest.mark.parametrize("write", WAYS.values(), ids=WAYS)
def test_a_hold_that_was_released_stays_released(code, training, write):
    learner = make_learner()
    basket = make_basket(learner, (training.product, 1))
    items = items_of(basket)
    apply_code(TEXT, basket=basket, items=items, learner=learner, requester=None)
    with transaction.atomic():
        redemption.hold(
            lock_and_quote(items, basket=basket, learner=learner),
            basket=basket,
            order_number="1",
            learner=learner,
            until=timezone.now() + timedelta(hours=1),
        )
    stale = Redemption.objects.get()
    redemption.release([stale])
    stale = Redemption(**{**vars_of(stale), "state": "held"})

    write(stale)

    assert Redemption.objects.get().state == "released"
    assert redemption.release([stale]) == 0
    assert code.balance() == 100


def vars_of(row: models.Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in columns(row)}


@pytest.mark.parametrize("write", WAYS.values(), ids=WAYS)
def test_what_was_paid_back_stays_so(write):
    source_type = get_model("payment", "SourceType").objects.create(name="Card")
    stale = TakenPayment.objects.create(
        order_number="1",
        source_type=source_type,
        currency="GBP",
        amount_allocated=90,
        amount_debited=90,
    )
    TakenPayment.objects.update(settled_at=timezone.now())

    write(stale)

    assert TakenPayment.objects.get().settled_at is not None


@pytest.mark.parametrize("write", WAYS.values(), ids=WAYS)
def test_news_that_arrived_is_not_sent_again(code, training, write, settings):
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = "tests.support.enrolment.record"
    place_order(make_learner(), (training.product, 1), text=TEXT)
    stale = Delivery.objects.earliest("pk")
    Delivery.objects.update(delivered_at=timezone.now(), attempts=1)

    write(stale)

    delivery = Delivery.objects.get()
    assert (delivery.delivered_at is None, delivery.attempts) == (False, 1)


@pytest.mark.parametrize("write", WAYS.values(), ids=WAYS)
def test_a_stale_object_restricts_a_code_but_opens_none(write):
    named, open_to_all = make_code(learners=[make_learner()]), make_code()
    before = CreditCode.objects.get(pk=named.pk)
    before.named_only = False
    open_to_all.named_only = True

    write(before)
    write(open_to_all)

    if write is not name_all and write is not update_in_bulk:
        assert all(CreditCode.objects.values_list("named_only", flat=True))
    assert CreditCode.objects.get(pk=open_to_all.pk).named_only


# The columns of others


@pytest.mark.parametrize("write", WAYS.values(), ids=WAYS)
def test_the_other_columns_are_saved(code, write):
    grant = code.grants.get()
    grant.note = "Corrected"

    write(grant)

    assert CreditGrant.objects.get().note == "Corrected"


def test_a_row_that_is_new_is_written_whole():
    grant = make_code(5).grants.get()
    new = CreditGrant(code=grant.code, credits=7, remaining=7, pk=grant.pk + 100)

    deserialise(new)

    assert CreditGrant.objects.get(pk=new.pk).remaining == 7


@pytest.mark.parametrize(
    "read",
    [
        lambda: CreditGrant.objects.only("remaining").get(),
        lambda: CreditGrant.objects.defer("note").get(),
        lambda: CreditGrant.objects.only("note", "remaining").get(),
    ],
    ids=["only it", "all but one", "two"],
)
def test_a_row_that_is_read_in_part_is_saved_without_it(line, read):
    stale = read()
    spend(line)

    stale.save()

    assert CreditGrant.objects.get().remaining == 40
    assert list(api.audit()) == []


def test_a_dump_that_is_loaded_again_moves_nothing(line, tmp_path):
    file = tmp_path / "dump.json"
    with file.open("w") as dump:
        call_command(
            "dumpdata",
            *[f"training_credits.{each}" for each in ("creditcode", "creditgrant")],
            stdout=dump,
        )
    spend(line)

    call_command("loaddata", file, verbosity=0)

    assert CreditGrant.objects.get().remaining == 40
    assert list(api.audit()) == []


# What the database itself refuses


def service_models() -> Iterator[type[Any]]:
    return iter(guards.guarded_models())


needs_guards = pytest.mark.skipif(
    "connection.vendor == 'mysql'",
    reason="its triggers are not told which columns a statement writes",
)


@needs_guards
def test_all_guards_are_there_after_all_migrations():
    assert guards.missing_guards(connection) == []
    assert set(service_models()) < set(ServiceColumns.__subclasses__())


@needs_guards
@pytest.mark.parametrize(
    ("model", "do", "column"),
    MEANWHILE.values(),
    ids=MEANWHILE,
)
def test_sql_that_writes_a_stale_row_is_refused(line, model, do, column):
    stale = model.objects.earliest("pk")
    do(line)
    values = {field.column: field.attname for field in columns(stale)[1:]}
    marks = ", ".join(f"{name} = %s" for name in values)
    row = [
        field.get_db_prep_save(getattr(stale, field.attname), connection)
        for field in columns(stale)[1:]
    ]

    with (
        pytest.raises(DatabaseError, match="written by a service"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            f"UPDATE {model._meta.db_table} SET {marks} WHERE id = %s",  # noqa: S608
            [*row, stale.pk],
        )


@needs_guards
def test_sql_that_writes_a_row_as_it_is_is_not(line):
    for model in service_models():
        row = model.objects.first()
        if row is not None:
            models.Model.save_base(row, raw=True)
            column = model.ROW_COLUMN
            same = getattr(row, column)
            model.objects.filter(pk=row.pk).update(**{column: same})


@needs_guards
def test_migrating_puts_a_lost_guard_back():
    table = CreditGrant._meta.db_table
    name = guards.name_of(CreditGrant)
    on = f" ON {table}" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name}{on}")
    assert guards.missing_guards(connection) == [CreditGrant]

    call_command("migrate", verbosity=0)

    assert guards.missing_guards(connection) == []


def test_the_services_themselves_are_not_hindered(line):
    spend(line)
    claim(line)
    disable(line)
    refund(line)

    assert list(api.audit()) == []
