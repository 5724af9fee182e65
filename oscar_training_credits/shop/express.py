"""Buying one training product from its page.

A real order without the checkout's steps. The shopping basket is left alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.http import HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from oscar.apps.checkout.utils import CheckoutSessionData
from oscar.core.loading import get_class, get_model

from ..credits import access, sale, wording
from ..credits.access import Standing
from ..credits.applying import apply_code, remove_code, unknown
from ..credits.giving import Period, foreseen
from ..credits.models import ExpressPurchase, TrainingProduct
from ..credits.quoting import NOTHING, Quote
from ..credits.refusals import public_text
from ..credits.throttling import Asker
from ..exceptions import CreditCodeRefused, PurchaseRefused
from .exceptions import OrderRefused
from .kinds import find_voucher
from .orders import end_of_codes, placed_order, price_changed
from .quotes import items_of, quote_of
from .shown import Shown

logger = logging.getLogger("training_credits")

OrderPlacementMixin: Any = get_class("checkout.mixins", "OrderPlacementMixin")


@dataclass(frozen=True, slots=True)
class PurchaseState:
    """How far a learner is with buying a training product on its page."""

    training: TrainingProduct
    standing: Standing
    gain: Period | None
    """The access that buying it now would add; None if it adds none, or can't be."""
    basket: Any = None
    quote: Quote = NOTHING
    refusal: str = ""
    """Why the site does not sell it to this learner again."""

    @property
    def codes(self) -> tuple[Any, ...]:
        return self.quote.codes

    @property
    def is_payable(self) -> bool:
        """The applied codes pay for all of it."""
        return bool(self.quote.covered)

    @property
    def left(self) -> int:
        """The credits that stay on the applied codes after this purchase."""
        return sum(code.left for code in self.codes)

    @property
    def available(self) -> int:
        return sum(code.available for code in self.codes)


def purchase_state(
    training: TrainingProduct, learner: Any, *, standing: Standing | None = None
) -> PurchaseState:
    """Return how far `learner` is with buying `training`.

    A caller who knows how the learner stands saves a query.
    """
    standing = standing or access.standing(learner, training)
    basket = open_basket(training, learner)
    quote = NOTHING if basket is None else quote_of(basket)
    refusal = sale.refusals_again(learner, [training]).get(training.pk, "")
    gain = foreseen(training, standing, at=timezone.now(), until=end_of_codes(quote))
    if refusal:
        gain = None
    return PurchaseState(training, standing, gain, basket, quote, refusal)


def is_express(training: TrainingProduct) -> bool:
    """Tell whether `training` can be bought from its page: it needs no shipping."""
    return training.takes_credits and not training.product.is_shipping_required


def open_basket(training: TrainingProduct, learner: Any) -> Any:
    """Return the basket of a purchase begun and not yet confirmed, or None."""
    if not learner.is_authenticated:
        return None
    Basket = get_model("basket", "Basket")
    begun = ExpressPurchase.objects.filter(
        training=training, learner_id=learner.pk, basket__status=Basket.FROZEN
    )
    latest = begun.select_related("basket").order_by("pk").last()
    if latest is None:
        return None
    latest.basket.owner = learner
    return latest.basket


@transaction.atomic
def begin(training: TrainingProduct, learner: Any, *, strategy: Any) -> Any:
    """Return the basket of the purchase under way, or begin one.

    Raises:
        PurchaseRefused: the product can't be bought now.
    """
    if basket := open_basket(training, learner):
        basket.strategy = strategy
        return basket
    refuse_unavailable(training, strategy=strategy)
    Basket = get_model("basket", "Basket")
    basket = Basket._default_manager.create(owner=learner)
    basket.strategy = strategy
    basket.add_product(training.product)
    # Before anybody else can see it: an open basket would be merged into theirs.
    basket.freeze()
    ExpressPurchase.objects.create(basket=basket, learner=learner, training=training)
    return basket


@sensitive_variables("text")
def apply(
    text: str,
    training: TrainingProduct,
    learner: Any,
    *,
    strategy: Any,
    asker: Asker | None,
) -> str:
    """Apply a code to the purchase of `training`, and return what to tell the learner.

    Wrong codes are counted for `asker`.

    Raises:
        PurchaseRefused: the code or the product can't be used; says what to do.
    """
    basket = begin(training, learner, strategy=strategy)
    try:
        apply_code(
            text, basket=basket, items=items_of(basket), asker=asker, learner=learner
        )
    except CreditCodeRefused as refused:
        raise PurchaseRefused(refusal_text(text, refused)) from refused
    state = purchase_state(training, learner)
    if shortage := state.quote.shortage():
        raise PurchaseRefused(public_text(shortage))
    return ""


@sensitive_variables("text")
def refusal_text(text: str, refused: CreditCodeRefused) -> str:
    if not refused.refusal.reason.is_miss:
        return public_text(refused.refusal)
    if find_voucher(text):
        return _("This is a promotion code. It can be used in the shop's basket.")
    # Said of the text, and not of a code that the learner must not know of.
    return public_text(unknown(text))


def remove(code_id: int, training: TrainingProduct, learner: Any) -> None:
    """Take a code off the purchase of `training`."""
    if basket := open_basket(training, learner):
        remove_code(code_id, basket=basket)


def confirm(training: TrainingProduct, *, request: Any, before: Shown | None) -> Any:
    """Place the order that the learner was shown, and return it.

    Confirming the same again returns the first order.

    Raises:
        PurchaseRefused: it can't be bought, or not as shown; nothing was taken.
    """
    if before and (order := confirmed_before(before, request.user)):
        return order
    state = purchase_state(training, request.user)
    if state.gain is None:
        text = _("You have access already, so nothing was taken.")
        raise PurchaseRefused(sale.obstacle(training) or state.refusal or text)
    if state.basket is None:
        raise PurchaseRefused(needs_a_code())
    basket = state.basket
    basket.strategy = request.strategy
    refuse_unavailable(training, strategy=request.strategy)
    if not state.is_payable:
        refusals = [state.quote.shortage(), *(code.refusal for code in state.codes)]
        refusal = next(filter(None, refusals), None)
        raise PurchaseRefused(public_text(refusal) if refusal else needs_a_code())
    if before is None or before.basket_id != basket.pk:
        raise PurchaseRefused(price_changed())
    if state.quote.credits > before.credits:
        raise PurchaseRefused(price_changed())
    return ExpressPlacement(request).place(basket)


def needs_a_code() -> str:
    return _("Enter a code first.")


def thanks(training: TrainingProduct, order: Any) -> str:
    """Return what is said to who has just bought `training`."""
    standing = access.standing(order.user, training)
    if standing.is_to_come and standing.starts_at:
        text = _(
            "Thank you. Your access begins on %(day)s. Your order number is %(number)s."
        )
        return text % {
            "day": wording.day_of(standing.starts_at),
            "number": order.number,
        }
    text = _("Thank you. You have access now. Your order number is %(number)s.")
    return text % {"number": order.number}


def confirmed_before(before: Shown, learner: Any) -> Any:
    Order = get_model("order", "Order")
    orders = Order._default_manager.filter(user=learner, basket_id=before.basket_id)
    return orders.first()


def refuse_unavailable(training: TrainingProduct, *, strategy: Any) -> None:
    if text := sale.obstacle(training):
        raise PurchaseRefused(text)
    product = training.product
    info = strategy.fetch_for_product(product)
    permitted, _reason = info.availability.is_purchase_permitted(1)
    if not (permitted and product.is_public and is_express(training)):
        raise PurchaseRefused(_("This can't be bought here at the moment."))


class Placement(OrderPlacementMixin):
    """What Oscar's checkout knows of orders, for a view that is no step of it."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.checkout_session = CheckoutSessionData(request)


class ExpressPlacement(Placement):
    """Places an order as Oscar's checkout does, for a basket that credits cover."""

    def place(self, basket: Any) -> Any:
        """Write the order, send its mail and signals, and return it."""
        shipping = get_class("shipping.methods", "NoShippingRequired")()
        calculator = get_class("checkout.calculators", "OrderTotalCalculator")
        charge = shipping.calculate(basket)
        try:
            self.handle_order_placement(
                self.generate_order_number(basket),
                self.request.user,
                basket,
                shipping_address=None,
                shipping_method=shipping,
                shipping_charge=charge,
                billing_address=None,
                order_total=calculator(self.request).calculate(basket, charge),
            )
        except OrderRefused as refused:
            raise PurchaseRefused(str(refused)) from refused
        except Exception as error:
            # As Oscar's checkout does: whatever failed, nothing was written.
            logger.exception("Basket %s: could not place the order", basket.pk)
            text = _("A problem occurred, and nothing was taken. Please try again.")
            raise PurchaseRefused(text) from error
        return placed_order(basket)

    def handle_successful_order(self, order: Any) -> HttpResponseRedirect:
        """Send mail and signal, without ending the checkout of the shopping basket."""
        self.send_order_placed_email(order)
        response = HttpResponseRedirect(self.get_success_url())
        self.send_signal(self.request, response, order)
        return response

    def show_order_despite_failure(self, order: Any) -> HttpResponseRedirect:
        return self.show_order(order)
