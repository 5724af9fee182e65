"""What the code boxes show: computed here, so that templates only render."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..aliases import Basket, Product, Request
from ..conf import settings
from ..credits import wording
from ..credits.access import buying_again, status
from ..credits.access.granting import Period, expected_period
from ..credits.access.status import NO_ACCESS, AccessStatus
from ..credits.codes.refusals import public_text
from ..credits.ledger.quoting import CodeQuote, Item, Quote
from ..credits.models import TrainingProduct
from . import personal
from .basket import answers, typed_codes
from .basket.obstacles import closed_in, may_have
from .basket.quotes import end_of_codes, quote_of
from .basket.split import blocking_text, hint_text
from .basket.vouchers import idle_vouchers
from .catalogue.training import takes_part, training_of, trainings_of
from .direct_purchase import asking, purchase
from .direct_purchase.links import NEXT, OPEN, login_url_of_box
from .order import confirmed
from .partner.availability import unavailable_text


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
class BasketNote:
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
    """What stands in the way of the order; may be empty."""
    hint: str = ""
    """What the codes lack where money pays the rest; may be empty."""
    idle_vouchers: list[Any] = field(default_factory=list)
    """Oscar's vouchers that give nothing now, as credits pay."""

    @property
    def money_due(self) -> Any:
        """The money still to be paid; None if there is none, or it is not known."""
        if self.total is None:
            return None
        due = self.total.incl_tax if self.total.is_tax_known else self.total.excl_tax
        return due or None


def basket_box(basket: Basket, *, total: Any = None) -> BasketBox | None:
    """Return what the box of a shopping basket shows; None if it is empty."""
    if basket.is_empty:
        return None
    if not takes_part(basket):
        return BasketBox(Quote((), (), ()), [], [], total, "")
    quote = quote_of(basket)
    items = {item.key: item for item in quote.items}
    lines = [line_row(line, items.get(line.pk), quote) for line in basket.all_lines()]
    return BasketBox(
        quote,
        lines,
        code_rows(quote),
        total,
        blocking_text(quote),
        hint_text(quote),
        idle_vouchers(basket),
    )


def ask_url(box: BasketBox | None, request: Request) -> str:
    """Return where credits are asked for that a basket lacks; empty for nowhere."""
    if box is None or not box.quote.missing:
        return ""
    codes = [each.code for each in box.quote.codes]
    return asking.address_to_ask(request, codes)


def notes_on(basket: Basket) -> list[BasketNote]:
    """Return what the owner of `basket` is told before they pay for its training."""
    return [
        *closed_to_owner(basket),
        *notes_on_owned(basket),
        *bought_twice(basket),
        *several_places(basket),
        *ends_with_codes(basket),
    ]


def closed_to_owner(basket: Basket) -> list[BasketNote]:
    """Return what the owner of `basket` is told of its training that they can't open.

    Asked of all once for each request.
    """
    closed = closed_in(basket)
    return [
        BasketNote(training.product.get_title(), closed[training.product_id])
        for training in trainings_of(basket)
        if training.product_id in closed
    ]


def notes_on_owned(basket: Basket) -> list[BasketNote]:
    """Return what the owner of `basket` is told of its training that is theirs.

    No query more for those who have no training yet. What they buy for several is
    not for them.
    """
    trainings, quote = trainings_of(basket), quote_of(basket)
    several = {line.product_id for line in basket.all_lines() if line.quantity > 1}
    if not (basket.owner and may_have(basket, quote.items)):
        return []
    mine = [each for each in trainings if each.product_id not in several]
    held = status.access_statuses(basket.owner, mine)
    again = buying_again.refusals_again(basket.owner, mine)
    ordered = buying_again.ordered_already(basket.owner, mine)
    ends = code_ends(basket)
    notes = {
        each: again.get(each.pk)
        or ordered.get(each.pk)
        or note_on_owned(
            each, held.get(each.pk, NO_ACCESS), until=ends.get(each.product_id)
        )
        or path_note(each, basket.owner)
        for each in mine
    }
    return [
        BasketNote(training.product.get_title(), note)
        for training, note in notes.items()
        if note
    ]


def ends_with_codes(basket: Basket) -> list[BasketNote]:
    """Return what is said of training that ends when the code ends that pays for it."""
    text = _("Access to it ends on %(end)s, when the code does.")
    now, ends = timezone.now(), code_ends(basket)
    rows = []
    for training in trainings_of(basket):
        if not (end := ends.get(training.product_id)):
            continue
        period = expected_period(training, NO_ACCESS, at=now, until=end)
        if period is None or period.ends_at == end:
            note = text % {"end": wording.last_day(end)}
            rows.append(BasketNote(training.product.get_title(), note))
    return rows


def code_ends(basket: Basket) -> dict[Any, datetime]:
    """Return when access ends with the code that pays for it, by the product's key."""
    quote = quote_of(basket)
    ends = {
        line.product_id: end_of_codes(quote, line_id=line.pk)
        for line in basket.all_lines()
    }
    return {product_id: end for product_id, end in ends.items() if end}


def bought_twice(basket: Basket) -> list[BasketNote]:
    """Return what the owner of `basket` is told of training that others in it open.

    No query if there is no path and no plan.
    """
    products = {line.product_id for line in basket.all_lines() if line.quantity == 1}
    mine = [each for each in trainings_of(basket) if each.product_id in products]
    text = _("“%(title)s” opens this as well, and is in your basket too.")
    return [
        BasketNote(
            training.product.get_title(), text % {"title": other.product.get_title()}
        )
        for training, other in status.opened_by_others(mine).items()
    ]


def several_places(basket: Basket) -> list[BasketNote]:
    """Return what the owner of `basket` is told of training for several learners."""
    text = _("You get %(number)s places, with a link for each learner.")
    return [
        BasketNote(line.product.get_title(), text % {"number": line.quantity})
        for line in basket.all_lines()
        if 1 < line.quantity <= settings.MOST_PLACES and training_of(line.product)
    ]


def code_rows(quote: Quote) -> list[CodeRow]:
    return [
        CodeRow(code, public_text(code.refusal) if code.refusal else "")
        for code in quote.codes
    ]


def purchase_box(source: Any, *, request: Request) -> dict[str, Any]:
    """Return the context of the purchase box for a training page or a product."""
    product = getattr(source, "product", source)
    training = _shown_terms(source, product, request)
    if training is None:
        return {"training": None}
    preview = getattr(request, "is_preview", False)
    if not preview and not _is_personal(source, request):
        return _shared_box(source, training, request)
    if request.user.is_authenticated:
        personal.mark(request)
    info = request.strategy.fetch_for_product(product)
    price = info.price
    is_direct = purchase.is_bought_directly(training)
    unavailable = "" if preview else unavailable_text(info.availability)
    state = (
        purchase.PurchaseState(training, NO_ACCESS, preview_period(training))
        if preview
        else purchase.purchase_state(
            training, request.user, access_status=_access_status(source, request)
        )
    )
    answer = None if preview else answers.pop(request)
    is_bought = bool(answer and answer["accepted"] and state.access_status.starts_at)
    is_open = bool(state.codes or request.GET.get(OPEN) or (answer and not is_bought))
    has_form = bool(state.gain and is_direct and not unavailable)
    is_answer_next = bool(answer and (not has_form or (is_bought and not is_open)))
    context = {
        "request": request,
        "preview": preview,
        "product": product,
        "training": training,
        "price": None if training.credit_only else price,
        "is_for_sale": price.exists,
        "is_direct": is_direct,
        "unavailable": unavailable,
        "choose_url": "" if is_direct else choose_url(product),
        "over": buying_again.over_text(training) if training.is_over else "",
        "path_note": ""
        if preview or state.access_status.has_access
        else path_note(training, request.user),
        "state": state,
        "codes": code_rows(state.quote),
        "notice": public_text(shortage) if (shortage := state.quote.shortage()) else "",
        "useless": useless_text(state),
        "answer": answer,
        "is_open": is_open,
        "has_form": has_form,
        # Where the focus goes: to the answer, or to the control that comes next.
        "answer_id": NEXT if is_answer_next else "",
        "control_id": "training-purchase-again" if is_answer_next else NEXT,
        "typed": retry.typed if (retry := typed_codes.retry_of(request)) else None,
        "next": _address(source, request),
        "login_url": login_url_of_box(_address(source, request)),
        "ask_url": "",
    }
    if not (preview or state.is_payable or state.refusal) and training.takes_credits:
        codes = [each.code for each in state.codes]
        context["ask_url"] = asking.address_to_ask(request, codes, training)
    if state.is_payable:
        terms = confirmed.price_of(state.basket)
        context |= {"shown_name": confirmed.FIELD, "shown": confirmed.write(terms)}
    return context


def useless_text(state: purchase.PurchaseState) -> str:
    """Return why the applied codes gain nothing, where another one would."""
    end = end_of_codes(state.quote)
    if end is None or state.gain or state.refusal:
        return ""
    if expected_period(state.training, state.access_status, at=timezone.now()) is None:
        return ""
    text = _(
        "Access that this code pays for ends on %(end)s, so it would gain you nothing."
        " Remove it, and ask your learning administrator for a new code."
    )
    return text % {"end": wording.last_day(end)}


def _is_personal(source: Any, request: Request) -> bool:
    """Tell whether the box is for this visitor; else a cache keeps it for everybody."""
    asked = getattr(source, "is_personal", None)
    return asked is None or bool(asked(request))


def _access_status(source: Any, request: Request) -> AccessStatus | None:
    """Return what a training page knows already of how its visitor stands."""
    known = getattr(source, "access_status", None)
    return known(request) if known else None


def _address(source: Any, request: Request) -> str:
    """Return the address of the page with the box of this visitor."""
    is_shared = getattr(source, "is_shared", False)
    usual = str(source.personal_url(request) if is_shared else request.path)
    return typed_codes.page_of(request, usual)


def _shared_box(
    source: Any, training: TrainingProduct, request: Request
) -> dict[str, Any]:
    """Return what the box shows to everybody: no form, no token, nobody's codes."""
    info = request.strategy.fetch_for_product(training.product)
    price = info.price
    return {
        "request": request,
        "product": training.product,
        "training": training,
        "price": None if training.credit_only else price,
        "is_direct": purchase.is_bought_directly(training),
        "unavailable": unavailable_text(info.availability),
        "state": purchase.PurchaseState(training, NO_ACCESS, preview_period(training)),
        "personal_url": source.personal_url(request),
        "control_id": NEXT,
    }


def choose_url(product: Product) -> str:
    """Return where the shop asks for the options of `product`; empty if it has none."""
    if not purchase.asks_options(product):
        return ""
    page = product.parent if product.is_child else product
    return f"{page.get_absolute_url()}#add_to_basket_form"


def preview_period(training: TrainingProduct) -> Period | None:
    return expected_period(training, NO_ACCESS, at=timezone.now())


def path_note(training: TrainingProduct, learner: Any) -> str:
    """Return how much of a path the learner has already; empty if nothing."""
    courses = training.listed_courses()
    held = status.access_statuses(learner, courses)
    count = sum(access_status.has_access for access_status in held.values())
    if not count:
        return ""
    return ngettext(
        "You have %(count)s of its %(total)s courses already.",
        "You have %(count)s of its %(total)s courses already.",
        count,
    ) % {"count": count, "total": len(courses)}


def note_on_owned(
    training: TrainingProduct,
    access_status: AccessStatus,
    *,
    until: datetime | None = None,
) -> str:
    """Return what a learner is told who is about to buy what they have.

    Empty for those who have no access, now or to come. With `until` what they buy
    ends then at the latest.
    """
    if access_status.starts_at is None:
        return ""
    gain = expected_period(training, access_status, at=timezone.now(), until=until)
    if gain is None:
        text = _("You have access to this already. Buying it adds nothing.")
        return f"{text} {_('Remove it before you go on.')}"
    if access_status.ends_at is None or gain.starts_at != access_status.ends_at:
        return ""
    end = wording.last_day(access_status.ends_at)
    if gain.ends_at is None:
        text = _("You have access until %(end)s. With this purchase it has no end.")
        return text % {"end": end}
    text = _(
        "You have access until %(end)s. With this purchase it lasts until %(new)s."
    )
    return text % {"end": end, "new": wording.last_day(gain.ends_at)}


def _shown_terms(
    source: Any, product: Product, request: Request
) -> TrainingProduct | None:
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
