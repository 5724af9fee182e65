"""Writing an order: credits, access and the order itself, all or nothing."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from ..conf import settings
from ..credits import giving, places, redemption, wording
from ..credits.models import Redemption, TrainingProduct
from ..credits.quoting import NOTHING, Quote
from ..credits.redemption import Settlement
from ..credits.refusals import public_text
from ..mixins import Extension
from .availability import obstacle_texts
from .exceptions import BasketAlreadyOrdered, BasketUnderWay, OrderRefused
from .pricing import CreditPrice
from .quotes import is_frozen, items_of
from .training import takes_part, training_of, trainings_of

REFERENCE = "redemption-"


class OrderCreatorMixin(Extension):
    """For Oscar's `order.utils.OrderCreator`.

    In the transaction that writes the order: locks the basket, takes the credits,
    records how each line was settled, gives access and submits the basket. Refuses
    to write an order with a credit-only line that no credits were taken for.
    """

    settlement: Settlement | None = None
    learner: Any = None
    access_ends: dict[int, datetime]

    def place_order(self, basket: Any, *args: Any, **kwargs: Any) -> Any:
        if takes_part(basket):
            refuse_ordered(basket)
        return super().place_order(basket, *args, **kwargs)

    def create_order_model(
        self, user: Any, basket: Any, *args: Any, **kwargs: Any
    ) -> Any:
        create = super().create_order_model
        if not takes_part(basket):
            return create(user, basket, *args, **kwargs)
        now = lock_basket(basket)
        refuse_ordered(basket)
        # Another tab is paying for it: its money must not meet this order.
        if is_frozen(now) and not is_frozen(basket):
            raise BasketUnderWay(basket)
        if not (user and user.is_authenticated):
            raise OrderRefused(needs_account())
        quote = redemption.locked_quote(items_of(basket), basket=basket, learner=user)
        refuse_unless_priced_so(basket, quote)
        # Locks the learner, whom the order's row will refer to: on MariaDB that is a
        # weaker lock, which two orders of one learner could get and not exchange.
        self.access_ends = giving.running_until(user, trainings_of(basket))
        # What is held may be paid for by now, on the terms of the moment of the hold.
        if not quote.holds:
            refuse_obstacles(basket)
        order = create(user, basket, *args, **kwargs)
        self.settlement = redemption.redeem(order, quote, learner=user)
        self.learner = user
        for taken in self.settlement.redemptions.values():
            record_source(order, taken)
        basket.submit()
        return order

    def create_additional_line_models(
        self, order: Any, order_line: Any, basket_line: Any
    ) -> None:
        super().create_additional_line_models(order, order_line, basket_line)
        training = training_of(basket_line.product)
        if training:
            self.settle(order_line, basket_line)
            self.give_access(order_line, basket_line, training)

    def give_access(
        self, order_line: Any, basket_line: Any, training: TrainingProduct
    ) -> None:
        """Give the buyer access or, for several, places that learners can claim."""
        until = end_of_codes(self.settled_quote, line_id=basket_line.pk)
        if order_line.quantity > 1:
            quantity = order_line.quantity
            places.make_places(order_line, training, quantity=quantity, until=until)
            return
        given = giving.begin_access(
            self.learner,
            training,
            order_line=order_line,
            after=self.access_ends.get(training.pk),
            until=until,
        )
        if given.ends_at:
            self.access_ends[training.pk] = given.ends_at

    @property
    def settled_quote(self) -> Quote:
        return self.settlement.quote if self.settlement else NOTHING

    def settle(self, order_line: Any, basket_line: Any) -> None:
        """Record what was taken for a line, if it is settled in credits."""
        if self.settlement is None:
            raise OrderRefused(_("The credits for this order were not taken."))
        for item in self.settlement.quote.items:
            if item.key == basket_line.pk and item.key in self.settlement.quote.covered:
                redemption.settle_line(
                    self.settlement,
                    item,
                    order_line=order_line,
                    money_price=money_price(basket_line),
                )


def end_of_codes(quote: Quote, *, line_id: int | None = None) -> datetime | None:
    """Return when the first code ends that pays, and ends access, for a line or all."""
    takes = [take for take in quote.takes if line_id in (None, take.key)]
    ends = [take.grant.code.expires_at for take in takes if take.grant.code.ends_access]
    return min(filter(None, ends), default=None)


def placed_order(basket: Any) -> Any:
    """Return the order that this basket has become, or None."""
    Order = get_model("order", "Order")
    return Order._default_manager.filter(basket_id=basket.pk).first()


def refuse_ordered(basket: Any) -> None:
    """Let a basket become one order at most.

    Raises:
        BasketAlreadyOrdered: with the order that it has become.
    """
    if order := placed_order(basket):
        raise BasketAlreadyOrdered(order)


def lock_basket(basket: Any) -> Any:
    """Lock the basket's row until the transaction ends: the first lock of all.

    Returns the basket as the database has it.
    """
    Basket = get_model("basket", "Basket")
    return Basket._default_manager.select_for_update().get(pk=basket.pk)


def refuse_unless_priced_so(basket: Any, quote: Quote) -> None:
    """Refuse an order whose lines are not priced as the locked quote settles them.

    The lines were priced before the lock: a code, a price or a rule may have changed
    since, or a view may have priced them without our strategy.

    Raises:
        OrderRefused: with what the learner can do.
    """
    if quote.blocking:
        shortage = quote.shortage()
        raise OrderRefused(public_text(shortage) if shortage else needs_code(quote))
    items = {item.key: item for item in quote.items}
    for line in basket.all_lines():
        settled = line.pk in quote.covered
        price = line.purchase_info.price
        if isinstance(price, CreditPrice) is not settled:
            raise OrderRefused(price_changed())
        if settled and items[line.pk].unit_credits > price.credits:
            raise OrderRefused(price_changed())


def refuse_obstacles(basket: Any) -> None:
    """Refuse an order for more places than may be sold, or for access that is over,
    or that the site does not sell a second time.

    Raises:
        OrderRefused: with what the learner can do.
    """
    if texts := obstacle_texts(basket):
        raise OrderRefused(" ".join(texts))


def needs_code(quote: Quote) -> str:
    """Return what is said where credit-only lines wait for a code."""
    credits = sum(item.credits for item in quote.blocking)
    return _(
        "This order needs %(credits)s. Enter a code, or ask your learning"
        " administrator for one."
    ) % {"credits": wording.in_words(credits)}


def needs_account() -> str:
    """Return what a guest is told: access belongs to somebody."""
    return _("Log in or register to buy training.")


def price_changed() -> str:
    return _("A price or a code has changed. Check the order before you confirm it.")


def money_price(basket_line: Any) -> Decimal | None:
    """Return what a line settled in credits would have cost, tax included if known."""
    price = basket_line.purchase_info.price.instead_of
    if price is None or not price.exists:
        return None
    unit: Decimal = price.incl_tax if price.is_tax_known else price.excl_tax
    return (unit * basket_line.quantity).quantize(Decimal("0.01"))


def record_source(order: Any, redemption: Redemption) -> None:
    """Show staff how the order was paid.

    Oscar prints the amounts of every source in the order's money, so they say how
    much money moved: none. The label says how many credits.
    """
    Source = get_model("payment", "Source")
    label = _("%(credits)s, code ending %(ending)s") % {
        "credits": wording.in_words(redemption.credits),
        "ending": redemption.code.ending,
    }
    Source._default_manager.create(
        order=order,
        source_type=credits_source_type(),
        currency=order.currency,
        reference=source_reference(redemption),
        label=label[:128],
    )


def source_reference(redemption: Redemption) -> str:
    """Return the reference of the payment source that stands for `redemption`."""
    return f"{REFERENCE}{redemption.pk}"


def credits_source_type() -> Any:
    """Return Oscar's source type for credits; names are not unique, so the first."""
    types = get_model("payment", "SourceType")._default_manager
    first = types.filter(name=settings.SOURCE_TYPE).order_by("pk").first()
    return first or types.create(name=settings.SOURCE_TYPE)
