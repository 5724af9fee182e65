"""Selling training for credits by code: at a kiosk, by phone, from a script.

What is sold is an Oscar order as any other, by the service behind the button of a
course page, and never for money. First all is prepared and asked, then the order is
written in a transaction of its own, so that no code is locked while its receivers and
its mail are at work; unless the caller has a transaction around both. Lock order as
everywhere: the basket, codes, then learners.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, IntegrityError, OperationalError, transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from ...aliases import Basket
from ...credits.access import granting
from ...credits.codes import code_text
from ...credits.codes.applying import put_on, read_code, remove_code
from ...credits.codes.rules import Purchase
from ...credits.codes.throttling import Requester
from ...credits.isolation import own_transaction
from ...credits.ledger import redemption
from ...credits.models import (
    AppliedCode,
    CreditCode,
    DirectPurchase,
    Redemption,
    TrainingProduct,
)
from ...credits.patience import nothing_taken
from ...exceptions import IdempotencyKeyReused, PurchaseRefused
from ..basket.obstacles import unavailable_texts
from ..basket.quotes import items_of, quote_of
from ..basket.wording import needs_account
from ..exceptions import BasketAlreadyOrdered, BasketUnderWay
from ..order import confirmed
from ..order.creator import lock_unordered, placed_order
from ..partner.stock import sold_out_text
from .offline import OfflinePlacement, strategy_for
from .purchase import (
    choose_options,
    new_basket,
    options_of,
    refuse_unavailable,
    refuse_useless,
    refusing_in_words,
    state_with,
    unpaid,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

logger = logging.getLogger("training_credits")
LONGEST_KEY = 64  # as in the model


@sensitive_variables("code")
def purchase(
    training: TrainingProduct,
    *,
    learner: AbstractBaseUser,
    code: CreditCode | str,
    idempotency_key: str,
    credits: int | None = None,
    requester: Requester | None = None,
) -> Any:
    """Sell `training` to `learner` for credits of `code`, and return Oscar's order.

    Sold once per `idempotency_key`, of 64 characters at most: again, it returns the
    first order. It costs no more than `credits`, those that the learner was shown, if
    they are given. Where `code` is a text, a wrong one is counted for `requester`; None
    is for calls behind which there is no visitor.

    It can be called inside a transaction. Then code and learner are locked until that
    ends, and the order's mail is sent once it is committed.

    Raises:
        PurchaseRefused: it can't be sold so, or the code does not pay all of it;
            nothing was taken.
        IdempotencyKeyReused: the key stands for another sale.
        ValueError: `idempotency_key` is empty or too long.
    """
    if not 0 < len(idempotency_key) <= LONGEST_KEY:
        raise ValueError(f"A key has 1 to {LONGEST_KEY} letters.")
    sale = _Sale(idempotency_key, training, learner, code, credits)
    if order := _order_of(sale.begun()):
        return order
    try:
        with _giving_up():
            basket = sale.begin(requester)
        return placed_order(basket) or OfflinePlacement(basket).place(basket)
    except PurchaseRefused:
        # The same call may have been faster.
        if order := _abandon(sale.begun()):
            return order
        raise


@sensitive_variables("code")
def redeem(
    basket: Basket,
    *,
    code: CreditCode | str | None = None,
    credits: int | None = None,
    requester: Requester | None = None,
) -> Any:
    """Order `basket` for its owner, paid whole by its codes; return Oscar's order.

    A basket becomes one order: again, it returns the first one. `code` is applied to
    it before; that and the other arguments are as in `purchase`, and so is a
    transaction of the caller's, in which the basket is locked, too.

    Raises:
        PurchaseRefused: it can't be ordered so, or the codes do not pay all of it;
            nothing was taken, and `code` is not applied.
    """
    added = None
    try:
        with _giving_up():
            added = _prepare(basket, code, credits, requester)
        return OfflinePlacement(basket).place(basket)
    except BasketAlreadyOrdered as again:
        return again.order
    except PurchaseRefused:
        if order := placed_order(basket):
            return order
        if added:
            remove_code(added.pk, basket=basket)
        basket.reset_offer_applications()
        raise


@dataclass(frozen=True, slots=True)
class _Sale:
    """What is sold to whom, with which code, and the key of that."""

    idempotency_key: str
    training: TrainingProduct
    learner: AbstractBaseUser
    code: CreditCode | str = field(repr=False)
    credits: int | None

    def begun(self) -> Any:
        """Return the basket of this sale if it has been begun, else None.

        Raises:
            IdempotencyKeyReused: the key stands for another sale.
        """
        rows = DirectPurchase.objects.select_related("basket")
        row = rows.filter(idempotency_key=self.idempotency_key).first()
        if row is None:
            return None
        is_same = (row.training_id, row.learner_id) == (
            self.training.pk,
            self.learner.pk,
        )
        if not (is_same and self.is_paid_so(row.basket)):
            raise IdempotencyKeyReused("This key stands for another sale.")
        return row.basket

    def is_paid_so(self, basket: Basket) -> bool:
        """Tell whether this code pays, or paid, for `basket`: `credits` at most."""
        taken = Redemption.objects.filter(basket=basket, order__isnull=False)
        paid = list(taken.select_related("code"))
        if self.credits is not None and self.credits < sum(
            each.credits for each in paid
        ):
            return False
        applied = AppliedCode.objects.filter(basket=basket).select_related("code")
        return any(self.is_code(each.code) for each in paid or applied)

    @sensitive_variables("text")
    def is_code(self, code: CreditCode) -> bool:
        text = self.code
        if isinstance(text, CreditCode):
            return text.pk == code.pk
        return code.digest in code_text.digests(text)

    @own_transaction()
    def begin(self, requester: Requester | None) -> Any:
        """Return a basket for this sale that can be ordered, as far as that is known.

        Raises:
            PurchaseRefused: it can't be sold so; nothing is left behind.
        """
        training, learner = self.training, self.learner
        if not learner.is_authenticated:
            raise PurchaseRefused(needs_account())
        code = _read(self.code, {training.product_id}, learner, requester)
        # Before there is a row that refers to them.
        redemption.lock_codes([code.pk])
        granting.lock_learners([learner.pk])
        strategy = strategy_for(learner)
        basket = self.begun()
        if basket and placed_order(basket):
            return basket
        refuse_unavailable(training, strategy=strategy)
        basket = basket or self.new_basket(strategy)
        basket.strategy = strategy
        put_on(code, basket=basket)
        state = state_with(basket, training, learner)
        refuse_useless(state)
        if not state.is_payable:
            raise unpaid(state.quote)
        _confirm(basket, self.credits)
        return basket

    def new_basket(self, strategy: Any) -> Any:
        try:
            with transaction.atomic():
                return new_basket(
                    self.training,
                    self.learner,
                    strategy=strategy,
                    idempotency_key=self.idempotency_key,
                )
        except IntegrityError:
            # The key was taken at this moment, for another code or learner.
            self.begun()
            raise


@sensitive_variables("code")
@own_transaction()
def _prepare(
    basket: Basket,
    code: CreditCode | str | None,
    credits: int | None,
    requester: Requester | None,
) -> CreditCode | None:
    """Ask whether `basket` can be ordered, and return `code` if it is new on it.

    Raises:
        BasketAlreadyOrdered: with the order that the basket has become.
        PurchaseRefused: it can't be ordered so; nothing was changed.
    """
    learner = basket.owner
    if learner is None:
        raise PurchaseRefused(needs_account())
    if not lock_unordered(basket).can_be_edited:
        raise PurchaseRefused(str(BasketUnderWay(basket)))
    if not basket.has_strategy:
        basket.strategy = strategy_for(learner)
    basket.reset_offer_applications()
    added = None
    if code is not None:
        wanted = {item.product_id for item in items_of(basket)}
        found = _read(code, wanted, learner, requester)
        redemption.lock_codes([found.pk])
        added = found if put_on(found, basket=basket) else None
        basket.reset_offer_applications()
    if texts := _obstacles(basket):
        raise PurchaseRefused(" ".join(texts))
    if len(quote_of(basket).covered) < len(basket.all_lines()):
        raise unpaid(quote_of(basket))
    _confirm(basket, credits)
    return added


@sensitive_variables("code")
def _read(
    code: CreditCode | str,
    product_ids: Iterable[int],
    learner: Any,
    requester: Requester | None,
) -> CreditCode:
    if isinstance(code, CreditCode):
        return code
    purchase = Purchase(learner, frozenset(product_ids))
    return refusing_in_words(read_code, code, purchase=purchase, requester=requester)


def _obstacles(basket: Basket) -> list[str]:
    """Return what keeps `basket` from being ordered here, whatever codes are on it."""
    lines = list(basket.all_lines())
    if not lines:
        return [_("The basket is empty.")]
    if texts := unavailable_texts(basket):
        return texts
    wanting = {item.key for item in quote_of(basket).items if item.wants_credits}
    texts = [_obstacle_of(line, in_credits=line.pk in wanting) for line in lines]
    return [text for text in texts if text]


def _obstacle_of(line: Any, *, in_credits: bool) -> str:
    info, title = line.purchase_info, {"title": line.product.get_title()}
    if text := sold_out_text(line.product, info, line.quantity):
        return text
    if not in_credits:
        return _("“%(title)s” is not paid with credits.") % title
    if line.product.is_shipping_required:
        return _("“%(title)s” needs an address. Order it in the shop.") % title
    chosen = {attribute.option_id for attribute in line.attributes.all()}
    required = {each.pk for each in options_of(line.product) if each.required}
    return choose_options() if required - chosen else ""


def _confirm(basket: Basket, credits: int | None) -> None:
    """Let `basket` be ordered at the price of this moment, if that is not dearer.

    Raises:
        PurchaseRefused: it costs more than `credits`.
    """
    if credits is not None and quote_of(basket).credits > credits:
        raise PurchaseRefused(confirmed.price_changed())
    confirmed.confirm(basket, confirmed.price_of(basket))


def _order_of(basket: Basket) -> Any:
    return placed_order(basket) if basket else None


def _abandon(basket: Basket) -> Any:
    """Delete a basket that was not ordered; return the order if it was after all."""
    if basket is None:
        return None
    try:
        with own_transaction():
            lock_unordered(basket).delete()
    except BasketAlreadyOrdered as ordered:
        return ordered.order
    except ObjectDoesNotExist:
        pass
    except DatabaseError:
        logger.exception("Basket %s: left behind", basket.pk)
    return None


@contextmanager
def _giving_up() -> Iterator[None]:
    """Say so where the database gives up on what is done inside.

    Raises:
        PurchaseRefused: nothing was taken, and it can be tried again.
    """
    try:
        yield
    except OperationalError as error:
        logger.exception("The database gave up on a purchase")
        raise PurchaseRefused(nothing_taken()) from error
