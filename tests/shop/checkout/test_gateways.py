"""Orders paid partly in credits and partly through a site's own gateway."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from oscar.apps.checkout.signals import pre_payment
from oscar.apps.payment.exceptions import PaymentError
from oscar.core.loading import get_class, get_model

from oscar_training_credits import api, signals
from oscar_training_credits.credits.codes.issuing import add_grant, set_state
from oscar_training_credits.credits.ledger import redemption
from oscar_training_credits.credits.models import (
    CreditGrant,
    LedgerEntry,
    Redemption,
    TakenPayment,
)
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.books import assert_balanced
from ...support.gateways import Declining, Gateway, Redirecting, install
from ...support.orders import place_order
from ...support.pages import make_course
from ...support.shop import Learner, errors, text_of, words

Order = get_model("order", "Order")
Basket = get_model("basket", "Basket")

pytestmark = [pytest.mark.django_db, pytest.mark.urlconf("tests.support.gateways")]

TEXT = "ACME-TEAM-2026"
CHANGED = "A price or a code has changed. Check the order before you confirm it."
HELD, CAPTURED, RELEASED = Redemption.State


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def training():
    return make_training(credits=20, credit_only=True, price=None)


@pytest.fixture
def learner(code, training):
    """A learner whose basket costs 20 credits and £25."""
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.add(make_product(price="25.00"))
    learner.apply(TEXT)
    return learner


@pytest.fixture
def gateway(monkeypatch):
    return install(monkeypatch, Gateway())


@pytest.fixture
def told():
    """The references of the payments that the site was told to refund."""
    references = []

    def listen(payment, **kwargs):
        references.append(payment.reference)

    signals.money_taken_without_order.connect(listen)
    yield references
    signals.money_taken_without_order.disconnect(listen)


def states():
    return list(Redemption.objects.order_by("pk").values_list("state", flat=True))


def test_the_gateway_takes_what_the_credits_do_not_pay(learner, code, gateway):
    response = learner.place()

    assert response.url == reverse("checkout:thank-you")
    assert gateway.charged == [Decimal("25.00")]
    assert code.balance() == 80
    assert states() == [CAPTURED]
    order = learner.order()
    assert Redemption.objects.get().order == order
    assert {source.reference for source in order.sources.all()} == {
        f"card-{order.number}",
        f"redemption-{Redemption.objects.get().pk}",
    }
    assert_balanced()


def test_the_credits_are_held_while_the_gateway_charges(
    learner, code, gateway, monkeypatch
):
    def look(view, order_number, total):
        gateway.seen = [code.balance(), *states()]
        gateway.charge(view, order_number, total)

    monkeypatch.setattr(gateway, "handle_payment", look)

    learner.place()

    assert gateway.seen == [80, HELD]


def test_nothing_is_held_where_no_money_is_paid(code, training, gateway):
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.apply(TEXT)

    learner.place()

    assert gateway.charged == []
    kinds = LedgerEntry.objects.values_list("kind", flat=True)
    assert set(kinds) == {"grant", "redeem"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, "Card declined."),
        (PaymentError("The gateway is away."), "no payment has been taken"),
        (TimeoutError("It took too long."), "no payment has been taken"),
    ],
    ids=["declined", "payment error", "time-out"],
)
def test_a_payment_that_fails_releases_the_hold(
    learner, code, monkeypatch, error, said
):
    install(monkeypatch, Declining(error))

    response = learner.place()

    assert said in errors(response)
    assert not Order.objects.exists()
    assert code.balance() == 100
    assert states() == [RELEASED]
    assert_balanced()


def test_after_a_failure_the_next_try_works(learner, code, monkeypatch):
    gateway = install(monkeypatch, Declining())
    learner.place()

    response = learner.place()

    assert response.url == reverse("checkout:thank-you")
    assert gateway.charged == [Decimal("25.00")]
    assert code.balance() == 80
    assert states() == [RELEASED, CAPTURED]
    attempts = Redemption.objects.order_by("pk").values_list("attempt", flat=True)
    assert list(attempts) == [1, 2]


def test_the_confirmation_can_be_sent_again(learner, code, gateway, mailoutbox):
    """As the manual says."""
    learner.place()
    order = learner.order()
    context = {
        "user": order.user,
        "order": order,
        "lines": order.lines.all(),
        "status_path": reverse("customer:order", args=[order.number]),
    }
    dispatcher = get_class("order.utils", "OrderDispatcher")()

    dispatcher.send_order_placed_email_for_user(order, context)

    first, again = mailoutbox
    assert (first.to, first.subject) == (again.to, again.subject)
    assert "20 credits" in again.body
    assert code.balance() == 80


@pytest.fixture
def away(monkeypatch):
    return install(monkeypatch, Redirecting())


def test_a_customer_who_pays_elsewhere_comes_back_to_an_order(learner, code, away):
    response = learner.place()
    assert response.url == "https://pay.example/"
    assert (code.balance(), states()) == (80, [HELD])

    back = learner.client.get(reverse("gateway-return"))

    assert back.url == reverse("checkout:thank-you")
    assert away.charged == [Decimal("25.00")]
    assert (code.balance(), states()) == (80, [CAPTURED])
    assert learner.order().lines.count() == 2
    assert_balanced()


def test_coming_back_twice_is_one_order(learner, code, away):
    learner.place()
    learner.client.get(reverse("gateway-return"))

    learner.client.get(reverse("gateway-return"))

    assert Order.objects.count() == 1
    assert code.balance() == 80


def test_what_is_held_counts_whatever_changes_meanwhile(learner, code, training, away):
    learner.place()
    set_state(code, "disabled")
    sell_as_training(training.product, credits=90)
    code.grants.update(expires_at=timezone.now())

    back = learner.client.get(reverse("gateway-return"))

    assert back.url == reverse("checkout:thank-you")
    assert Redemption.objects.get().credits == 20


def test_who_never_comes_back_locks_nobody_out(learner, code, away, training):
    code.grants.update(credits=30, remaining=30)
    learner.place()
    assert code.balance() == 10
    Redemption.objects.update(expires_at=timezone.now())
    other = Learner(make_learner())
    other.add(training.product)

    said = other.apply(TEXT)

    assert "30 credits available, 10 left" in said
    other.place()
    assert states() == [RELEASED, CAPTURED]
    assert code.balance() == 10


def test_nobody_is_locked_out_beside_credits_that_expired(
    learner, code, away, training
):
    code.grants.update(credits=20, remaining=20)
    learner.place()
    Redemption.objects.update(expires_at=timezone.now())
    add_grant(code, 5, expires_at=timezone.now())
    other = Learner(make_learner())
    other.add(training.product)

    assert "20 credits available, 0 left" in other.apply(TEXT)


def test_who_comes_back_too_late_is_not_given_what_others_have_spent(
    learner, code, away, training
):
    grant = code.grants.get()
    CreditGrant.objects.filter(pk=grant.pk).update(credits=20, remaining=20)
    learner.place()
    Redemption.objects.update(expires_at=timezone.now())
    other = Learner(make_learner())
    other.add(training.product)
    other.apply(TEXT)
    other.place()

    back = learner.client.get(reverse("gateway-return"))

    assert "This order needs 20 credits" in errors(back)
    assert away.charged == []
    assert not Order.objects.filter(user=learner.user).exists()
    assert code.balance() == 0


@pytest.fixture
def half(learner, code, training, away):
    """A code that was to pay 5 of the 105 credits held by who went away.

    Then the hold lapsed, and somebody else spent what the other code had held.
    """
    sell_as_training(training.product, credits=105, credit_only=True)
    half = make_code(110, text="SECOND-2026")
    learner.apply("SECOND-2026")
    learner.place()
    assert (code.balance(), half.balance()) == (0, 105)
    Redemption.objects.update(expires_at=timezone.now())
    other = Learner(make_learner())
    other.add(make_training(credits=100, credit_only=True, price=None).product)
    other.apply(TEXT)
    other.place()
    assert states() == [RELEASED, HELD, CAPTURED]
    return half


def test_half_a_hold_does_not_pay_the_whole(learner, half, away):
    back = learner.client.get(reverse("gateway-return"), follow=True)

    # The other code was to give 5 of the 105, and now would give all.
    assert CHANGED in words(text_of(back))
    assert away.charged == []
    assert learner.order() is None
    learner.place()
    learner.client.get(reverse("gateway-return"))
    assert learner.order().credit_redemptions.get().credits == 105
    assert away.charged == [Decimal("25.00")]
    assert half.balance() == 5
    assert list(api.audit()) == []


def test_half_a_hold_is_given_back_where_too_little_is_left(learner, half, away):
    place_order(
        make_learner(), (make_training(credits=9).product, 1), text="SECOND-2026"
    )

    back = learner.client.get(reverse("gateway-return"))

    assert errors(back)
    assert away.charged == []
    assert learner.order() is None
    assert half.balance() == 101
    assert list(api.audit()) == []


def lapse() -> None:
    later = timezone.now() + timedelta(hours=1)
    assert redemption.release_expired(later) == 1


def test_who_comes_back_late_to_another_price_is_asked_again(
    learner, code, away, training
):
    learner.place()
    lapse()
    sell_as_training(training.product, credits=30, credit_only=True)

    back = learner.client.get(reverse("gateway-return"), follow=True)

    assert CHANGED in words(text_of(back))
    assert away.charged == []
    assert learner.order() is None
    assert code.balance() == 100
    learner.place()
    learner.client.get(reverse("gateway-return"))
    assert learner.order().credit_redemptions.get().credits == 30


def test_who_comes_back_late_is_not_charged_by_another_code(learner, code, away):
    other = make_code(100, text="SECOND-2026")
    learner.apply("SECOND-2026")
    learner.place()
    lapse()
    set_state(code, "disabled")

    back = learner.client.get(reverse("gateway-return"), follow=True)

    assert CHANGED in words(text_of(back))
    assert away.charged == []
    assert other.balance() == 100


@pytest.mark.parametrize("credits", [20, 15])
def test_who_comes_back_late_to_the_same_for_as_much_or_less_has_the_order(
    learner, code, away, training, voucher, credits
):
    learner.apply("SPRING10")
    learner.place()
    lapse()
    sell_as_training(training.product, credits=credits, credit_only=True)

    back = learner.client.get(reverse("gateway-return"))

    assert back.url == reverse("checkout:thank-you")
    assert away.charged == [Decimal("22.50")]
    assert code.balance() == 100 - credits


def test_what_is_held_is_ordered_whatever_changes_meanwhile(
    learner, code, away, training
):
    learner.place()
    sell_as_training(training.product, credits=30, credit_only=True)

    back = learner.client.get(reverse("gateway-return"))

    assert back.url == reverse("checkout:thank-you")
    assert code.balance() == 80


def test_expired_holds_are_released_at_once(learner, code, away):
    learner.place()

    assert redemption.release_expired() == 0
    later = timezone.now() + timedelta(hours=1)
    assert redemption.release_expired(later) == 1
    assert redemption.release_expired(later) == 0
    assert code.balance() == 100
    assert_balanced()


def test_a_hold_lasts_as_long_as_the_site_says(learner, away, settings):
    settings.TRAINING_CREDITS_HOLD_MINUTES = 5

    learner.place()

    left = Redemption.objects.get().expires_at - timezone.now()
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)


def test_a_second_click_during_payment_waits_for_the_order(
    learner, code, gateway, monkeypatch
):
    page = learner.preview()
    clicks = []

    def click_again(view, order_number, total):
        if not clicks:
            clicks.append(learner.place(page))
        gateway.charge(view, order_number, total)

    monkeypatch.setattr(gateway, "handle_payment", click_again)

    response = learner.place(page)

    (second,) = clicks
    waiting = learner.client.get(second.url)
    assert response.url == reverse("checkout:thank-you")
    assert gateway.charged == [Decimal("25.00")]
    assert waiting.url == reverse("checkout:thank-you")
    assert code.balance() == 80


def test_the_waiting_page_looks_again_by_itself(learner, code, away):
    learner.place()
    basket = Basket.objects.get(owner=learner.user, status=Basket.FROZEN)

    page = learner.client.get(reverse("training_credits:under-way", args=[basket.pk]))

    assert "Your order is being placed" in words(text_of(page))
    assert 'http-equiv="refresh"' in text_of(page)


def test_nobody_waits_for_the_order_of_another(learner, code, away):
    learner.place()
    basket = Basket.objects.get(owner=learner.user, status=Basket.FROZEN)
    other = Learner(make_learner())

    page = other.client.get(reverse("training_credits:under-way", args=[basket.pk]))

    assert page.status_code == 404


def waiting_since(seconds: int, address: str) -> str:
    """Return the address of the waiting page for who came so much earlier."""
    page, since = address.split("=")
    return f"{page}={int(since) - seconds}"


def test_who_left_the_payment_is_led_back_to_the_order(learner, code, away):
    learner.place()
    notice = learner.basket_page()
    (address,) = re.findall(r'href="([^"]*/orders/[^"]*)"', notice)

    waiting = learner.client.get(address)
    page = learner.client.get(waiting_since(60, address))
    back = learner.client.post(waiting_since(60, address))

    assert "An order of yours has not been finished" in words(notice)
    assert "Your order is being placed" in words(text_of(waiting))
    assert "Go back to the order" in words(text_of(page))
    assert (code.balance(), states()) == (100, [RELEASED])
    assert "20 credits taken, 80 credits left" in words(learner.basket_page())
    assert back.url == reverse("checkout:preview")


def test_a_basket_taken_back_can_be_ordered(learner, code, away, monkeypatch):
    address = waiting_since(60, waiting_address_of(learner))
    learner.client.post(address)
    gateway = install(monkeypatch, Gateway())

    learner.place()

    assert gateway.charged == [Decimal("25.00")]
    assert states() == [RELEASED, CAPTURED]
    assert learner.order().lines.count() == 2
    assert learner.client.post(address).url == reverse("checkout:thank-you")
    assert_balanced()


def waiting_address_of(learner: Learner) -> str:
    """Leave the payment, and send the form again."""
    page = learner.preview()
    learner.place(page)
    return str(learner.place(page).url)


def test_what_was_added_meanwhile_is_in_the_basket_taken_back(learner, code, away):
    address = waiting_address_of(learner)
    learner.add(make_product(price="10.00"))

    learner.client.post(waiting_since(60, address))

    assert Basket.open.get(owner=learner.user).num_lines == 3


def test_a_basket_is_not_taken_back_from_a_click_at_work(learner, code, away):
    address = waiting_address_of(learner)

    answer = learner.client.post(waiting_since(30, address))

    assert answer.url == address
    assert states() == [HELD]
    assert not Basket.open.filter(owner=learner.user, lines__isnull=False).exists()


@pytest.mark.parametrize("since", ["", "?since=", "?since=-1", "?since=soon"])
def test_an_address_that_does_not_say_since_when_waits(learner, code, away, since):
    page = waiting_address_of(learner).partition("?")[0]

    learner.client.post(page + since)

    assert states() == [HELD]


def test_nobody_takes_the_basket_of_another_back(learner, code, away):
    address = waiting_since(60, waiting_address_of(learner))
    other = Learner(make_learner())

    assert other.client.post(address).status_code == 404
    assert states() == [HELD]


def test_a_purchase_on_a_course_page_is_not_taken_back(learner, code, training):
    course = make_course(training.product, credits=20, credit_only=True)
    apply = reverse("training_credits:purchase-apply", args=[course.training.pk])
    learner.client.post(apply, {"code": TEXT})
    basket = Basket.objects.get(status=Basket.FROZEN)

    page = reverse("training_credits:under-way", args=[basket.pk])

    assert learner.client.post(f"{page}?since=0").status_code == 404


def test_a_payment_that_ends_after_the_basket_was_taken_back_is_ordered(
    learner, code, gateway, monkeypatch
):
    page = learner.preview()

    def charge_slowly(view, order_number, total):
        address = waiting_since(60, str(learner.place(page).url))
        learner.client.post(address)
        gateway.charge(view, order_number, total)

    monkeypatch.setattr(gateway, "handle_payment", charge_slowly)

    response = learner.place(page)

    assert response.url == reverse("checkout:thank-you")
    assert states() == [RELEASED, CAPTURED]
    assert code.balance() == 80
    assert_balanced()


def test_a_payment_for_an_order_that_was_paid_meanwhile_is_to_be_refunded(
    learner, code, gateway, monkeypatch, told
):
    page = learner.preview()

    def charge_once_more(view, order_number, total):
        monkeypatch.setattr(gateway, "handle_payment", gateway.charge)
        learner.client.post(waiting_since(60, str(learner.place(page).url)))
        learner.place()
        gateway.charge(view, f"{order_number}-again", total)

    monkeypatch.setattr(gateway, "handle_payment", charge_once_more)

    response = learner.place(page)

    order = Order.objects.get()
    assert response.url == reverse("checkout:thank-you")
    assert told == [f"card-{order.number}-again"]
    assert code.balance() == 80
    assert_balanced()


def test_who_comes_back_twice_at_once_is_held_for_once(learner, code, away):
    learner.place()
    Redemption.objects.update(expires_at=timezone.now())
    redemption.release_expired()
    back = reverse("gateway-return")
    others = []

    def come_back_too(**kwargs):
        if not others:
            others.append(None)
            learner.client.get(back)

    pre_payment.connect(come_back_too)
    try:
        response = learner.client.get(back)
    finally:
        pre_payment.disconnect(come_back_too)

    assert response.url == reverse("checkout:thank-you")
    assert away.charged == [Decimal("25.00")]
    assert states() == [RELEASED, CAPTURED]
    assert code.balance() == 80


def test_a_return_that_read_the_basket_too_early_is_shown_the_order(
    learner, code, monkeypatch
):
    install(monkeypatch, Redirecting())
    learner.place()
    back = reverse("gateway-return")
    under_way = learner.client.session["checkout_data"]
    learner.client.get(back)
    order = Order.objects.get()
    session = learner.client.session
    session["checkout_data"] = under_way
    session.save()
    # As it was when the second return read it, a moment before the order.
    Basket.objects.filter(pk=order.basket_id).update(status=Basket.FROZEN)

    response = learner.client.get(back)

    assert response.url == reverse("checkout:thank-you")
    assert Order.objects.count() == 1
    assert code.balance() == 80


# What was taken for an order that is not there


@pytest.fixture
def cut_off(learner, gateway, monkeypatch):
    """Let the server die after the charge, of which the hold's time has passed."""

    def die(*args, **kwargs):
        raise SystemExit

    with monkeypatch.context() as patched:
        creator = get_class("order.utils", "OrderCreator")
        patched.setattr(creator, "place_order", die)
        with pytest.raises(SystemExit):
            learner.place()
    past = timezone.now() - timedelta(hours=1)
    TakenPayment.objects.update(created_at=past)
    Redemption.objects.update(created_at=past, expires_at=past)
    return TakenPayment.objects.get()


def test_an_order_leaves_no_note_of_its_payment(learner, code, gateway, told):
    learner.place()

    assert not TakenPayment.objects.exists()
    assert told == []


def test_what_was_taken_for_an_order_that_never_came_is_told_once(cut_off, told):
    settled = [api.resolve_lost_payments(), api.resolve_lost_payments()]

    assert settled == [1, 0]
    assert told == [cut_off.reference]
    cut_off.refresh_from_db()
    assert cut_off.settled_at


def test_what_was_taken_a_moment_ago_is_left_alone(cut_off, told):
    TakenPayment.objects.update(created_at=timezone.now())

    assert api.resolve_lost_payments() == 0
    assert told == []


def test_what_nobody_hears_is_told_again(cut_off):
    def fail(**kwargs):
        raise RuntimeError("A receiver of the site fails.")

    assert api.resolve_lost_payments() == 1
    signals.money_taken_without_order.connect(fail)
    try:
        assert api.resolve_lost_payments() == 1
    finally:
        signals.money_taken_without_order.disconnect(fail)

    (line,) = api.lost_payments()
    assert f"£25.00 were taken for order {cut_off.order_number}" in str(line)


def take_back(learner):
    """Take the basket back, as the basket page offers."""
    (address,) = re.findall(r'href="([^"]*/orders/[^"]*)"', learner.basket_page())
    learner.client.post(address)


def test_a_retry_that_the_gateway_knows_is_no_second_payment(
    learner, cut_off, told, gateway
):
    take_back(learner)

    learner.place()

    assert Order.objects.get().number == cut_off.order_number
    assert not TakenPayment.objects.exists()
    assert told == []


def test_of_two_payments_for_one_order_the_first_is_to_be_refunded(
    learner, cut_off, told
):
    TakenPayment.objects.update(reference="card-first")
    take_back(learner)

    learner.place()

    order = Order.objects.get()
    assert told == ["card-first"]
    assert order.sources.filter(reference=f"card-{order.number}").exists()


def test_an_order_that_was_cut_off_before_its_payment_was_written_gets_it(
    learner, gateway, told, monkeypatch
):
    def die(*args, **kwargs):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(get_model("payment", "Source"), "save", unless_ours(die))
        with pytest.raises(SystemExit):
            learner.place()
    TakenPayment.objects.update(created_at=timezone.now() - timedelta(hours=1))

    assert api.resolve_lost_payments() == 1

    order = Order.objects.get()
    source = order.sources.get(reference=f"card-{order.number}")
    assert source.amount_debited == Decimal("25.00")
    assert not TakenPayment.objects.exists()
    assert told == []


def unless_ours(die):
    save = get_model("payment", "Source").save

    def save_or_die(source, *args, **kwargs):
        if not source.reference.startswith("redemption-"):
            die()
        save(source, *args, **kwargs)

    return save_or_die


@pytest.mark.parametrize(
    ("error", "expected"),
    [(PaymentError("Declined after all."), []), (OSError("Cut off."), ["card"])],
    ids=["the site's word", "a crash"],
)
def test_what_is_taken_before_the_payment_fails(
    learner, gateway, monkeypatch, told, error, expected
):
    def charge_and_fail(view, order_number, total):
        gateway.charge(view, order_number, total)
        raise error

    monkeypatch.setattr(gateway, "handle_payment", charge_and_fail)

    learner.place()

    assert [reference.partition("-")[0] for reference in told] == expected
    assert TakenPayment.objects.count() == len(expected)


PAYMENTS = reverse_lazy("admin:training_credits_takenpayment_changelist")


def settle(client, payment):
    form = {"action": "note_paid_back", "_selected_action": [payment.pk]}
    answer = client.post(PAYMENTS, form, follow=True)
    return [str(message) for message in answer.context["messages"]]


def test_staff_note_that_a_payment_was_paid_back(cut_off, admin_client):
    listed = words(text_of(admin_client.get(PAYMENTS)))

    said = settle(admin_client, cut_off)

    assert cut_off.reference in listed
    assert said == ["1 payment settled."]
    assert list(api.lost_payments()) == []


def test_a_payment_is_settled_once_and_never_edited(cut_off, admin_client):
    settle(admin_client, cut_off)
    cut_off.refresh_from_db()
    change = reverse("admin:training_credits_takenpayment_change", args=[cut_off.pk])

    again = settle(admin_client, cut_off)
    edited = admin_client.post(change, {"reference": "other"})

    assert again == ["0 payments settled."]
    assert edited.status_code == 403
    assert TakenPayment.objects.get().settled_at == cut_off.settled_at


def test_who_may_only_look_settles_no_payment(cut_off, client):
    user = make_learner(is_staff=True)
    codename = "view_takenpayment"
    user.user_permissions.add(Permission.objects.get(codename=codename))
    client.force_login(user)

    settle(client, cut_off)

    assert [lost.pk for lost in api.lost_payments()] == [cut_off.pk]


@pytest.mark.parametrize(("allocated", "debited"), [(180, 0), (180, 180), (0, 180)])
def test_what_was_reserved_is_to_be_paid_back_as_what_was_taken(allocated, debited):
    payment = TakenPayment(amount_allocated=allocated, amount_debited=debited)

    assert payment.amount == 180
