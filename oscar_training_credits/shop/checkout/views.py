"""Oscar's checkout, with credits."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import HttpResponseRedirect
from django.urls import reverse
from oscar.apps.checkout.exceptions import FailedPreCondition
from oscar.apps.payment.exceptions import RedirectRequired, UnableToTakePayment
from oscar.core.loading import get_model

from ...aliases import Basket, Request
from ...mixins import Extension
from ..basket.frozen import waiting_url
from ..basket.quotes import is_frozen, quote_of
from ..basket.wording import needs_account, needs_code, with_code_link
from ..catalogue.training import takes_part
from ..exceptions import BasketAlreadyOrdered, BasketUnderWay, OrderRefused
from ..order import confirmed
from ..order.confirmed import ConfirmedPrice, money_of
from ..order.creator import placed_order, refuse_ordered, refuse_unless_as_read
from ..partner.stock import refuse_out_of_stock, tracked_lines


class PaymentDetailsViewMixin(Extension):
    """For Oscar's `checkout.views.PaymentDetailsView`: payment and preview."""

    preview: bool
    request: Request
    checkout_session: Any

    def dispatch(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        before = confirmed.read(request.POST) if request.method == "POST" else None
        if before and before.basket_id != request.basket.pk:
            self.request = request
            if again := self.answer_again(before):
                return again
        return super().dispatch(request, *args, **kwargs)

    def answer_again(self, before: ConfirmedPrice) -> Any:
        """Answer a confirmation that was sent before; None if there was none."""
        if not self.request.user.is_authenticated:
            return None
        Basket = get_model("basket", "Basket")
        own = Basket._default_manager.filter(owner=self.request.user)
        basket = own.filter(pk=before.basket_id).first()
        if basket and (order := placed_order(basket)):
            return self.show_order_again(order)
        if basket and is_frozen(basket):
            return HttpResponseRedirect(waiting_url(basket))
        return None

    def check_pre_conditions(self, request: Request) -> None:
        """Ask for nothing more where another tab has ordered the basket meanwhile.

        Its owner has the access by then, and its code has no credits left.
        """
        try:
            super().check_pre_conditions(request)
        except FailedPreCondition:
            if takes_part(request.basket):
                refuse_ordered(request.basket)
            raise

    def get_pre_conditions(self, request: Request) -> list[str]:
        conditions = list(super().get_pre_conditions(request))
        conditions.append("check_learner_is_known")
        if self.preview:
            conditions.append("check_credits_cover_basket")
        return conditions

    def check_learner_is_known(self, request: Request) -> None:
        """Access belongs to somebody, so training is not sold to guests."""
        if not request.user.is_authenticated and takes_part(request.basket):
            here = reverse("checkout:payment-details")
            raise FailedPreCondition(
                url=redirect_to_login(here).url,
                message=needs_account(),
            )

    def check_credits_cover_basket(self, request: Request) -> None:
        if takes_part(request.basket):
            quote = quote_of(request.basket)
            if quote.blocking:
                raise FailedPreCondition(
                    # Not the payment step: a site may skip that, back to the preview.
                    url=reverse("training_credits:enter-code"),
                    message=needs_code(quote),
                )

    def handle_place_order_submission(self, request: Request) -> Any:
        if takes_part(request.basket):
            if text := self.change_since_shown(request):
                refuse_ordered(request.basket)
                return self.render_preview(request, error=text)
            confirmed.confirm(request.basket, confirmed.read(request.POST))
        return super().handle_place_order_submission(request)

    def change_since_shown(self, request: Request) -> str:
        """Return what is said if it is not what was shown; empty if nothing was."""
        total = self.build_submission()["order_total"]
        now = confirmed.price_of(request.basket, total)
        return confirmed.change_since(request.POST, now)

    def submit(
        self,
        user: Any,
        basket: Basket,
        shipping_address: Any,
        shipping_method: Any,
        shipping_charge: Any,
        billing_address: Any,
        order_total: Any,
        payment_kwargs: Any = None,
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
                payment_kwargs,
                *args,
                **kwargs,
            )
        except BasketAlreadyOrdered as again:
            return self.show_order_again(again.order)
        except BasketUnderWay as twice:
            return HttpResponseRedirect(waiting_url(twice.basket))
        except OrderRefused as refused:
            return self.refuse_payment(refused, **(payment_kwargs or {}))

    def handle_order_placement(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().handle_order_placement(*args, **kwargs)
        except BasketUnderWay as twice:
            # Oscar would thaw the basket that another tab is paying for.
            return HttpResponseRedirect(waiting_url(twice.basket))

    def refuse_payment(self, refused: OrderRefused, **kwargs: Any) -> Any:
        """Show the payment step with what was refused before any money was taken."""
        return self.render_payment_details(
            self.request, error=with_code_link(str(refused)), **kwargs
        )

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
                raise UnableToTakePayment(with_code_link(needs_code(quote)))
            if quote.covered and not money_of(total):
                return None
            # Who comes back from paying elsewhere may have paid: the order asks.
            if basket.pk == self.request.basket.pk:
                self.refuse_unpayable(basket)
            if quote.covered:
                try:
                    self.hold_credits(order_number, basket)
                except BasketAlreadyOrdered as again:
                    # Oscar's way to end a checkout elsewhere before it is paid.
                    shown_again = self.show_order_again(again.order)
                    raise RedirectRequired(url=shown_again.url) from again
                except OrderRefused as refused:
                    raise UnableToTakePayment(str(refused)) from refused
            try:
                with self.noting_payments(order_number, basket):
                    return super().handle_payment(order_number, total, **kwargs)
            except RedirectRequired:
                self.refuse_other_lines(basket)
                raise
        return super().handle_payment(order_number, total, **kwargs)

    def refuse_unpayable(self, basket: Basket) -> None:
        """Ask for no money for a seat that is gone by now."""
        if not tracked_lines(basket):
            return
        try:
            with transaction.atomic():
                refuse_out_of_stock(basket)
        except OrderRefused as refused:
            raise UnableToTakePayment(str(refused)) from refused

    def refuse_other_lines(self, basket: Basket) -> None:
        """Send nobody to pay for lines that changed before the basket was frozen.

        Who comes back orders the lines as the basket has them.
        """
        try:
            refuse_unless_as_read(basket)
        except OrderRefused as refused:
            raise UnableToTakePayment(str(refused)) from refused

    def basket_being_paid(self) -> Any:
        """Return the basket of this submission: a gateway's return has another one."""
        basket = self.request.basket
        if basket.pk == self.checkout_session.get_submitted_basket_id():
            return basket
        submitted = self.get_submitted_basket()
        submitted.strategy = self.request.strategy
        return submitted
