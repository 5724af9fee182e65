"""Buying one training product from its page.

A real order without the checkout's steps. The shopping basket is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from oscar.core.loading import get_model

from ...aliases import Basket, Order, Product, Request
from ...credits import wording
from ...credits.access import buying_again, status
from ...credits.access.granting import Period
from ...credits.access.status import AccessStatus
from ...credits.codes.applying import remove_code, unknown
from ...credits.codes.refusals import public_text
from ...credits.codes.throttling import Doubt, Requester, in_doubt
from ...credits.isolation import own_transaction
from ...credits.ledger.quoting import NOTHING, Quote
from ...credits.models import CreditCode, DirectPurchase, TrainingProduct
from ...exceptions import CreditCodeRefused, PurchaseRefused
from ..basket.applied_codes import apply_code
from ..basket.code_handlers import find_voucher
from ..basket.quotes import end_of_codes, latest_basket, quote_of
from ..order import confirmed
from ..order.confirmed import ConfirmedPrice, price_changed
from ..partner.availability import unavailable_text
from ..partner.stock import bring_stock
from .placement import DirectPlacement


@dataclass(frozen=True, slots=True)
class PurchaseState:
    """How far a learner is with buying a training product on its page."""

    training: TrainingProduct
    access_status: AccessStatus
    gain: Period | None
    """The access that buying it now would add; None if it adds none, or can't be."""
    basket: Basket = None
    quote: Quote = NOTHING
    refusal: str = ""
    """Why the site does not sell it to this learner again."""
    waiting: str = ""
    """What is said of an order of theirs that will open it once it is paid."""

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
    training: TrainingProduct,
    learner: Any,
    *,
    access_status: AccessStatus | None = None,
) -> PurchaseState:
    """Return how far `learner` is with buying `training`.

    A caller who knows how the learner stands saves a query.
    """
    basket = open_basket(training, learner)
    return state_with(basket, training, learner, access_status=access_status)


def state_with(
    basket: Basket,
    training: TrainingProduct,
    learner: Any,
    *,
    access_status: AccessStatus | None = None,
) -> PurchaseState:
    """Return how far `learner` is with buying `training` by this basket, if any."""
    access_status = access_status or status.access_status(learner, training)
    quote = NOTHING if basket is None else quote_of(basket)
    found = buying_again.prospect_of(
        training, learner, access_status=access_status, until=end_of_codes(quote)
    )
    gain = None if found.refusal else found.gain
    return PurchaseState(
        training, access_status, gain, basket, quote, found.refusal, found.waiting
    )


def is_bought_directly(training: TrainingProduct) -> bool:
    """Tell whether `training` can be bought from its page.

    It needs no shipping, and asks the buyer for nothing.
    """
    return (
        training.takes_credits
        and not training.product.is_shipping_required
        and not asks_options(training.product)
    )


def asks_options(product: Product) -> bool:
    """Tell whether the buyer of `product` has to choose options, as the shop asks.

    No query for a product that was read as one without options.
    """
    # Of a variant Oscar counts its own options only, and not those of its type.
    if not product.is_child and not product.has_options:
        return False
    return any(option.required for option in options_of(product))


def options_of(product: Product) -> list[Any]:
    """Return the options of a product and its type; of a variant, its parent's too."""
    options = list(product.options)
    return [*options, *product.parent.options] if product.is_child else options


def open_basket(training: TrainingProduct, learner: Any) -> Any:
    """Return the basket of a purchase begun and not yet confirmed, or None.

    One query, also for its lines and what they accept.
    """
    if not learner.is_authenticated:
        return None
    Basket, Line = get_model("basket", "Basket"), get_model("basket", "Line")
    lines = Line._default_manager.filter(
        basket__direct_purchase__training=training,
        basket__direct_purchase__learner_id=learner.pk,
        basket__direct_purchase__idempotency_key=None,
        basket__status=Basket.FROZEN,
    )
    basket = latest_basket(lines, owner=learner)
    if basket is None:
        return None
    for line in basket.all_lines():
        if line.product_id == training.product_id:
            line.product = training.product
            bring_stock(line)
    return basket


@own_transaction()
def begin(training: TrainingProduct, learner: Any, *, strategy: Any) -> Any:
    """Return the basket of the purchase under way, or begin one.

    Raises:
        PurchaseRefused: the product can't be bought now.
    """
    if basket := open_basket(training, learner):
        basket.strategy = strategy
        return basket
    refuse_unavailable(training, strategy=strategy)
    return new_basket(training, learner, strategy=strategy)


def new_basket(
    training: TrainingProduct,
    learner: Any,
    *,
    strategy: Any,
    idempotency_key: str | None = None,
) -> Any:
    """Make a basket for `training` alone, inside the caller's transaction."""
    Basket = get_model("basket", "Basket")
    basket = Basket._default_manager.create(owner=learner)
    basket.strategy = strategy
    basket.add_product(training.product)
    # Before anybody else can see it: an open basket would be merged into theirs.
    basket.freeze()
    DirectPurchase.objects.create(
        basket=basket,
        learner=learner,
        training=training,
        idempotency_key=idempotency_key,
    )
    return basket


@sensitive_variables("text")
def apply(
    text: str,
    training: TrainingProduct,
    learner: Any,
    *,
    strategy: Any,
    requester: Requester | None,
) -> None:
    """Apply a code to the purchase of `training`. What it lacks, the box says.

    Wrong codes are counted for `requester`.

    Raises:
        PurchaseRefused: the code or the product can't be used; says what to do.
    """
    basket = begin(training, learner, strategy=strategy)
    refusing_in_words(partial(apply_code, basket), text, requester=requester)


@sensitive_variables("text")
def refusing_in_words(
    look_up: Callable[..., CreditCode], text: str, **known: Any
) -> CreditCode:
    """Return the code that `look_up` finds for this text.

    Raises:
        PurchaseRefused: the code can't be used; says what to do.
    """
    with in_doubt() as doubt:
        try:
            return look_up(text, **known)
        except CreditCodeRefused as refused:
            said = refusal_text(text, refused, doubt=doubt)
            raise PurchaseRefused(said, refusal=refused.refusal) from refused


@sensitive_variables("text")
def refusal_text(text: str, refused: CreditCodeRefused, *, doubt: Doubt) -> str:
    if not refused.refusal.reason.is_miss:
        return public_text(refused.refusal)
    if find_voucher(text):
        doubt.dismiss()
        return _("This is a promotion code. It can be used in the shop's basket.")
    # Said of the text, and not of a code that the learner must not know of.
    return public_text(unknown(text))


def remove(code_id: int, training: TrainingProduct, learner: Any) -> None:
    """Take a code off the purchase of `training`."""
    if basket := open_basket(training, learner):
        remove_code(code_id, basket=basket)


def confirm(
    training: TrainingProduct, *, request: Request, before: ConfirmedPrice | None
) -> Any:
    """Place the order that the learner was shown, and return it.

    Confirming the same again returns the first order.

    Raises:
        PurchaseRefused: it can't be bought, or not as shown; nothing was taken.
    """
    state = purchase_state(training, request.user)
    is_new = before is None or is_under_way(before, state)
    if before and not is_new and (order := confirmed_before(before, request.user)):
        return order
    refuse_useless(state)
    if state.basket is None:
        raise PurchaseRefused(needs_a_code())
    basket = state.basket
    basket.strategy = request.strategy
    refuse_unavailable(training, strategy=request.strategy)
    if not state.is_payable:
        raise unpaid(state.quote)
    if before is None or before.basket_id != basket.pk:
        raise PurchaseRefused(price_changed())
    if text := confirmed.change(confirmed.price_of(basket), before):
        raise PurchaseRefused(text)
    confirmed.confirm(basket, before)
    note_bare(basket)
    try:
        return DirectPlacement(request).place(basket)
    except PurchaseRefused:
        # Another tab may have been faster: then nothing is to be changed here.
        refuse_useless(purchase_state(training, request.user))
        raise


def is_under_way(before: ConfirmedPrice, state: PurchaseState) -> bool:
    return state.basket is not None and state.basket.pk == before.basket_id


def note_bare(basket: Basket) -> None:
    """Spare Oscar the questions for vouchers and options of a purchase in place.

    Its basket was frozen by the transaction that made it, so nobody could add any.
    """
    keep_none(basket, "vouchers")
    for line in basket.all_lines():
        keep_none(line, "attributes")


def keep_none(row: Any, name: str) -> None:
    """Let the rows of this name that hang on `row` be none, without a query."""
    read = vars(row).setdefault("_prefetched_objects_cache", {})
    read[name] = getattr(row, name).none()


def refuse_useless(state: PurchaseState) -> None:
    if state.gain is None:
        text = _("You have access already, so nothing was taken.")
        known = (
            buying_again.unavailable_reason(state.training)
            or state.refusal
            or state.waiting
        )
        raise PurchaseRefused(known or text)


def unpaid(quote: Quote) -> PurchaseRefused:
    """Return the refusal of a purchase that its codes do not pay."""
    refusals = [quote.shortage(), *(code.refusal for code in quote.codes)]
    refusal = next(filter(None, refusals), None)
    text = public_text(refusal) if refusal else needs_a_code()
    return PurchaseRefused(text, refusal=refusal)


def choose_options() -> str:
    return _("Choose its options on its page in the shop, and buy it there.")


def needs_a_code() -> str:
    return _("Enter a code first.")


def thanks(training: TrainingProduct, order: Order) -> str:
    """Return what is said to who has just bought `training`."""
    text = _("Thank you. You have access now. Your order number is %(number)s.")
    if status.has_begun(order):
        return text % {"number": order.number}
    access_status = status.access_status(order.user, training)
    if access_status.is_to_come and access_status.starts_at:
        text = _(
            "Thank you. Your access begins on %(day)s. Your order number is %(number)s."
        )
        return text % {
            "day": wording.day_of(access_status.starts_at),
            "number": order.number,
        }
    return text % {"number": order.number}


def confirmed_before(before: ConfirmedPrice, learner: Any) -> Any:
    Order = get_model("order", "Order")
    orders = Order._default_manager.filter(user=learner, basket_id=before.basket_id)
    return orders.first()


def refuse_unavailable(training: TrainingProduct, *, strategy: Any) -> None:
    if text := buying_again.unavailable_reason(training):
        raise PurchaseRefused(text)
    info = strategy.fetch_for_product(training.product)
    if text := unavailable_text(info.availability):
        raise PurchaseRefused(text)
    if asks_options(training.product):
        raise PurchaseRefused(choose_options())
    if not is_bought_directly(training):
        raise PurchaseRefused(_("This can't be bought here at the moment."))
