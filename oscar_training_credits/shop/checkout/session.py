"""A mixin for the steps of Oscar's checkout."""

from __future__ import annotations

import logging
from typing import Any

from django.db import OperationalError
from django.http import HttpResponseRedirect
from django.urls import reverse
from oscar.apps.checkout.exceptions import FailedPreCondition
from oscar.apps.checkout.utils import CheckoutSessionData
from oscar.core.loading import get_class, get_model

from ...aliases import Request
from ..basket.frozen import waiting_url
from ..basket.obstacles import unavailable_texts
from ..basket.quotes import quote_of
from ..catalogue.training import takes_part
from ..exceptions import BasketAlreadyOrdered, OrderRefused
from ..order import confirmed
from ..personal import PersonalPageMixin
from .holds import hold_credits
from .mixins import answer_refusal
from .views import PaymentDetailsViewMixin

logger = logging.getLogger("training_credits")
PAYMENT_STEPS = ("checkout:payment-details", "checkout:preview")


class TrainingCheckoutSessionMixin(PersonalPageMixin):
    """For Oscar's `checkout.session.CheckoutSessionMixin`: for each checkout view."""

    request: Request
    checkout_session: Any

    def dispatch(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        refused = self.refuse_before_payment(request)
        return refused or super().dispatch(request, *args, **kwargs)

    def refuse_before_payment(self, request: Request) -> Any:
        """Return the answer to who can't have what they are about to pay; or None."""
        if basket := basket_at_stake(self, request):
            self.checkout_session = CheckoutSessionData(request)
            number = self.checkout_session.get_order_number()
            try:
                hold_credits(number or self.generate_order_number(basket), basket)
            except BasketAlreadyOrdered:
                # The view will be told when it asks to place it.
                pass
            except OrderRefused as refused:
                self.checkout_session.set_submitted_basket(basket)
                self.restore_frozen_basket()
                return self.refuse_payment(refused)
            except OperationalError:
                logger.exception("Basket %s: the database gave up", basket.pk)
                return HttpResponseRedirect(waiting_url(basket))
        return None

    def refuse_payment(self, refused: OrderRefused) -> Any:
        """Answer a purchase that was refused before any money was taken."""
        return answer_refusal(self.request, refused)

    def skip_unless_payment_is_required(self, request: Request) -> None:
        """Show the payment step wherever credits can pay, though the total be 0.

        It is where a code is entered.
        """
        if takes_part(request.basket) and quote_of(request.basket).items:
            return
        super().skip_unless_payment_is_required(request)

    def check_basket_is_valid(self, request: Request) -> None:
        """Say what is wrong where Oscar would say that it is no longer available."""
        failed = None
        try:
            # First, as it reads each product, which then costs no query more.
            super().check_basket_is_valid(request)
        except FailedPreCondition as error:
            failed = error
        if texts := unavailable_texts(request.basket):
            address = reverse("basket:summary")
            raise FailedPreCondition(url=address, messages=texts) from failed
        if failed:
            raise failed


def basket_at_stake(view: Any, request: Request) -> Any:
    """Return the basket for which `view` may take money, however it does; or None.

    Customers come back from paying elsewhere to views that may charge before they ask
    Oscar's checkout to place the order, or that know nothing of ours.
    """
    from oscar.apps.checkout.mixins import OrderPlacementMixin as Placing

    if not isinstance(view, Placing):
        return None
    basket = None
    if not is_step(request):
        basket = begun_basket(request)
    elif request.method == "POST" and not isinstance(view, PaymentDetailsViewMixin):
        basket = request.basket
    return basket if basket and takes_part(basket) else None


def is_step(request: Request) -> bool:
    """Tell whether this is a step of Oscar's own checkout."""
    match = request.resolver_match
    return bool(match and match.view_name in PAYMENT_STEPS)


def begun_basket(request: Request) -> Any:
    """Return the basket whose payment has begun in this session, or None."""
    Basket = get_model("basket", "Basket")
    session = CheckoutSessionData(request)
    basket_id = session.get_submitted_basket_id()
    frozen = Basket._default_manager.filter(pk=basket_id, status=Basket.FROZEN)
    if basket := frozen.first():
        basket.strategy = request.strategy
        confirmed.recall(basket, session=session)
        if takes_part(basket):
            # As it was shown: what it costs now is compared with that.
            Applicator = get_class("offer.applicator", "Applicator")
            Applicator().apply(basket, request.user, request)
    return basket
