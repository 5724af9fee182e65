"""Writing an order: credits, access and the order itself, all or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from ...aliases import Basket, Order
from ...credits.access import granting, opening, status
from ...credits.access.granting import Grounds
from ...credits.codes.refusals import public_text
from ...credits.has_row import HasRow
from ...credits.isolation import read_committed
from ...credits.ledger import redemption
from ...credits.ledger.quoting import NOTHING, Quote
from ...credits.ledger.redemption import PaidLine, Settlement
from ...credits.locking import for_update
from ...credits.models import DueAccess, TrainingProduct
from ...mixins import Extension
from ..basket.obstacles import may_have, unavailable_texts
from ..basket.quotes import end_of_codes, is_frozen, items_of
from ..basket.vouchers import drop_read_vouchers
from ..basket.wording import needs_account, needs_code
from ..catalogue.packs import pack_of
from ..catalogue.training import takes_part, training_of, trainings_of
from ..exceptions import BasketAlreadyOrdered, BasketUnderWay, OrderRefused
from ..partner.stock import bring_partner, refuse_out_of_stock
from ..payment.sources import record_sources
from ..prices import CreditPrice
from . import confirmed, settlements
from .confirmed import order_changed, price_changed
from .packs_bought import sell_packs


@dataclass(frozen=True, slots=True)
class BoughtLine:
    """An order line with training, as Oscar has just written it."""

    order_line: Any
    basket_line: Any
    training: TrainingProduct


class OrderCreatorMixin(Extension):
    """For Oscar's `order.utils.OrderCreator`.

    In the transaction that writes the order: locks the basket, takes the credits,
    records how each line was settled, gives access and submits the basket. Refuses
    to write an order with a credit-only line that no credits were taken for.
    """

    settlement: Settlement | None = None
    learner: Any = None
    access_ends: dict[int, datetime]
    bought: list[BoughtLine]
    """The lines that have been written, but not yet settled and given."""
    written: list[tuple[Any, Any]]
    """All lines that have been written, each with its basket's line."""
    unwritten: int
    """How many lines are still to be written."""

    shares_lines = True
    """Who is told of the new order, and reads its lines, shares one reading of them."""

    def place_order(self, basket: Basket, *args: Any, **kwargs: Any) -> Any:
        order = self.write_order(basket, *args, **kwargs)
        settlements.forget_lines(order)
        return order

    def write_order(self, basket: Basket, *args: Any, **kwargs: Any) -> Any:
        if not takes_part(basket):
            return super().place_order(basket, *args, **kwargs)
        # Around the transaction that Oscar begins.
        with read_committed():
            try:
                return super().place_order(basket, *args, **kwargs)
            except OrderRefused:
                raise
            except ValueError:
                # Oscar has found an order of this number: most likely this basket's.
                refuse_ordered(basket)
                raise

    def create_order_model(
        self,
        user: Any,
        basket: Basket,
        shipping_address: Any,
        shipping_method: Any,
        shipping_charge: Any,
        billing_address: Any,
        total: Any,
        order_number: Any,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        create = partial(
            super().create_order_model,
            user,
            basket,
            shipping_address,
            shipping_method,
            shipping_charge,
            billing_address,
            total,
            order_number,
            *args,
            **kwargs,
        )
        drop_read_vouchers(basket)
        if not takes_part(basket):
            order = create()
            settlements.note_ordinary(order)
            return bought_by(user, order)
        now = lock_unordered(basket)
        # Another tab is paying for it: its money must not meet this order.
        if is_frozen(now) and not is_frozen(basket):
            raise BasketUnderWay(basket)
        if not (user and user.is_authenticated):
            raise OrderRefused(needs_account())
        quote = self.lock_and_quote(basket, user, str(order_number))
        refuse_out_of_stock(basket)
        order = bought_by(user, create())
        self.settlement = redemption.redeem(order, quote, learner=user)
        self.learner = user
        self.bought, self.written = [], []
        self.unwritten = len(basket.all_lines())
        record_sources(order, self.settlement.redemptions.values())
        basket.submit()
        return order

    def lock_and_quote(self, basket: Basket, user: Any, order_number: str) -> Quote:
        """Return how a locked basket is settled, once every rule has let it pass.

        Locks the codes, and then the learner, whom the order's row will refer to: on
        MariaDB that is a weaker lock, which two orders of one learner could get and
        not exchange.
        """
        codes = redemption.lock_codes_of(basket, order_number=order_number)
        granting.lock_learners([user.pk])
        items = items_of(basket)
        quote = redemption.quote_locked(codes, items, learner=user)
        refuse_unless_priced_so(basket, quote)
        refuse_unless_shown(basket, quote)
        trainings = trainings_of(basket)
        grounds: Grounds = {}
        if may_have(basket, items):
            grounds = status.grounds(user, trainings)
        self.access_ends = granting.ends_of(grounds, trainings)
        # What is held may be paid for by now, on the terms of the moment of the hold.
        if not quote.holds:
            had = granting.with_due(grounds, user, trainings)
            refuse_obstacles(basket, grounds=had, quote=quote)
        return quote

    def create_line_models(
        self, order: Order, basket_line: Any, *args: Any, **kwargs: Any
    ) -> Any:
        bring_partner(basket_line)
        return super().create_line_models(order, basket_line, *args, **kwargs)

    def create_additional_line_models(
        self, order: Order, order_line: Any, basket_line: Any
    ) -> None:
        super().create_additional_line_models(order, order_line, basket_line)
        training = training_of(basket_line.product)
        if training:
            if self.settlement is None:
                raise OrderRefused(_("The credits for this order were not taken."))
            self.bought.append(BoughtLine(order_line, basket_line, training))
        if pack_of(basket_line.product) and self.settlement is None:
            raise OrderRefused(needs_account())
        if self.settlement is not None:
            self.written.append((order_line, basket_line))
            self.unwritten -= 1
            # With the last line, so that one statement does for all of them.
            if not self.unwritten:
                self.finish(self.settlement)

    def finish(self, settlement: Settlement) -> None:
        """Settle and give what has been written, once it is all of the order."""
        if self.bought:
            self.settle(settlement, self.bought)
            self.give_access(self.bought)
        sell_packs(self.written, buyer=self.learner)

    def settle(self, settlement: Settlement, bought: list[BoughtLine]) -> None:
        """Record what was taken for the lines that are settled in credits."""
        items = {item.key: item for item in settlement.quote.items}
        paid = [
            PaidLine(
                items[each.basket_line.pk],
                each.order_line,
                money_price(each.basket_line),
            )
            for each in bought
            if each.basket_line.pk in settlement.quote.covered
        ]
        redemption.record_settled_lines(settlement, paid)

    def give_access(self, bought: list[BoughtLine]) -> None:
        """Give what was bought, or let it wait until the order is paid."""
        terms = [
            opening.terms_of(
                each.order_line,
                each.training,
                learner=self.learner,
                until=end_of_codes(self.settled_quote, line_id=each.basket_line.pk),
            )
            for each in bought
        ]
        if opening.opens_at_once(bought[0].order_line.order):
            opening.give(terms, ends=self.access_ends)
        else:
            DueAccess.objects.bulk_create(terms)

    def record_voucher_usage(self, order: Order, voucher: Any, user: Any) -> None:
        """Leave a voucher unused that gives nothing, where credits pay for lines.

        What it gives is on record by now: money off, shipping, or an action deferred.
        """
        has_given = order.discounts.filter(voucher_id=voucher.pk)
        if self.settled_quote.covered and not has_given.exists():
            return
        super().record_voucher_usage(order, voucher, user)

    @property
    def settled_quote(self) -> Quote:
        return self.settlement.quote if self.settlement else NOTHING


def bought_by(user: Any, order: Order) -> Any:
    """Let a new order know its buyer, whom its mail would read once more."""
    if user and user.is_authenticated:
        order.user = user
    return order


def placed_order(basket: Basket) -> Any:
    """Return the order that this basket has become, or None."""
    Order = get_model("order", "Order")
    return Order._default_manager.filter(basket_id=basket.pk).first()


def refuse_ordered(basket: Basket) -> None:
    """Let a basket become one order at most.

    Raises:
        BasketAlreadyOrdered: with the order that it has become.
    """
    if order := placed_order(basket):
        raise BasketAlreadyOrdered(order)


def lock_unordered(basket: Basket) -> Any:
    """Lock the row of a basket that has become no order, as `lock_basket` does.

    Raises:
        BasketAlreadyOrdered: with the order that it has become.
    """
    now = lock_basket(basket)
    # A new order submits its basket in its own transaction. Who has waited for that
    # has waited with a question that was asked before it.
    if now.has_order or now.status == now.SUBMITTED:
        refuse_ordered(basket)
    return now


def lock_basket(basket: Basket) -> Any:
    """Lock the basket's row until the transaction ends: the first lock of all.

    Returns the basket as the database has it, with `has_order`.
    """
    return for_update(basket_rows().filter(pk=basket.pk)).get()


def basket_rows() -> QuerySet[Any]:
    """Return baskets that know whether they `have_order`."""
    Basket, Order = get_model("basket", "Basket"), get_model("order", "Order")
    has_order = HasRow(Order, basket=F("pk"))
    rows: QuerySet[Any] = Basket._default_manager.annotate(has_order=has_order)
    return rows


def refuse_unless_priced_so(basket: Basket, quote: Quote) -> None:
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


def refuse_unless_shown(basket: Basket, quote: Quote) -> None:
    """Refuse an order that the locked quote settles in another way than was confirmed.

    What is held was confirmed when it was held, and may be paid for by now.

    Raises:
        OrderRefused: with what the learner can do.
    """
    if not quote.holds and (text := confirmed.change_of(basket, quote=quote)):
        raise OrderRefused(text)


def refuse_unless_as_read(basket: Basket) -> None:
    """Refuse to go on with lines that somebody has changed since they were read.

    Raises:
        OrderRefused: with what the learner can do.
    """
    lines = basket.lines.values_list("line_reference", "quantity")
    read = [(line.line_reference, line.quantity) for line in basket.all_lines()]
    if sorted(lines) != sorted(read):
        raise OrderRefused(order_changed())


def refuse_obstacles(basket: Basket, **known: Any) -> None:
    """Refuse an order for more places than may be sold, or for access that is over,
    that its owner could not open, that the site does not sell a second time, or that
    adds nothing.

    `known` is what `unavailable_texts` need not ask again.

    Raises:
        OrderRefused: with what the learner can do.
    """
    if texts := unavailable_texts(basket, is_locked=True, **known):
        raise OrderRefused(" ".join(texts))


def money_price(basket_line: Any) -> Decimal | None:
    """Return what a line settled in credits would have cost, tax included if known."""
    price = basket_line.purchase_info.price.instead_of
    if price is None or not price.exists:
        return None
    unit: Decimal = price.incl_tax if price.is_tax_known else price.excl_tax
    return (unit * basket_line.quantity).quantize(Decimal("0.01"))
