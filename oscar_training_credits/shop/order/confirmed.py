"""What a learner was shown before confirming: sent with the form, checked after.

What is confirmed is each line and what each code gives, and not a sum: the same
credits may pay for something else by then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core import signing
from django.utils.translation import gettext as _

from ...aliases import Basket
from ...credits.ledger.quoting import Quote
from ...credits.models import TrainingProduct
from ..basket.quotes import end_of_codes, quote_of
from ..catalogue.training import training_of

FIELD = "training_credits_shown"
SALT = "oscar_training_credits.shown"
REMEMBERED = ("submission", FIELD)
"""Where a checkout's session keeps it: it goes with the rest of the submission."""
NO_MONEY = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class ConfirmedLine:
    """What one line is, what it costs, and for how long it gives access."""

    product_id: int
    quantity: int
    credits: int | None
    """The credits that it is paid with; None for money."""
    money: Decimal
    access: tuple[Any, ...]
    """The days, the first and the last day, and the end of the codes that pay."""

    def is_within(self, before: ConfirmedLine) -> bool:
        """Tell whether this is the very same as `before`, for as much or less."""
        return (
            self._what == before._what
            and (self.credits or 0) <= (before.credits or 0)
            and self.money <= before.money
        )

    @property
    def _what(self) -> tuple[Any, ...]:
        return self.product_id, self.quantity, self.access, self.credits is None


@dataclass(frozen=True, slots=True)
class ConfirmedPrice:
    """The basket, its lines, and what each code gives, as they were on the screen."""

    basket_id: int
    lines: Mapping[str, ConfirmedLine] = field(default_factory=dict)
    """By Oscar's reference of the line, which tells options and stock apart."""
    codes: Mapping[int, int] = field(default_factory=dict)
    """The credits that each code gives, by its primary key."""
    total: Decimal | None = None
    """The order's total in money; None where it was not known."""

    @property
    def charges(self) -> Decimal:
        """The money beside that of the lines: shipping and surcharges."""
        lines = sum((line.money for line in self.lines.values()), NO_MONEY)
        return (self.total or NO_MONEY) - lines

    def is_within(self, before: ConfirmedPrice) -> bool:
        """Tell whether this is the very same as `before`, for as much or less."""
        return (
            self.has_goods_of(before)
            and all(
                line.is_within(before.lines[reference])
                for reference, line in self.lines.items()
            )
            and all(
                credits <= before.codes.get(code, 0)
                for code, credits in self.codes.items()
            )
            and self._costs_no_more_than(before)
        )

    def has_goods_of(self, before: ConfirmedPrice) -> bool:
        """Tell whether this is the same basket, with as many of the same products."""
        return self.basket_id == before.basket_id and self._goods == before._goods

    @property
    def _goods(self) -> dict[str, tuple[int, int]]:
        return {
            reference: (line.product_id, line.quantity)
            for reference, line in self.lines.items()
        }

    def _costs_no_more_than(self, before: ConfirmedPrice) -> bool:
        if self.total is None or before.total is None:
            return True
        return self.total <= before.total and self.charges <= before.charges


def price_of(
    basket: Basket, total: Any = None, *, quote: Quote | None = None
) -> ConfirmedPrice:
    """Return what is bought with `basket`, and what each line and code gives.

    `total` is the order's in money, if it is known; `quote` is how the codes settle
    the lines now, if that has been asked anew.
    """
    quote = quote or quote_of(basket)
    lines = {
        line.line_reference: _shown_line(line, quote) for line in basket.all_lines()
    }
    codes: Counter[int] = Counter()
    for take in quote.takes:
        codes[take.grant.code_id] += take.credits
    money = None if total is None else money_of(total)
    return ConfirmedPrice(basket.pk, lines, dict(codes), money)


def money_of(total: Any) -> Decimal:
    """Return the money of an order's total, tax included where it is known."""
    money: Decimal = total.incl_tax if total.is_tax_known else total.excl_tax
    return money


def write(shown: ConfirmedPrice) -> str:
    """Return `shown` as a signed text for a hidden field."""
    lines = [[reference, *_plain(line)] for reference, line in shown.lines.items()]
    total = None if shown.total is None else str(shown.total)
    values = [shown.basket_id, lines, list(shown.codes.items()), total]
    return signing.dumps(values, salt=SALT, compress=True)


def read(data: Any) -> ConfirmedPrice | None:
    """Return what a form says was shown; None if it doesn't, or was tampered with."""
    try:
        values = signing.loads(data.get(FIELD, ""), salt=SALT)
        return _read(*values)
    except (signing.BadSignature, TypeError, ValueError, InvalidOperation):
        # The last three: signed by a release that showed less.
        return None


def confirm(basket: Basket, before: ConfirmedPrice | None) -> None:
    """Let whoever orders this very `basket` know what the learner has confirmed."""
    basket._training_credits_confirmed = before


def remember(basket: Basket, *, session: Any) -> None:
    """Keep what was confirmed of `basket` in a checkout's session.

    Who pays elsewhere comes back without the form.
    """
    before = _confirmed(basket)
    session._set(*REMEMBERED, write(before) if before else "")


def recall(basket: Basket, *, session: Any) -> None:
    """Let whoever orders `basket` know what was confirmed before it was paid elsewhere.

    Only where credits were to pay: without them the site alone says what it charges.
    """
    before = read({FIELD: session._get(*REMEMBERED, "")})
    if before and before.codes and before.basket_id == basket.pk:
        confirm(basket, before)


def change_of(basket: Basket, *, quote: Quote) -> str:
    """Return what is said if `basket`, settled by `quote`, is not what was confirmed.

    Empty where it is, and where nothing was shown, as by API.
    """
    before = _confirmed(basket)
    return change(price_of(basket, quote=quote), before) if before else ""


def change_since(data: Any, now: ConfirmedPrice) -> str:
    """Return what is said if `now` is not what a form says was shown.

    Empty where the form does not say; what it says must be ours.
    """
    if FIELD not in data:
        return ""
    before = read(data)
    return change(now, before) if before else order_changed()


def change(now: ConfirmedPrice, before: ConfirmedPrice) -> str:
    """Return what is said of what has changed; empty if nothing is dearer or other."""
    if now.is_within(before):
        return ""
    return price_changed() if now.has_goods_of(before) else order_changed()


def price_changed() -> str:
    return _("A price or a code has changed. Check the order before you confirm it.")


def order_changed() -> str:
    return _("The order has changed since it was shown. Check it before you confirm.")


def _confirmed(basket: Basket) -> ConfirmedPrice | None:
    before: ConfirmedPrice | None = getattr(basket, "_training_credits_confirmed", None)
    return before


def _shown_line(line: Any, quote: Quote) -> ConfirmedLine:
    items = {item.key: item for item in quote.items}
    in_credits = line.pk in quote.covered
    return ConfirmedLine(
        line.product_id,
        line.quantity,
        items[line.pk].credits if in_credits else None,
        NO_MONEY if in_credits else _money_of_line(line),
        _access_of(training_of(line.product), quote, line.pk),
    )


def _money_of_line(line: Any) -> Decimal:
    money: Decimal = (
        line.line_price_incl_tax_incl_discounts
        if line.is_tax_known
        else line.line_price_excl_tax_incl_discounts
    )
    return money


def _access_of(
    training: TrainingProduct | None, quote: Quote, line_id: int
) -> tuple[Any, ...]:
    if training is None:
        return ()
    ends = end_of_codes(quote, line_id=line_id)
    moments = (training.access_from, training.access_until, ends)
    texts = [moment.isoformat() if moment else None for moment in moments]
    return (training.access_days, *texts)


def _plain(line: ConfirmedLine) -> list[Any]:
    money = str(line.money)
    return [line.product_id, line.quantity, line.credits, money, line.access]


def _read(basket_id: int, lines: Any, codes: Any, total: str | None) -> ConfirmedPrice:
    return ConfirmedPrice(
        basket_id,
        {
            reference: ConfirmedLine(
                product_id, quantity, credits, Decimal(money), tuple(access)
            )
            for reference, product_id, quantity, credits, money, access in lines
        },
        dict(codes),
        None if total is None else Decimal(total),
    )
