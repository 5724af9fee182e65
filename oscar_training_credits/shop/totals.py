"""Sums of money and credits, in words."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.conf import settings as django_settings
from django.utils.translation import gettext as _
from oscar.templatetags.currency_filters import currency as money_text

from ..aliases import Basket, Order
from ..credits import wording
from .prices import CreditPrice


def in_words(money: Decimal, currency: str, *, credits: int) -> str:
    """Return for example “£90.00 + 35 credits”, or the one of both that there is."""
    if not credits:
        return str(money_text(money, currency))
    if not money:
        return wording.in_words(credits)
    return _("%(money)s + %(credits)s") % {
        "money": money_text(money, currency),
        "credits": wording.in_words(credits),
    }


def line_credits(line: Any) -> int | None:
    """Return the credits that a basket line costs; None if it costs money."""
    price = line.purchase_info.price
    if isinstance(price, CreditPrice):
        return int(price.credits * line.quantity)
    return None


def basket_credits(basket: Basket) -> int:
    """Return the credits of all lines that are paid in credits or wait for a code."""
    lines = basket.all_lines() if basket else []
    return sum(line_credits(line) or 0 for line in lines)


def basket_total(
    basket: Basket, *, with_tax: bool = True, with_discounts: bool = True
) -> str:
    """Return what the lines of `basket` cost, in words."""
    with_tax = with_tax and basket.is_tax_known
    tax = "incl_tax" if with_tax else "excl_tax"
    discounts = "" if with_discounts else "_excl_discounts"
    money = getattr(basket, f"total_{tax}{discounts}")
    return in_words(money, basket.currency, credits=basket_credits(basket))


def money_in_words(basket: Basket) -> str:
    """Return the money that the lines of `basket` cost, without their credits."""
    money = basket.total_incl_tax if basket.is_tax_known else basket.total_excl_tax
    return str(money_text(money, basket.currency))


def price_and_credits(price: Any, basket: Basket) -> str:
    """Return Oscar's total of an order to be, with the credits of its basket."""
    money = price.incl_tax if price.is_tax_known else price.excl_tax
    return in_words(money, basket.currency, credits=basket_credits(basket))


def order_total(order: Order) -> str:
    """Return the total of an order that has `credits_paid`, as in lists."""
    credits = getattr(order, "credits_paid", None) or 0
    return in_words(order.total_incl_tax, order.currency, credits=credits)


def total_spent(record: Any) -> str:
    """Return what a user spent, by Oscar's record with `credits_paid`, in words."""
    credits = getattr(record, "credits_paid", None) or 0
    currency = django_settings.OSCAR_DEFAULT_CURRENCY
    return in_words(record.total_spent, currency, credits=credits)


def any_in_credits(orders: Iterable[Any]) -> bool:
    """Tell whether any of `orders`, which have `credits_paid`, was paid so."""
    return any(getattr(order, "credits_paid", None) for order in orders)
