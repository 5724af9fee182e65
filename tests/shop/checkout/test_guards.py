"""A credit-only line can't be had without credits: five guards, each enough alone.

Each test switches the other four off, as a site might by mistake, and tries to get
the goods through the real checkout.
"""

from __future__ import annotations

import pytest
from django.urls import reverse
from oscar.core.loading import get_class, get_model

from oscar_training_credits.credits.models import Access
from oscar_training_credits.shop.checkout import holds, session, views
from oscar_training_credits.shop.order import creator
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_training,
)

from ...support.shop import Learner, errors, text_of, words

Basket = get_model("basket", "Basket")
Order = get_model("order", "Order")

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]


@pytest.fixture
def switch_off(monkeypatch):
    """Switch guards off by name."""
    view = views.PaymentDetailsViewMixin

    def payment_step():
        monkeypatch.delattr(
            session.TrainingCheckoutSessionMixin, "skip_unless_payment_is_required"
        )

    def preview():
        monkeypatch.setattr(view, "check_credits_cover_basket", lambda *_: None)

    def freeze():
        monkeypatch.setattr(holds, "refuse_unless_priced_so", lambda *_: None)

    def payment():
        monkeypatch.delattr(view, "handle_payment")

    def order():
        monkeypatch.setattr(creator, "refuse_unless_priced_so", lambda *_: None)

    guards = {"step": payment_step, "preview": preview, "payment": payment}
    guards |= {"freeze": freeze, "order": order}

    def switch(*names):
        for name in names:
            guards[name]()

    return switch


@pytest.fixture
def learner():
    learner = Learner(make_learner())
    learner.add(make_training(credits=35, credit_only=True).product)
    learner.client.get(reverse("checkout:index"), follow=True)
    return learner


def confirm(learner):
    return learner.client.post(
        reverse("checkout:preview"), {"action": "place_order"}, follow=True
    )


def test_without_any_guard_the_goods_would_be_free(learner, switch_off):
    switch_off("step", "preview", "freeze", "payment", "order")

    confirm(learner)

    assert Order.objects.get().total_incl_tax == 0


def test_the_payment_step_is_shown_though_the_total_is_zero(learner, switch_off):
    switch_off("preview", "freeze", "payment", "order")

    response = learner.client.get(reverse("checkout:payment-details"))

    assert response.status_code == 200
    assert "Enter promotion, license or credit code" in text_of(response)
    assert "Review and Pay" not in text_of(response)


def test_the_preview_needs_a_code_that_covers(learner, switch_off):
    switch_off("step", "freeze", "payment", "order")

    page = learner.client.get(reverse("checkout:preview"))
    click = learner.client.post(reverse("checkout:preview"), {"action": "place_order"})

    assert page.url == click.url == reverse("training_credits:enter-code")
    assert not Order.objects.exists()


def test_the_basket_is_not_frozen_for_a_payment(learner, switch_off):
    switch_off("step", "preview", "payment", "order")

    response = confirm(learner)

    assert "This order needs 35 credits" in errors(response)
    assert Basket.objects.get(owner=learner.user).status == Basket.OPEN
    assert not Order.objects.exists()


def test_payment_is_refused(learner, switch_off):
    switch_off("step", "preview", "freeze", "order")

    response = confirm(learner)

    assert "This order needs 35 credits" in errors(response)
    assert not Order.objects.exists()


def test_the_order_is_not_written(learner, switch_off):
    switch_off("step", "preview", "freeze", "payment")

    response = confirm(learner)

    assert "This order needs 35 credits" in errors(response)
    assert not Order.objects.exists()
    assert not Access.objects.exists()


def test_after_a_refusal_the_basket_is_still_there(learner, switch_off):
    switch_off("step", "preview", "freeze", "payment")

    confirm(learner)

    assert "35 credits" in words(learner.basket_page())


def place_by_hand(basket, user):
    """Place an order as a custom view, an API or a shell does."""
    shipping = get_class("shipping.methods", "NoShippingRequired")()
    charge = shipping.calculate(basket)
    total = get_class("checkout.calculators", "OrderTotalCalculator")()
    return get_class("order.utils", "OrderCreator")().place_order(
        basket=basket,
        user=user,
        total=total.calculate(basket, charge),
        shipping_method=shipping,
        shipping_charge=charge,
    )


def test_code_that_places_orders_itself_is_guarded_too():
    user = make_learner()
    basket = make_basket(user, (make_training(credits=35, credit_only=True).product, 1))

    with pytest.raises(creator.OrderRefused, match="35 credits"):
        place_by_hand(basket, user)

    assert not Order.objects.exists()


def test_a_strategy_that_gives_it_away_is_not_believed():
    class Free(get_class("partner.strategy", "Default")):
        def fetch_for_product(self, product, stockrecord=None):
            info = super().fetch_for_product(product, stockrecord)
            FixedPrice = get_class("partner.prices", "FixedPrice")
            return info._replace(price=FixedPrice("GBP", excl_tax=0, tax=0))

    user = make_learner()
    make_code(100, text="ACME-2026-TEAM")
    basket = make_basket(user, (make_training(credits=35, credit_only=True).product, 1))
    basket.strategy = Free()

    with pytest.raises(creator.OrderRefused):
        place_by_hand(basket, user)

    assert not Order.objects.exists()


def test_without_the_package_it_has_no_price_and_can_not_be_put_in_a_basket():
    from oscar.apps.partner.strategy import Default

    product = make_training(credits=35, credit_only=True).product

    assert not Default().fetch_for_product(product).price.exists


def test_a_money_price_typed_in_behind_our_back_does_not_sell_it(learner):
    product = make_training(credits=35, credit_only=True).product
    product.stockrecords.update(price="9.00")
    other = Learner(make_learner())
    other.add(product)

    assert "£9.00" not in words(other.basket_page())
    confirm(other)
    assert not Order.objects.exists()


def test_nobody_buys_training_without_an_account(switch_off):
    basket = make_basket(None, (make_training(price="90.00", credits=None).product, 1))

    with pytest.raises(creator.OrderRefused, match="Log in or register"):
        place_by_hand(basket, None)

    assert not Order.objects.exists()
