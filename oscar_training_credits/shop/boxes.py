"""What the code boxes show: computed here, so that templates only render."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings as django_settings
from django.shortcuts import resolve_url

from ..credits import sale
from ..credits.access import STRANGER
from ..credits.models import TrainingProduct
from ..credits.quoting import CodeQuote, Item, Quote
from ..credits.refusals import public_text
from . import express, flash, shown
from .orders import needs_code
from .quotes import quote_of
from .training import takes_part, training_of

OPEN = "purchase"
ANCHOR = "#training-purchase-next"


@dataclass(frozen=True, slots=True)
class LineRow:
    """How one basket line is settled."""

    line: Any
    item: Item | None
    credits: int | None
    """Credits that it takes or, credit-only, waits for; None if it costs money."""
    is_covered: bool

    @property
    def has_choice(self) -> bool:
        """Credits and money could both pay for it."""
        return self.item is not None and not self.item.credit_only


@dataclass(frozen=True, slots=True)
class CodeRow:
    """What one applied code has, gives and keeps, or why it can't be used."""

    quote: CodeQuote
    refusal: str


@dataclass(frozen=True, slots=True)
class BasketBox:
    quote: Quote
    lines: list[LineRow]
    codes: list[CodeRow]
    total: Any
    notice: str
    """What stands in the way of the order, or is lacking; may be empty."""

    @property
    def money_due(self) -> Any:
        """The money still to be paid; None if there is none, or it is not known."""
        if self.total is None:
            return None
        due = self.total.incl_tax if self.total.is_tax_known else self.total.excl_tax
        return due or None


def basket_box(basket: Any, *, total: Any = None) -> BasketBox | None:
    """Return what the box of a shopping basket shows; None if it is empty."""
    if basket.is_empty:
        return None
    if not takes_part(basket):
        return BasketBox(Quote((), (), ()), [], [], total, "")
    quote = quote_of(basket)
    items = {item.key: item for item in quote.items}
    lines = [_line_row(line, items.get(line.pk), quote) for line in basket.all_lines()]
    return BasketBox(quote, lines, code_rows(quote), total, notice(quote))


def code_rows(quote: Quote) -> list[CodeRow]:
    return [
        CodeRow(code, public_text(code.refusal) if code.refusal else "")
        for code in quote.codes
    ]


def notice(quote: Quote) -> str:
    if shortage := quote.shortage():
        return public_text(shortage)
    return needs_code(quote) if quote.blocking and quote.codes else ""


def purchase_box(source: Any, *, request: Any) -> dict[str, Any]:
    """Return the context of the purchase box for a training page or a product."""
    product = getattr(source, "product", source)
    training = _shown_terms(source, product, request)
    if training is None:
        return {"training": None}
    preview = getattr(request, "is_preview", False)
    price = request.strategy.fetch_for_product(product).price
    state = (
        express.PurchaseState(training, STRANGER)
        if preview
        else express.purchase_state(training, request.user)
    )
    answer = None if preview else flash.pop(request)
    over = sale.over_text(training) if training.is_over else ""
    is_open = bool(answer or state.codes or request.GET.get(OPEN))
    context = {
        "request": request,
        "preview": preview,
        "product": product,
        "training": training,
        "price": None if training.credit_only else price,
        "is_for_sale": price.exists and not over,
        "is_express": express.is_express(training) and not over,
        "over": over,
        "state": state,
        "codes": code_rows(state.quote),
        "notice": notice(state.quote),
        "answer": answer,
        "is_open": is_open,
        "next": request.path,
        "login_url": login_url(request.path),
    }
    if state.is_payable:
        before = shown.Shown(state.basket.pk, state.quote.credits, shown.NO_MONEY)
        context |= {"shown_name": shown.FIELD, "shown": shown.write(before)}
    return context


def login_url(page: str) -> str:
    """Return where to log in or register, and come back to the open box of `page`."""
    here = f"{page}?{urlencode({OPEN: 'open'})}{ANCHOR}"
    return f"{resolve_url(django_settings.LOGIN_URL)}?{urlencode({'next': here})}"


def _shown_terms(source: Any, product: Any, request: Any) -> TrainingProduct | None:
    """The live terms, or the draft's where its preview is shown."""
    if product is None:
        return None
    if getattr(request, "is_preview", False) and hasattr(source, "draft_training"):
        draft: TrainingProduct | None = source.draft_training
        return draft
    return training_of(product)


def _line_row(line: Any, item: Item | None, quote: Quote) -> LineRow:
    covered = line.pk in quote.covered
    in_credits = item and (covered or item.credit_only)
    return LineRow(
        line=line,
        item=item,
        credits=item.credits if item and in_credits else None,
        is_covered=covered,
    )
