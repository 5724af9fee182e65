"""What the code boxes show: computed here, so that templates only render."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings as django_settings
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..conf import settings
from ..credits import access, sale, wording
from ..credits.access import STRANGER, Standing
from ..credits.giving import Period, foreseen
from ..credits.models import TrainingProduct
from ..credits.quoting import CodeQuote, Item, Quote
from ..credits.refusals import public_text
from . import express, flash, shown
from .orders import end_of_codes, needs_code
from .quotes import quote_of
from .training import takes_part, training_of, trainings_of

OPEN = "purchase"
NEXT = "training-purchase-next"
ANCHOR = f"#{NEXT}"


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
class AlreadyRow:
    """What is said of training in the basket: it is theirs already, or for several."""

    title: str
    note: str


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
    lines = [line_row(line, items.get(line.pk), quote) for line in basket.all_lines()]
    return BasketBox(quote, lines, code_rows(quote), total, notice(quote))


def notes_on(basket: Any) -> list[AlreadyRow]:
    """Return what the owner of `basket` is told before they pay for its training."""
    return [
        *already_yours(basket),
        *bought_twice(basket),
        *several_places(basket),
        *ends_with_codes(basket),
    ]


def already_yours(basket: Any) -> list[AlreadyRow]:
    """Return what the owner of `basket` is told of its training that is theirs.

    No query more for those who have no training yet. What they buy for several is
    not for them.
    """
    trainings, quote = trainings_of(basket), quote_of(basket)
    several = {line.product_id for line in basket.all_lines() if line.quantity > 1}
    known = any(item.has_training for item in quote.items)
    # Of training that takes no credits the quote knows nothing.
    if not basket.owner or not (known or len(trainings) > len(quote.items)):
        return []
    mine = [each for each in trainings if each.product_id not in several]
    held = access.standings(basket.owner, mine)
    again = sale.refusals_again(basket.owner, mine)
    ends = code_ends(basket)
    notes = {
        each: again.get(each.pk)
        or already_note(
            each, held.get(each.pk, STRANGER), until=ends.get(each.product_id)
        )
        or path_note(each, basket.owner)
        for each in mine
    }
    return [
        AlreadyRow(training.product.get_title(), note)
        for training, note in notes.items()
        if note
    ]


def ends_with_codes(basket: Any) -> list[AlreadyRow]:
    """Return what is said of training that ends when the code ends that pays for it."""
    text = _("Access to it ends on %(end)s, when the code does.")
    now, ends = timezone.now(), code_ends(basket)
    rows = []
    for training in trainings_of(basket):
        if not (end := ends.get(training.product_id)):
            continue
        period = foreseen(training, STRANGER, at=now, until=end)
        if period is None or period.ends_at == end:
            note = text % {"end": wording.last_day(end)}
            rows.append(AlreadyRow(training.product.get_title(), note))
    return rows


def code_ends(basket: Any) -> dict[Any, datetime]:
    """Return when access ends with the code that pays for it, by the product's key."""
    quote = quote_of(basket)
    ends = {
        line.product_id: end_of_codes(quote, line_id=line.pk)
        for line in basket.all_lines()
    }
    return {product_id: end for product_id, end in ends.items() if end}


def bought_twice(basket: Any) -> list[AlreadyRow]:
    """Return what the owner of `basket` is told of training that others in it open.

    No query if there is no path and no plan.
    """
    products = {line.product_id for line in basket.all_lines() if line.quantity == 1}
    mine = [each for each in trainings_of(basket) if each.product_id in products]
    text = _("“%(title)s” opens this as well, and is in your basket too.")
    return [
        AlreadyRow(
            training.product.get_title(), text % {"title": other.product.get_title()}
        )
        for training, other in access.opened_by_others(mine).items()
    ]


def several_places(basket: Any) -> list[AlreadyRow]:
    """Return what the owner of `basket` is told of training for several learners."""
    text = _("You get %(number)s places, with a link for each learner.")
    return [
        AlreadyRow(line.product.get_title(), text % {"number": line.quantity})
        for line in basket.all_lines()
        if 1 < line.quantity <= settings.MOST_PLACES and training_of(line.product)
    ]


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
    if not preview and not _is_personal(source, request):
        return _shared_box(source, training, request)
    price = request.strategy.fetch_for_product(product).price
    state = (
        express.PurchaseState(training, STRANGER, preview_period(training))
        if preview
        else express.purchase_state(
            training, request.user, standing=_standing(source, request)
        )
    )
    answer = None if preview else flash.pop(request)
    is_bought = bool(answer and answer["accepted"] and state.standing.starts_at)
    is_open = bool(state.codes or request.GET.get(OPEN) or (answer and not is_bought))
    context = {
        "request": request,
        "preview": preview,
        "product": product,
        "training": training,
        "price": None if training.credit_only else price,
        "is_for_sale": price.exists,
        "is_express": express.is_express(training),
        "over": sale.over_text(training) if training.is_over else "",
        "path_note": ""
        if preview or state.standing.has_access
        else path_note(training, request.user),
        "state": state,
        "codes": code_rows(state.quote),
        "notice": notice(state.quote),
        "useless": useless_text(state),
        "answer": answer,
        "is_open": is_open,
        # Where the focus goes: to the answer, or to the control that comes next.
        "answer_id": NEXT if is_bought and not is_open else "",
        "control_id": NEXT if is_open or not is_bought else "training-purchase-again",
        "next": _address(source, request),
        "login_url": login_url(_address(source, request)),
    }
    if state.is_payable:
        before = shown.Shown(state.basket.pk, state.quote.credits, shown.NO_MONEY)
        context |= {"shown_name": shown.FIELD, "shown": shown.write(before)}
    return context


def useless_text(state: express.PurchaseState) -> str:
    """Return why the applied codes gain nothing, where another one would."""
    end = end_of_codes(state.quote)
    if end is None or state.gain or state.refusal:
        return ""
    if foreseen(state.training, state.standing, at=timezone.now()) is None:
        return ""
    text = _(
        "Access that this code pays for ends on %(end)s, so it would gain you nothing."
        " Remove it, and ask your learning administrator for a new code."
    )
    return text % {"end": wording.last_day(end)}


def _is_personal(source: Any, request: Any) -> bool:
    """Tell whether the box is for this visitor; else a cache keeps it for everybody."""
    asked = getattr(source, "is_personal", None)
    return asked is None or bool(asked(request))


def _standing(source: Any, request: Any) -> Standing | None:
    """Return what a training page knows already of how its visitor stands."""
    known = getattr(source, "standing", None)
    return known(request) if known else None


def _address(source: Any, request: Any) -> str:
    """Return the address of the page with the box of this visitor."""
    is_shared = getattr(source, "is_shared", False)
    return str(source.personal_address(request) if is_shared else request.path)


def _shared_box(source: Any, training: TrainingProduct, request: Any) -> dict[str, Any]:
    """Return what the box shows to everybody: no form, no token, nobody's codes."""
    price = request.strategy.fetch_for_product(training.product).price
    return {
        "request": request,
        "product": training.product,
        "training": training,
        "price": None if training.credit_only else price,
        "is_express": express.is_express(training),
        "state": express.PurchaseState(training, STRANGER, preview_period(training)),
        "personal_url": source.personal_address(request),
        "control_id": NEXT,
    }


def preview_period(training: TrainingProduct) -> Period | None:
    return foreseen(training, STRANGER, at=timezone.now())


def path_note(training: TrainingProduct, learner: Any) -> str:
    """Return how much of a path the learner has already; empty if nothing."""
    courses = training.listed_courses()
    held = access.standings(learner, courses)
    count = sum(standing.has_access for standing in held.values())
    if not count:
        return ""
    return ngettext(
        "You have %(count)s of its %(total)s courses already.",
        "You have %(count)s of its %(total)s courses already.",
        count,
    ) % {"count": count, "total": len(courses)}


def already_note(
    training: TrainingProduct, standing: Standing, *, until: datetime | None = None
) -> str:
    """Return what a learner is told who is about to buy what they have.

    Empty for those who have no access, now or to come. With `until` what they buy
    ends then at the latest.
    """
    if standing.starts_at is None:
        return ""
    gain = foreseen(training, standing, at=timezone.now(), until=until)
    if gain is None:
        return _("You have access to this already. Buying it adds nothing.")
    if standing.ends_at is None or gain.starts_at != standing.ends_at:
        return ""
    end = wording.last_day(standing.ends_at)
    if gain.ends_at is None:
        text = _("You have access until %(end)s. With this purchase it has no end.")
        return text % {"end": end}
    text = _(
        "You have access until %(end)s. With this purchase it lasts until %(new)s."
    )
    return text % {"end": end, "new": wording.last_day(gain.ends_at)}


def login_url(page: str) -> str:
    """Return where to log in or register, and come back to the open box of `page`."""
    query = urlencode({OPEN: "open"})
    here = f"{page}{'&' if '?' in page else '?'}{query}{ANCHOR}"
    return f"{resolve_url(django_settings.LOGIN_URL)}?{urlencode({'next': here})}"


def _shown_terms(source: Any, product: Any, request: Any) -> TrainingProduct | None:
    """The live terms, or the draft's where its preview is shown."""
    if product is None:
        return None
    if getattr(request, "is_preview", False) and hasattr(source, "draft_training"):
        draft: TrainingProduct | None = source.draft_training
        return draft
    return training_of(product)


def line_row(line: Any, item: Item | None, quote: Quote) -> LineRow:
    covered = line.pk in quote.covered
    in_credits = item and (covered or item.credit_only)
    return LineRow(
        line=line,
        item=item,
        credits=item.credits if item and in_credits else None,
        is_covered=covered,
    )
