"""From a basket to one order at most, whatever fails and however often it is tried."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from oscar.apps.payment.exceptions import PaymentError, RedirectRequired
from oscar.core.loading import get_class, get_model

from ..conf import settings
from ..credits import redemption
from ..credits.applying import move_codes
from ..credits.models import TakenPayment
from ..mixins import Extension
from . import payments
from .exceptions import BasketAlreadyOrdered, BasketUnderWay
from .orders import (
    REFERENCE,
    lock_basket,
    placed_order,
    refuse_ordered,
    refuse_unless_priced_so,
)
from .quotes import is_frozen, items_of, quote_of
from .training import takes_part

logger = logging.getLogger("training_credits")


class OrderPlacementMixin(Extension):
    """For Oscar's `checkout.mixins.OrderPlacementMixin`: for all that place orders."""

    request: Any
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

    def freeze_basket(self, basket: Any) -> None:
        if not takes_part(basket):
            super().freeze_basket(basket)
            return
        # Under the lock: freezing writes the status, and must not undo a submission.
        with transaction.atomic():
            now = lock_basket(basket)
            refuse_ordered(basket)
            # Who comes back from paying elsewhere knows that the basket is frozen.
            if is_frozen(now) and not is_frozen(basket):
                raise BasketUnderWay(basket)
            # Nothing comes between here and the order's transaction where credits
            # pay for all: what is cut off in between leaves an open basket behind.
            if self.money_to_pay != 0 or not quote_of(basket).covered:
                super().freeze_basket(basket)

    def hold_credits(self, order_number: Any, basket: Any) -> None:
        """Hold the credits that pay for `basket` while its other money is paid.

        Raises:
            BasketAlreadyOrdered: with the order that the basket has become.
            OrderRefused: they no longer settle the lines as these are priced.
        """
        minutes = timedelta(minutes=settings.HOLD_MINUTES)
        with transaction.atomic():
            lock_basket(basket)
            refuse_ordered(basket)
            quote = redemption.locked_quote(
                items_of(basket), basket=basket, learner=basket.owner
            )
            if quote.holds:
                return
            refuse_unless_priced_so(basket, quote)
            redemption.hold(
                quote,
                basket=basket,
                order_number=str(order_number),
                learner=basket.owner,
                until=timezone.now() + minutes,
            )

    def restore_frozen_basket(self) -> None:
        """Release what is held and thaw the basket, unless it has become an order."""
        basket = self._submitted_basket()
        if basket is None or not takes_part(basket):
            super().restore_frozen_basket()
            return
        with transaction.atomic():
            lock_basket(basket)
            if placed_order(basket):
                return
            redemption.release(redemption.held_for(basket))
            newer = self.request.basket.pk
            super().restore_frozen_basket()
            if newer and newer != basket.pk:
                move_codes(from_basket_id=newer, to_basket=basket)
        self.reprice_basket()

    def reopen_basket(self, basket: Any) -> None:
        """Let the learner try again with a basket whose payment came to no end.

        Whatever is held for it is released. Safe to repeat; a basket that has become
        an order stays one.
        """
        with transaction.atomic():
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
        self, order_number: Any, user: Any, basket: Any, *args: Any, **kwargs: Any
    ) -> Any:
        place = super().handle_order_placement
        if not takes_part(basket):
            return place(order_number, user, basket, *args, **kwargs)
        try:
            return place(order_number, user, basket, *args, **kwargs)
        except BasketAlreadyOrdered as again:
            self.report_second_payment(order_number, basket, again.order)
            return self.show_order(again.order)
        except Exception:
            # Whatever fails after the order was committed (mail, a receiver) must
            # not look like a failed purchase, or it would be tried again.
            order = placed_order(basket)
            if order is None:
                payments.tell(self.taken_payments(order_number, basket))
                raise
            logger.exception("Order %s: failed after it was placed", order.number)
            return self.show_order_despite_failure(order)

    @contextmanager
    def noting_payments(self, order_number: Any, basket: Any) -> Iterator[None]:
        """Note at once what the site takes inside this, until its order is written."""
        self.paid_for = order_number, basket
        try:
            yield
        except RedirectRequired:
            raise
        except PaymentError:
            # By the site's word no money was taken, or none is kept.
            payments.forget(self.taken_payments(order_number, basket))
            raise
        except Exception:
            payments.tell(self.taken_payments(order_number, basket))
            raise
        finally:
            self.paid_for = None

    def add_payment_source(self, source: Any) -> None:
        super().add_payment_source(source)
        if self.paid_for:
            order_number, basket = self.paid_for
            source.taken = payments.note(
                source, order_number=order_number, basket=basket
            )

    def taken_payments(self, order_number: Any, basket: Any) -> list[TakenPayment]:
        """Return what this request has taken, noted by now at the latest."""
        return [
            getattr(source, "taken", None)
            or payments.note(source, order_number=order_number, basket=basket)
            for source in self._payment_sources or []
        ]

    def save_payment_details(self, order: Any) -> None:
        super().save_payment_details(order)
        if sources := self._payment_sources:
            payments.settle_for(order, sources)

    def report_second_payment(self, order_number: Any, basket: Any, order: Any) -> None:
        """Tell the site of money taken for an order that had been paid already."""
        self.taken_payments(order_number, basket)
        sources = list(order.sources.all())
        # Oscar notes sources after the order's commit. Where there are none yet, these
        # may well be its own, asked for a second time: left to who is about to.
        if any(not source.reference.startswith(REFERENCE) for source in sources):
            payments.settle_for(order, sources)

    def show_order_despite_failure(self, order: Any) -> HttpResponseRedirect:
        """End the checkout as if the order's mail and receivers had worked."""
        self.checkout_session.flush()
        return self.show_order(order)

    def show_order(self, order: Any) -> HttpResponseRedirect:
        """Return to the confirmation of an order that has been placed."""
        self.request.session["checkout_order_id"] = order.pk
        return HttpResponseRedirect(reverse("checkout:thank-you"))

    def show_order_again(self, order: Any) -> HttpResponseRedirect:
        """Return to the confirmation of an order that was to be placed once more."""
        text = _("This order has been placed already. You have not been charged again.")
        messages.info(self.request, text)
        return self.show_order(order)

    def _submitted_basket(self) -> Any:
        Basket = get_model("basket", "Basket")
        basket_id = self.checkout_session.get_submitted_basket_id()
        return Basket._default_manager.filter(pk=basket_id).first()
