"""Oscar's checkout, with credits."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponseRedirect
from django.urls import reverse
from oscar.apps.checkout.exceptions import FailedPreCondition
from oscar.apps.payment.exceptions import RedirectRequired, UnableToTakePayment
from oscar.core.loading import get_model

from ..mixins import Extension
from . import shown
from .availability import obstacle_texts
from .exceptions import BasketAlreadyOrdered, BasketUnderWay, OrderRefused
from .orders import needs_account, needs_code, placed_order, price_changed
from .quotes import is_frozen, quote_of
from .shown import Shown, money_of
from .training import takes_part
from .unfinished import waiting_address


class CheckoutSessionMixin(Extension):
    """For Oscar's `checkout.session.CheckoutSessionMixin`."""

    def skip_unless_payment_is_required(self, request: Any) -> None:
        """Show the payment step wherever credits can pay, though the total be 0.

        It is where a code is entered.
        """
        if takes_part(request.basket) and quote_of(request.basket).items:
            return
        super().skip_unless_payment_is_required(request)

    def check_basket_is_valid(self, request: Any) -> None:
        """Say what is wrong where Oscar would say that it is no longer available."""
        failed = None
        try:
            # First, as it reads each product, which then costs no query more.
            super().check_basket_is_valid(request)
        except FailedPreCondition as error:
            failed = error
        if texts := obstacle_texts(request.basket):
            address = reverse("basket:summary")
            raise FailedPreCondition(url=address, messages=texts) from failed
        if failed:
            raise failed


class PaymentDetailsViewMixin(Extension):
    """For Oscar's `checkout.views.PaymentDetailsView`: payment and preview."""

    preview: bool
    request: Any
    checkout_session: Any

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        before = shown.read(request.POST) if request.method == "POST" else None
        if before and before.basket_id != request.basket.pk:
            self.request = request
            if again := self.answer_again(before):
                return again
        return super().dispatch(request, *args, **kwargs)

    def answer_again(self, before: Shown) -> Any:
        """Answer a confirmation that was sent before; None if there was none."""
        if not self.request.user.is_authenticated:
            return None
        Basket = get_model("basket", "Basket")
        own = Basket._default_manager.filter(owner=self.request.user)
        basket = own.filter(pk=before.basket_id).first()
        if basket and (order := placed_order(basket)):
            return self.show_order_again(order)
        if basket and is_frozen(basket):
            return HttpResponseRedirect(waiting_address(basket))
        return None

    def get_pre_conditions(self, request: Any) -> list[str]:
        conditions = list(super().get_pre_conditions(request))
        conditions.append("check_learner_is_known")
        if self.preview:
            conditions.append("check_credits_cover_basket")
        return conditions

    def check_learner_is_known(self, request: Any) -> None:
        """Access belongs to somebody, so training is not sold to guests."""
        if not request.user.is_authenticated and takes_part(request.basket):
            here = reverse("checkout:payment-details")
            raise FailedPreCondition(
                url=redirect_to_login(here).url,
                message=needs_account(),
            )

    def check_credits_cover_basket(self, request: Any) -> None:
        if takes_part(request.basket):
            quote = quote_of(request.basket)
            if quote.blocking:
                raise FailedPreCondition(
                    url=reverse("checkout:payment-details"), message=needs_code(quote)
                )

    def handle_place_order_submission(self, request: Any) -> Any:
        if takes_part(request.basket):
            before = shown.read(request.POST)
            total = self.build_submission()["order_total"]
            now = shown.terms_of(request.basket, total)
            if before and (before.basket_id != now.basket_id or before.is_dearer(now)):
                return self.render_preview(request, error=price_changed())
        return super().handle_place_order_submission(request)

    def submit(
        self,
        user: Any,
        basket: Any,
        shipping_address: Any,
        shipping_method: Any,
        shipping_charge: Any,
        billing_address: Any,
        order_total: Any,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        self.money_to_pay = money_of(order_total)
        # Here, as a gateway's return calls it without the form.
        try:
            return super().submit(
                user,
                basket,
                shipping_address,
                shipping_method,
                shipping_charge,
                billing_address,
                order_total,
                *args,
                **kwargs,
            )
        except BasketAlreadyOrdered as again:
            return self.show_order_again(again.order)
        except BasketUnderWay as twice:
            return HttpResponseRedirect(waiting_address(twice.basket))

    def handle_payment(self, order_number: Any, total: Any, **kwargs: Any) -> Any:
        """Hold the credits, then let the site take the money that remains.

        No payment is taken for an order that credits do not cover, and none is asked
        for where nothing remains. What is held is captured with the order, or released
        by `restore_frozen_basket`.
        """
        basket = self.basket_being_paid()
        if takes_part(basket):
            quote = quote_of(basket)
            if quote.blocking:
                raise UnableToTakePayment(needs_code(quote))
            if quote.covered and not money_of(total):
                return None
            if quote.covered:
                try:
                    self.hold_credits(order_number, basket)
                except BasketAlreadyOrdered as again:
                    # Oscar's way to end a checkout elsewhere before it is paid.
                    shown_again = self.show_order_again(again.order)
                    raise RedirectRequired(url=shown_again.url) from again
                except OrderRefused as refused:
                    raise UnableToTakePayment(str(refused)) from refused
            with self.noting_payments(order_number, basket):
                return super().handle_payment(order_number, total, **kwargs)
        return super().handle_payment(order_number, total, **kwargs)

    def basket_being_paid(self) -> Any:
        """Return the basket of this submission: a gateway's return has another one."""
        basket = self.request.basket
        if basket.pk == self.checkout_session.get_submitted_basket_id():
            return basket
        submitted = self.get_submitted_basket()
        submitted.strategy = self.request.strategy
        return submitted
