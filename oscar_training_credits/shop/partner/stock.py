"""Seats: stock asked again under its lock, where the type of a product tracks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model

from ...aliases import Basket, Product
from ...credits.locking import for_update
from ..catalogue.training import has_read_stock, lines_with_terms, training_of
from ..exceptions import OrderRefused
from .availability import unavailable_text


def refuse_out_of_stock(basket: Basket) -> None:
    """Refuse to order more training than there is, until the transaction ends.

    Locks the stock records, in the order of their primary keys, and asks the site's
    own availability of them as they are then: the last lock of all. No query where
    no type of product tracks stock.

    Raises:
        OrderRefused: names what is sold out.
    """
    if not (lines := tracked_lines(basket)):
        return
    quantities: Counter[int] = Counter()
    for line in lines:
        quantities[line.stockrecord_id] += line.quantity
    records = locked_records(quantities)
    products = {line.stockrecord_id: line.product for line in lines}
    fetch = basket.strategy.fetch_for_product
    texts = [
        sold_out_text(products[pk], fetch(products[pk], records.get(pk)), quantity)
        for pk, quantity in quantities.items()
    ]
    if any(texts):
        raise OrderRefused(" ".join(filter(None, texts)))


def bring_partner(line: Any) -> None:
    """Let a basket line's stock record know its partner, if that was read by now.

    Oscar copies the partner's name into each line of an order.
    """
    if not has_read_stock(line.product):
        return
    for record in line.product.stockrecords.all():
        is_read = record._meta.get_field("partner").is_cached(record)
        if is_read and record.pk == line.stockrecord_id:
            line.stockrecord.partner = record.partner


def bring_stock(line: Any) -> None:
    """Let a basket line know its stock record, if that was read with its product."""
    if has_read_stock(line.product):
        for record in line.product.stockrecords.all():
            if record.pk == line.stockrecord_id:
                line.stockrecord = record


def tracked_lines(basket: Basket) -> list[Any]:
    """Return the lines with training whose type of product tracks stock."""
    return [
        line
        for line in lines_with_terms(basket)
        if training_of(line.product)
        and line.stockrecord_id
        and line.product.get_product_class().track_stock
    ]


def locked_records(pks: Any) -> dict[int, Any]:
    """Return stock records by primary key, as they are now, locked."""
    StockRecord = get_model("partner", "StockRecord")
    records = StockRecord._default_manager.filter(pk__in=list(pks)).order_by("pk")
    return {record.pk: record for record in for_update(records)}


def free_seats(
    order_lines: Iterable[Any], units: Mapping[int, int], *, by: Any = None
) -> None:
    """Give so many units of each order line, by its primary key, back to the stock.

    Once, as Oscar counts in the line what is still allocated: what was shipped, or
    given back by the site's own `EventHandler`, is not given back again.
    """
    order_lines = [line for line in order_lines if units.get(line.pk)]
    if not order_lines:
        return
    Line = get_model("order", "Line")
    lines = Line._default_manager.filter(pk__in=[line.pk for line in order_lines])
    locked = [line for line in for_update(lines.order_by("pk")) if line.stockrecord_id]
    freed = {line: min(units[line.pk], line.num_allocated) for line in locked}
    freed = {line: number for line, number in freed.items() if number}
    if freed:
        handler = get_class("order.processing", "EventHandler")(user=by)
        by_stock = sorted(freed, key=lambda line: line.stockrecord_id)
        numbers = [freed[line] for line in by_stock]
        handler.cancel_stock_allocations(order_lines[0].order, by_stock, numbers)


def sold_out_text(product: Product, info: Any, quantity: int) -> str:
    """Return what keeps so many of `product` from being sold; empty if nothing does.

    `info` is Oscar's `PurchaseInfo`.
    """
    permitted, reason = info.availability.is_purchase_permitted(quantity)
    if permitted:
        return ""
    why = unavailable_text(info.availability) or _("Too few are left: %(reason)s.") % {
        "reason": str(reason).rstrip(".")
    }
    return _("“%(title)s”: %(reason)s") % {"title": product.get_title(), "reason": why}
