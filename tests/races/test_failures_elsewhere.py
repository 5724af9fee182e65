"""What was tried and failed in other packages: each case as a test, named after it.

Each was reproduced there, or reported by their users.
"""

from __future__ import annotations

import re
from contextlib import suppress
from decimal import Decimal
from functools import partial

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from oscar.apps.checkout.signals import pre_payment
from oscar.apps.order.signals import order_placed
from oscar.apps.payment.exceptions import UnableToTakePayment
from oscar.core.loading import get_model

from oscar_training_credits import api, signals
from oscar_training_credits.credits.ledger import redemption
from oscar_training_credits.credits.models import (
    Access,
    AppliedCode,
    CreditCode,
    LedgerEntry,
    Redemption,
    Refund,
)
from oscar_training_credits.exceptions import IdempotencyKeyReused, RefundRefused
from oscar_training_credits.shop.exceptions import OrderRefused
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ..credits.test_admin import edit
from ..support.gateways import Gateway, Redirecting, install
from ..support.orders import basket_with_codes, place, place_order
from ..support.racing import (
    Meeting,
    at_once,
    lock_codes_by,
    take_basket_lock_away,
    take_locks_away,
)
from ..support.shop import Learner, errors, text_of, words

Order = get_model("order", "Order")
Basket = get_model("basket", "Basket")

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.all_databases,
    pytest.mark.urlconf("tests.support.gateways"),
]


def race(test):
    """Mark a test that needs row locks, and what is committed."""
    return pytest.mark.races(pytest.mark.django_db(transaction=True)(test))


TEXT = "ACME-TEAM-2026"
THANKS = "/shop/checkout/thank-you/"
HELD, CAPTURED, RELEASED = Redemption.State


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def training():
    return make_training(credits=20, credit_only=True, access_days=30)


@pytest.fixture
def learner(code, training):
    """A learner whose basket costs 20 credits."""
    return ready(training)


@pytest.fixture
def gateway(monkeypatch):
    return install(monkeypatch, Gateway())


def ready(training):
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.apply(TEXT)
    return learner


def click_of(learner):
    page = learner.preview()
    return lambda: learner.place(page)


def ledger():
    """Return each movement with the balance after it."""
    return list(LedgerEntry.objects.order_by("pk").values_list("credits", "balance"))


# Races and retries


@race
def test_six_checkouts_race_for_one_code(training):
    """django-oscar-accounts overspent in 30 of 30 runs; its cached balance read 0.00
    while its ledger said -500.
    """
    code = make_code(60, text=TEXT)

    at_once([click_of(ready(training)) for _ in range(6)])

    assert Order.objects.count() == Redemption.objects.count() == 3
    assert ledger() == [(60, 60), (-20, 40), (-20, 20), (-20, 0)]
    assert code.balance() == 0


def order_of(learner, training):
    """Return what orders without the checkout, as a view of a site's own may."""
    basket = basket_with_codes(learner, (training.product, 1), texts=[TEXT])
    return lambda: place(basket, learner)


def six_orders_in_callers_transactions(training):
    def within_another(order):
        with suppress(OrderRefused), transaction.atomic():
            order()

    orders = [order_of(make_learner(), training) for _ in range(6)]
    at_once([partial(within_another, order) for order in orders])


@race
def test_the_debit_is_called_inside_a_callers_transaction(training):
    """openedx-ledger overspent in 20 of 20: its cache lock is freed before COMMIT."""
    code = make_code(60, text=TEXT)

    six_orders_in_callers_transactions(training)

    assert Order.objects.count() == 3
    assert code.balance() == 0


@race
def test_control_a_lock_that_is_freed_before_the_commit_overspends(
    training, monkeypatch
):
    make_code(60, text=TEXT)
    take_locks_away(monkeypatch, parties=6)

    six_orders_in_callers_transactions(training)

    assert Order.objects.count() == 6


def test_a_debit_that_emptied_the_balance_is_retried_with_its_own_key(training):
    """openedx-ledger raises "balance exceeded" instead of returning the first one."""
    code = make_code(20, text=TEXT)
    click = click_of(ready(training))

    answers = [click(), click()]

    assert [answer.url for answer in answers] == [THANKS, THANKS]
    assert Order.objects.count() == 1
    assert code.balance() == 0


def test_the_same_key_with_another_amount(code, training):
    """openedx-ledger returns the old row silently."""
    order = place_order(make_learner(), (training.product, 3), text=TEXT)
    line = order.lines.get()
    api.refund_lines([(line, 1)], idempotency_key="a")

    with pytest.raises(IdempotencyKeyReused):
        api.refund_lines([(line, 2)], idempotency_key="a")
    with pytest.raises(IdempotencyKeyReused):
        api.refund_order(order, idempotency_key="a")

    assert code.balance() == 60


@pytest.fixture
def come_back(learner, monkeypatch):
    """The return of a learner who has paid £25 elsewhere, four times at once."""
    install(monkeypatch, Redirecting())
    learner.add(make_product(price="25.00"))
    learner.place()
    back = reverse("gateway-return")
    return lambda: at_once([lambda: learner.client.get(back)] * 4)


@race
def test_one_payment_is_executed_twice_at_once(come_back, code):
    """pretix debited twice in 10 of 10: it locks the card, not the payment."""
    answers = come_back()

    assert Order.objects.get().basket.status == Basket.SUBMITTED
    assert Redemption.objects.get().state == CAPTURED
    assert code.balance() == 80
    assert {answer.status_code for answer in answers} == {302}


def test_a_payment_that_another_request_has_just_ended_takes_nothing_more(
    learner, code, monkeypatch
):
    gateway = install(monkeypatch, Redirecting())
    learner.add(make_product(price="25.00"))
    learner.place()
    back = reverse("gateway-return")
    answers = []

    def come_back_meanwhile(**kwargs):
        pre_payment.disconnect(come_back_meanwhile)
        answers.append(learner.client.get(back))

    pre_payment.connect(come_back_meanwhile)
    answers.append(learner.client.get(back))

    assert [answer.url for answer in answers] == [THANKS, THANKS]
    assert Redemption.objects.get().state == CAPTURED
    assert gateway.charged == [Decimal("25.00")]
    assert code.balance() == 80


@race
def test_control_without_the_baskets_lock_one_payment_fails(come_back, monkeypatch):
    take_basket_lock_away(monkeypatch, parties=4)

    answers = come_back()

    # Those that came second are told that their payment has no order.
    assert Order.objects.count() == 1
    assert any("/orders/" in getattr(answer, "url", "") for answer in answers)


def test_an_order_is_given_back_three_times(learner, code):
    """django-oscar-accounts made 180 out of 100 by `reverse()` called three times."""
    learner.place()

    for idempotency_key in ("a", "a", "b"):
        api.refund_order(learner.order(), idempotency_key=idempotency_key)

    assert code.balance() == 100


def test_a_debit_of_20_is_refunded_by_20_twice(learner, code):
    """Oscar's `Source.refund(20)`, called twice, leaves -20 available."""
    learner.place()
    line = learner.order().lines.get()
    api.refund_lines([(line, 1)], idempotency_key="a")

    with pytest.raises(RefundRefused):
        api.refund_lines([(line, 1)], idempotency_key="b")

    assert Refund.objects.get().credits == 20
    assert code.balance() == 100


# What fails between the payment and the order, and after it


def test_order_creation_fails_after_the_charge(atomic_requests, learner, code, gateway):
    """Oscar keeps a debit of `handle_payment`, thaws the basket and debits again on
    retry. It catches every exception and answers 200, so that ATOMIC_REQUESTS commits
    the debit. Who has been charged is told so, and the basket is not there to be
    paid for again.
    """
    goods = [line.product for line in Basket.open.get(owner=learner.user).lines.all()]
    learner.add(make_product(price="25.00"))
    told = []

    def fail(**kwargs):
        raise RuntimeError("A receiver of the site fails.")

    def listen(**kwargs):
        told.append(kwargs["payment"].amount)

    post_save.connect(fail, sender=Order)
    signals.money_taken_without_order.connect(listen)
    try:
        response = learner.place()
    finally:
        post_save.disconnect(fail, sender=Order)
        signals.money_taken_without_order.disconnect(listen)

    assert "Do not pay again" in text_of(learner.client.get(response.url))
    assert not Order.objects.exists()
    assert not Access.objects.exists()
    assert code.balance() == 100
    assert told == [Decimal("25.00")]
    for product in goods:
        learner.add(product)
    learner.apply(TEXT)
    assert learner.place().url == THANKS
    assert code.balance() == 80
    assert Redemption.objects.filter(state=RELEASED).count() == 1


@pytest.mark.parametrize("fault", ["the mail server", "a receiver"])
def test_something_fails_after_the_order_is_written(
    atomic_requests, learner, code, gateway, settings, fault
):
    """Oscar thaws the basket beside its order; the retry debits again, then says
    "There is already an order" for ever.
    """
    learner.add(make_product(price="25.00"))
    click = click_of(learner)

    def fail(**kwargs):
        if fault == "a receiver":
            raise RuntimeError("A receiver of the site fails.")

    if fault == "the mail server":
        settings.EMAIL_BACKEND = "tests.support.broken.EmailBackend"
    order_placed.connect(fail)
    try:
        answers = [click(), click()]
    finally:
        order_placed.disconnect(fail)

    assert [answer.url for answer in answers] == [THANKS, THANKS]
    assert Order.objects.get().basket.status == Basket.SUBMITTED
    assert gateway.charged == [Decimal("25.00")]
    assert code.balance() == 80


@race
def test_two_tabs_press_place_order(learner, code, gateway):
    """Oscar makes two debits and one order."""
    learner.add(make_product(price="25.00"))
    click = click_of(learner)

    answers = at_once([click] * 8)

    assert Order.objects.count() == 1
    assert gateway.charged == [Decimal("25.00")]
    assert code.balance() == 80
    assert {learner.shown_at(answer) for answer in answers} == {THANKS}


# What changes between *Apply* and *Place order*


def test_the_price_rises_between_preview_and_click(learner, code, training):
    """Oscar takes 35 where it has shown 20, and says nothing."""
    click = click_of(learner)
    api.sell_as_training(training.product, credits=35, credit_only=True)

    response = click()

    assert "A price or a code has changed" in errors(response)
    assert "35 credits taken" in words(text_of(response))
    assert code.balance() == 100
    assert learner.place(response).url == THANKS
    assert code.balance() == 65


def disable(code):
    api.set_state(code, "disabled")


def expire(code):
    code.grants.update(expires_at=timezone.now())


def spend(code):
    place_order(make_learner(), (make_training(credits=90).product, 1), text=TEXT)


def remove(code):
    AppliedCode.objects.filter(code=code).delete()


@pytest.mark.parametrize("spoil", [disable, expire, spend, remove])
def test_the_code_becomes_unusable_between_apply_and_place_order(learner, code, spoil):
    """A Sylius plugin gave the goods away."""
    click = click_of(learner)
    spoil(code)

    response = click()

    assert response.status_code == 200 or response.url != THANKS
    assert learner.order() is None
    assert not Access.objects.filter(learner=learner.user).exists()


def test_several_cards_cover_one_order(learner, code):
    """Saleor and Medusa drained all of them."""
    other = make_code(100, text="SECOND-2026")
    learner.apply("SECOND-2026")

    learner.place()

    assert (code.balance(), other.balance()) == (80, 100)


# Mechanisms that look as if they would do


@pytest.mark.parametrize("text", [TEXT, ""], ids=["with a code", "without"])
def test_a_total_of_zero_is_no_proof_of_payment(code, training, voucher, text):
    """Credits as a 100 % promotion: Oscar skips the payment at total 0, and nothing is
    debited.
    """
    get_model("offer", "Benefit").objects.update(value=100)
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.add(make_product(price="25.00"))
    for each in (text, "SPRING10"):
        learner.apply(each)

    step = learner.client.get(reverse("checkout:index"), follow=True)
    learner.place()

    assert step.redirect_chain[-1][0] == reverse("checkout:payment-details")
    assert (learner.order() is not None) is bool(text)
    assert code.balance() == (80 if text else 100)


def test_receivers_of_pre_payment_can_refuse_nothing(learner, code, gateway):
    """Oscar sends it with `send_robust`. The credits are held by then, so what the
    receiver does to their code comes too late.
    """
    learner.add(make_product(price="25.00"))

    def refuse(**kwargs):
        disable(code)
        raise UnableToTakePayment("Swallowed.")

    pre_payment.connect(refuse)
    try:
        response = learner.place()
    finally:
        pre_payment.disconnect(refuse)

    assert response.url == reverse("checkout:thank-you")
    assert len(gateway.charged) == 1
    assert code.balance() == 80


def test_a_debit_does_not_sum_up_the_ledger(learner, code):
    """Summed at each debit: 21 ms at 100 rows, 3.7 s at 400,000."""
    click = click_of(learner)

    with CaptureQueriesContext(connection) as queries:
        click()

    sql = " ".join(query["sql"] for query in queries)
    uses = rf"(FROM|JOIN|UPDATE|INTO) [`\"]?{LedgerEntry._meta.db_table}\b"
    assert set(re.findall(uses, sql)) == {"INTO"}
    assert code.balance() == 80


def test_ten_wrong_codes_from_one_address_lock_no_office_out(
    new_hour, learner, code, settings
):
    """Elsewhere an address is blocked for ever, and a whole office or class with it."""
    settings.TRAINING_CREDITS_THROTTLE = {"network": "10/h"}
    remove(code)
    stranger = Learner()
    stranger.add(make_training().product)

    for number in range(11):
        said = stranger.apply(f"WRONG-{number}")

    assert "try again" in said.lower() or "wait" in said.lower()
    assert "80 left" in learner.apply(TEXT)


def test_a_stale_copy_does_not_bring_a_disabled_code_back(code, admin_client):
    """A full-row `save()` of a stale object: a frozen account came back to life."""
    stale = CreditCode.objects.get()
    disable(code)

    api.add_grant(stale, 50)
    saved = edit(admin_client, stale, label="Renamed", state="active")

    assert saved.status_code == 302
    code.refresh_from_db()
    assert (code.label, code.state) == ("Renamed", "disabled")


@pytest.mark.races
def test_locks_are_of_named_tables_in_the_order_of_their_primary_keys(learner, code):
    """`select_for_update` on a queryset with `Meta.ordering` or joins locks or fails on
    the wrong rows.
    """
    click = click_of(learner)

    with CaptureQueriesContext(connection) as queries:
        click()
        api.refund_order(learner.order(), idempotency_key="a")

    asked = [query["sql"].replace("`", '"') for query in queries]  # MariaDB's quotes
    locks = [sql for sql in asked if re.search("FOR (NO KEY )?UPDATE", sql)]
    ours = [
        sql for sql in locks if re.search(r'FROM "(training_credits_|basket_b)', sql)
    ]
    assert len(ours) > 3
    together = "ORDER BY codes.id, grants.id FOR NO KEY UPDATE OF codes, grants"
    for sql in ours:
        if " ".join(sql.split()).endswith(together):
            continue
        assert "JOIN" not in sql
        assert re.search(r'ORDER BY "?\w+"?\."id" ASC|\."id" = \d+', sql)


only_sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="no SQLite")


@only_sqlite
@pytest.mark.django_db(transaction=True)
def test_sqlite_lets_one_checkout_wait_for_the_other(code, training):
    """It has no row locks: without `transaction_mode: IMMEDIATE` and a time-out
    "database is locked" reaches the learner.
    """
    answers = at_once([click_of(ready(training)) for _ in range(2)])

    assert [answer.url for answer in answers] == [THANKS, THANKS]
    assert code.balance() == 60


@only_sqlite
@pytest.mark.django_db(transaction=True)
def test_control_where_sqlite_locks_late_an_order_fails(code, training, monkeypatch):
    both_have_read = Meeting(2)

    def read(code_ids):
        codes = locked_codes(code_ids)
        both_have_read()
        return codes

    locked_codes = redemption.lock_codes
    lock_codes_by(monkeypatch, read)
    options = connection.settings_dict["OPTIONS"]
    monkeypatch.setitem(options, "transaction_mode", "DEFERRED")
    orders = [order_of(make_learner(), training) for _ in range(2)]

    with pytest.raises(OperationalError, match="locked"):
        at_once(orders)

    assert Order.objects.count() == 1
