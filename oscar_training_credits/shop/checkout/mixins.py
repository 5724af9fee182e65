"""From a basket to one order at most, whatever fails and however often it is tried."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib import messages
from django.db import OperationalError, transaction
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from oscar.apps.payment.exceptions import PaymentError, RedirectRequired
from oscar.core.loading import get_class, get_model

from ...aliases import Basket, Order, Request
from ...credits.codes.applying import move_codes
from ...credits.isolation import own_transaction
from ...credits.ledger import redemption
from ...credits.models import TakenPayment
from ...credits.patience import nothing_taken
from ...mixins import Extension
from ..basket.frozen import waiting_url
from ..basket.quotes import is_frozen, quote_of
from ..catalogue.training import takes_part
from ..exceptions import BasketAlreadyOrdered, BasketUnderWay, OrderRefused
from ..order import confirmed
from ..order.creator import (
    lock_basket,
    lock_unordered,
    placed_order,
)
from ..payment import lost_payments
from ..payment.sources import REFERENCE
from .holds import hold_credits, hold_in_locked

logger = logging.getLogger("training_credits")


class TrainingOrderPlacementMixin(Extension):
    """For Oscar's `checkout.mixins.OrderPlacementMixin`: for all that place orders."""

    request: Request
    checkout_session: Any
    _payment_sources: list[Any] | None
    money_to_pay: Any = None
    """The order's total in money; None where it is not known before the payment."""
    paid_for: tuple[Any, Any] | None = None
    """The number and the basket of the order that the site takes money for just now."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view, exempt from ATOMIC_REQUESTS.

        A hold is committed before a gateway is asked, and an order before its mail
        and receivers can fail.
        """
        return transaction.non_atomic_requests(super().as_view(**initkwargs))

    def dispatch(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """Answer a purchase that `freeze_basket` has refused, whatever view asked it.

        Oscar's `submit` lets that through, as it does not expect a refusal there.
        """
        try:
            return super().dispatch(request, *args, **kwargs)
        except BasketAlreadyOrdered as again:
            return self.show_order_again(again.order)
        except BasketUnderWay as twice:
            return HttpResponseRedirect(waiting_url(twice.basket))
        except OrderRefused as refused:
            return self.refuse_payment(refused)

    def freeze_basket(self, basket: Basket) -> None:
        """Freeze `basket`, and hold the credits that pay for it.

        Oscar and gateways call it right before they take money, however they do that.

        Raises:
            OrderRefused: it could not be ordered; the learner has the basket back.
        """
        if not takes_part(basket):
            super().freeze_basket(basket)
            return
        try:
            self.freeze_training(basket)
        except (BasketAlreadyOrdered, BasketUnderWay):
            raise
        except OrderRefused:
            self.reopen_basket(basket)
            raise
        except OperationalError as error:
            logger.exception("Basket %s: the database gave up", basket.pk)
            if is_frozen(basket):
                # They may have paid elsewhere by now: nobody says that they have not.
                raise BasketUnderWay(basket) from error
            raise OrderRefused(nothing_taken()) from error

    def freeze_training(self, basket: Basket) -> None:
        # Nothing comes between here and the order's transaction where credits pay for
        # all: that asks the same under the same lock, and what is cut off in between
        # leaves an open basket behind.
        if self.money_to_pay == 0 and quote_of(basket).covered:
            return
        # Under the lock: freezing writes the status, and must not undo a submission.
        with own_transaction():
            now = lock_unordered(basket)
            # Who comes back from paying elsewhere knows that the basket is frozen.
            if is_frozen(now) and not is_frozen(basket):
                raise BasketUnderWay(basket)
            number = self.checkout_session.get_order_number()
            hold_in_locked(basket, number or self.generate_order_number(basket))
            super().freeze_basket(basket)
        confirmed.remember(basket, session=self.checkout_session)

    def hold_credits(self, order_number: Any, basket: Basket) -> None:
        """Hold the credits that pay for `basket` while its other money is paid.

        Raises:
            BasketAlreadyOrdered: with the order that the basket has become.
            OrderRefused: it could not be ordered as it stands.
        """
        hold_credits(order_number, basket)

    def restore_frozen_basket(self) -> None:
        """Release what is held and thaw the basket, unless it has become an order.

        Oscar does so before it says that something failed. Where the database gives up
        on it, that is still said; the learner gets the basket back later.
        """
        basket = self._submitted_basket()
        if basket is None or not takes_part(basket):
            super().restore_frozen_basket()
            return
        try:
            self.restore_training(basket)
        except OperationalError:
            logger.exception("Basket %s: left frozen", basket.pk)

    def restore_training(self, basket: Basket) -> None:
        with own_transaction():
            lock_basket(basket)
            if placed_order(basket):
                return
            redemption.release(redemption.held_for(basket))
            newer = self.request.basket.pk
            super().restore_frozen_basket()
            if newer and newer != basket.pk:
                move_codes(from_basket_id=newer, to_basket=basket)
        self.reprice_basket()

    def reopen_basket(self, basket: Basket) -> None:
        """Let the learner try again with a basket whose payment came to no end.

        Whatever is held for it is released. Safe to repeat; a basket that has become
        an order stays one.
        """
        with own_transaction():
            if is_frozen(lock_basket(basket)):
                self.checkout_session.set_submitted_basket(basket)
                self.restore_frozen_basket()

    def reprice_basket(self) -> None:
        """Let the basket show today's prices, codes and offers."""
        basket = self.request.basket
        basket.reset_offer_applications()
        if not basket.is_empty:
            Applicator = get_class("offer.applicator", "Applicator")
            Applicator().apply(basket, self.request.user, self.request)

    def handle_order_placement(
        self, order_number: Any, user: Any, basket: Basket, *args: Any, **kwargs: Any
    ) -> Any:
        place = super().handle_order_placement
        if not takes_part(basket):
            return place(order_number, user, basket, *args, **kwargs)
        try:
            return place(order_number, user, basket, *args, **kwargs)
        except BasketAlreadyOrdered as again:
            if self.money_to_pay == 0:
                return self.show_order_again(again.order)
            self.report_second_payment(order_number, basket, again.order)
            return self.show_order(again.order)
        except Exception:
            # Whatever fails after the order was committed (mail, a receiver) must
            # not look like a failed purchase, or it would be tried again.
            order = placed_order(basket)
            if order is None:
                if taken := self.taken_payments(order_number, basket):
                    logger.exception("Order %s: paid for, and failed", order_number)
                    return self.show_paid_for_nothing(basket, taken)
                raise
            logger.exception("Order %s: failed after it was placed", order.number)
            return self.show_order_despite_failure(order)

    def place_order(self, *args: Any, **kwargs: Any) -> Any:
        order = super().place_order(*args, **kwargs)
        basket = kwargs.get("basket")
        if basket is not None and basket.status == basket.SUBMITTED:
            # In the transaction that wrote the order; Oscar would do it once more.
            basket.submit = _submitted_before
        return order

    @contextmanager
    def noting_payments(self, order_number: Any, basket: Basket) -> Iterator[None]:
        """Note at once what the site takes inside this, until its order is written."""
        self.paid_for = order_number, basket
        try:
            yield
        except RedirectRequired:
            raise
        except PaymentError:
            # By the site's word no money was taken, or none is kept.
            lost_payments.forget(self.taken_payments(order_number, basket))
            raise
        except Exception as error:
            if taken := self.taken_payments(order_number, basket):
                logger.exception("Order %s: paid for, and failed", order_number)
                # Oscar would say that no payment has been taken.
                page = self.show_paid_for_nothing(basket, taken)
                raise RedirectRequired(url=page.url) from error
            raise
        finally:
            self.paid_for = None

    def add_payment_source(self, source: Any) -> None:
        super().add_payment_source(source)
        if self.paid_for:
            order_number, basket = self.paid_for
            source.taken = lost_payments.note_if_possible(
                source, order_number=order_number, basket=basket
            )

    def taken_payments(self, order_number: Any, basket: Basket) -> list[TakenPayment]:
        """Return what this request has taken, noted by now at the latest."""
        return [
            getattr(source, "taken", None)
            or lost_payments.note_if_possible(
                source, order_number=order_number, basket=basket
            )
            for source in self._payment_sources or []
        ]

    def show_paid_for_nothing(
        self, basket: Basket, taken: list[TakenPayment]
    ) -> HttpResponseRedirect:
        """Tell the learner that they have paid, and the site what to give back.

        The basket stays frozen, as nobody shall pay for it again; its credits are
        released, or lapse.
        """
        lost_payments.tell([payment for payment in taken if payment.pk])
        try:
            redemption.release(redemption.held_for(basket))
        except OperationalError:
            logger.exception("Basket %s: its hold is left to lapse", basket.pk)
        return HttpResponseRedirect(waiting_url(basket, is_over=True))

    def save_payment_details(self, order: Order) -> None:
        super().save_payment_details(order)
        if sources := self._payment_sources:
            lost_payments.resolve_for(order, sources)

    def report_second_payment(
        self, order_number: Any, basket: Basket, order: Order
    ) -> None:
        """Tell the site of money taken for an order that had been paid already."""
        self.taken_payments(order_number, basket)
        sources = list(order.sources.all())
        # Oscar notes sources after the order's commit. Where there are none yet, these
        # may well be its own, asked for a second time: left to who is about to.
        if any(not source.reference.startswith(REFERENCE) for source in sources):
            lost_payments.resolve_for(order, sources)

    def show_order_despite_failure(self, order: Order) -> HttpResponseRedirect:
        """End the checkout as if the order's mail and receivers had worked."""
        self.checkout_session.flush()
        return self.show_order(order)

    def show_order(self, order: Order) -> HttpResponseRedirect:
        """Return to the confirmation of an order that has been placed."""
        self.request.session["checkout_order_id"] = order.pk
        return HttpResponseRedirect(reverse("checkout:thank-you"))

    def show_order_again(self, order: Order) -> HttpResponseRedirect:
        """Return to the confirmation of an order that was to be placed once more."""
        text = _("This order has been placed already. You have not been charged again.")
        messages.info(self.request, text)
        return self.show_order(order)

    def refuse_payment(self, refused: OrderRefused) -> Any:
        """Answer a purchase that was refused before any money was taken."""
        return answer_refusal(self.request, refused)

    def _submitted_basket(self) -> Any:
        Basket = get_model("basket", "Basket")
        basket_id = self.checkout_session.get_submitted_basket_id()
        return Basket._default_manager.filter(pk=basket_id).first()


def _submitted_before() -> None:
    """Stand in for the `submit` of a basket that was submitted with its order."""


def answer_refusal(request: Request, refused: OrderRefused) -> HttpResponseRedirect:
    """Lead who was refused to where a code can be entered."""
    messages.error(request, str(refused))
    return HttpResponseRedirect(reverse("training_credits:enter-code"))
