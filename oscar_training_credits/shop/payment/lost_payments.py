"""Other money that gateways take: none is lost sight of if its order never comes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model
from oscar.templatetags.currency_filters import currency

from ... import signals
from ...aliases import Basket, Order
from ...conf import settings
from ...credits.ledger.auditing import Finding
from ...credits.models import TakenPayment

logger = logging.getLogger("training_credits")

COPIED = (
    "source_type",
    "currency",
    "amount_allocated",
    "amount_debited",
    "reference",
    "label",
)


def note(source: Any, *, order_number: Any, basket: Basket) -> TakenPayment:
    """Note what was taken for an order that is yet to be written."""
    values = {name: getattr(source, name) for name in COPIED}
    return TakenPayment.objects.create(
        order_number=str(order_number), basket_id=basket.pk, **values
    )


def note_if_possible(source: Any, *, order_number: Any, basket: Basket) -> TakenPayment:
    """Note what was taken, or log it where the database gives up; unsaved, then.

    Once the money is taken, nothing shall make the payment look as if it had failed.
    """
    # By itself one statement is a transaction, and nothing can die before its COMMIT.
    undoable = transaction.atomic() if connection.in_atomic_block else nullcontext()
    try:
        with undoable:
            return note(source, order_number=order_number, basket=basket)
    except DatabaseError:
        logger.exception(
            "Order %s: %s %s were taken, and not noted",
            order_number,
            source.currency,
            source.amount_debited or source.amount_allocated,
        )
        return TakenPayment(order_number=str(order_number), basket_id=basket.pk)


def taken_for(basket: Basket) -> list[TakenPayment]:
    """Return what was taken for `basket`, where that has become no order."""
    return list(TakenPayment.objects.filter(basket_id=basket.pk).order_by("pk"))


def forget(payments: Iterable[TakenPayment]) -> None:
    """Forget what has not been taken after all, or stands in its order."""
    TakenPayment.objects.filter(pk__in=[each.pk for each in payments]).delete()


def resolve_for(order: Order, sources: Iterable[Any]) -> None:
    """Forget what `order` was paid with, and tell the site of what was taken besides.

    `sources` are the payment sources that the order has. What was taken besides them
    was taken by an earlier attempt, which was cut off.
    """
    taken = list(_open().filter(_for(order)))
    own, besides = _parted(taken, sources)
    forget(own)
    tell(besides)


def resolve_lost_payments(at: datetime | None = None) -> int:
    """Settle what was taken by attempts that were cut off; return how many payments.

    Where there is an order that lacks just this payment, it is written there. All else
    was taken for nothing: `money_taken_without_order` tells the site what to refund.
    Safe to repeat; a payment is left alone until a hold made with it would have lapsed.
    """
    lost = [(payment, _order_of(payment)) for payment in _lost(at)]
    for payment, order in lost:
        if order and _lacks(order, payment):
            _write(payment, order)
    for payment, order in lost:
        if order:
            resolve_for(order, order.sources.all())
        else:
            tell([payment])
    return len(lost)


def lost_payments(at: datetime | None = None) -> Iterator[Finding]:
    """Yield what was taken for orders that were cut off, and waits to be settled."""
    for payment in _lost(at):
        text = _(
            "%(amount)s were taken for order %(order_number)s, which was not finished"
            " (payment %(pk)s, reference %(reference)s)."
        ) % {
            "amount": currency(payment.amount, payment.currency),
            "order_number": payment.order_number,
            "pk": payment.pk,
            "reference": payment.reference,
        }
        yield Finding("payments_have_their_order", "takenpayment", payment.pk, text)


def tell(payments: Iterable[TakenPayment]) -> None:
    """Tell the site what is to be refunded: each payment once, if a receiver hears it.

    What no receiver takes without an error stays open, and is told again.
    """
    for payment in payments:
        now = timezone.now()
        if not _open().filter(pk=payment.pk).update(settled_at=now):
            continue
        logger.error(
            "Order %s: paid by %s, but not placed", payment.order_number, payment.pk
        )
        heard = signals.money_taken_without_order.send_robust(
            TakenPayment, payment=payment
        )
        if not heard or any(isinstance(answer, Exception) for _to, answer in heard):
            TakenPayment.objects.filter(pk=payment.pk).update(settled_at=None)


def _lost(at: datetime | None = None) -> QuerySet[TakenPayment]:
    latest = (at or timezone.now()) - timedelta(minutes=settings.HOLD_MINUTES)
    return _open().filter(created_at__lte=latest).order_by("pk")


def _open() -> QuerySet[TakenPayment]:
    return TakenPayment.objects.filter(settled_at=None)


def _for(order: Order) -> Q:
    return Q(basket=order.basket_id) | Q(order_number=order.number)


def _order_of(payment: TakenPayment) -> Any:
    orders = get_model("order", "Order")._default_manager
    own = Q(number=payment.order_number)
    if payment.basket_id:
        own |= Q(basket=payment.basket_id)
    return orders.filter(own).first()


def _parted(
    payments: Iterable[TakenPayment], sources: Iterable[Any]
) -> tuple[list[TakenPayment], list[TakenPayment]]:
    """Part payments into those that stand among `sources`, and the others."""
    known = {(source.source_type_id, source.reference) for source in sources}
    own: list[TakenPayment] = []
    besides: list[TakenPayment] = []
    for payment in payments:
        stands = (payment.source_type_id, payment.reference) in known
        (own if stands else besides).append(payment)
    return own, besides


def _lacks(order: Order, payment: TakenPayment) -> bool:
    """Tell whether `order` has no source for this, and not been paid without it."""
    sources = list(order.sources.all())
    _own, besides = _parted([payment], sources)
    paid = sum((each.amount_allocated for each in sources), Decimal(0))
    return bool(besides) and paid + payment.amount <= order.total_incl_tax


def _write(payment: TakenPayment, order: Order) -> None:
    values = {name: getattr(payment, name) for name in COPIED}
    get_model("payment", "Source")._default_manager.create(order=order, **values)
