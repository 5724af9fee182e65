"""Credits that an order buys: on a code when it is paid, taken back when cancelled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urljoin

from django.conf import settings as django_settings
from django.db.models import prefetch_related_objects
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from oscar.core.loading import get_model

from ...aliases import Basket, Order, Product, Request
from ...credits.access import opening
from ...credits.codes import managing
from ...credits.ledger import packs
from ...credits.ledger.packs import TakenBack
from ...credits.models import CreditCode, PackSale, TopUpChoice
from ...credits.wording import in_words
from ..catalogue.packs import pack_of
from .settlements import lines_of


@dataclass(frozen=True, slots=True)
class PackBought:
    """Packs on a line of an order, as their buyer sees them."""

    sale: PackSale
    link: str
    """Where the buyer sees the code; where the order is, until it is paid."""
    is_unseen: bool
    """Nobody has seen the text of the new code yet."""

    @property
    def is_due(self) -> bool:
        """The credits are put on a code when the order is paid."""
        return self.sale.grant_id is None


def packs_of(order: Order, *, domain: str = "") -> list[PackBought]:
    """Return the packs that `order` has bought and that were not taken back.

    With a `domain` the links are absolute, for a mail. An order without packs costs no
    query, where its lines are read for what else it has bought.
    """
    if not order or not order.user_id:
        return []
    sales = [getattr(line, "pack_sale", None) for line in lines_of(order)]
    bought = [sale for sale in sales if sale and sale.taken_back is None]
    prefetch_related_objects(bought, "grant__code")
    base = f"{django_settings.OSCAR_URL_SCHEMA}://{domain}" if domain else ""
    return [_bought(sale, order, base) for sale in bought]


def _bought(sale: PackSale, order: Order, base: str) -> PackBought:
    link = reverse("customer:order", args=[order.number])
    if sale.grant:
        link = reverse("training_credits:my-code", args=[sale.grant.code_id])
    is_new = sale.grant is not None and sale.grant.code_id != sale.top_up_id
    is_unseen = is_new and sale.text_shown_at is None
    return PackBought(sale, urljoin(base, link), is_unseen)


@dataclass(frozen=True, slots=True)
class PackOffered:
    product: Product
    credits: int
    price: Any


def packs_on_sale(request: Request) -> list[PackOffered]:
    """Return the packs that whoever asks can buy, the smallest first."""
    Product = get_model("catalogue", "Product")
    public = Product._default_manager.filter(credit_pack__isnull=False, is_public=True)
    found = public.select_related("training", "credit_pack", "parent", "product_class")
    found = found.prefetch_related("stockrecords")
    offered = []
    for product in found.order_by("credit_pack__credits", "pk"):
        info = request.strategy.fetch_for_product(product)
        pack = pack_of(product)
        if pack and info.availability.is_available_to_buy and info.price.exists:
            offered.append(PackOffered(product, pack.credits, info.price))
    return offered


def put_in_basket(basket: Basket, product: Product, *, top_up: CreditCode) -> None:
    """Put one pack into a basket, which is to top up a code its owner manages."""
    line, _created = basket.add_product(product)
    TopUpChoice.objects.update_or_create(line=line, defaults={"code": top_up})


def sell_packs(lines: Iterable[tuple[Any, Any]], *, buyer: Any) -> None:
    """Record the packs among order lines, each with its basket's line.

    In the transaction that writes the order. Credits are granted in it, too, if the
    order is paid; else once it is.
    """
    lines = [(line, from_basket) for line, from_basket in lines]
    bought = [pair for pair in lines if pack_of(pair[1].product)]
    if not bought:
        return
    codes = chosen_codes([from_basket for _line, from_basket in bought], buyer)
    PackSale.objects.bulk_create(
        _sale(line, from_basket, buyer=buyer, top_up=codes.get(from_basket.pk))
        for line, from_basket in bought
    )
    order = bought[0][0].order
    if opening.opens_at_once(order):
        packs.issue_due(order)


def chosen_codes(basket_lines: Iterable[Any], buyer: Any) -> dict[int, CreditCode]:
    """Return the codes that basket lines are to top up, if `buyer` manages them."""
    chosen = TopUpChoice.objects.filter(
        line__in=[line.pk for line in basket_lines],
        code__in=managing.codes_of(buyer).exclude(state=CreditCode.State.CLOSED),
    )
    return {choice.line_id: choice.code for choice in chosen.select_related("code")}


def take_back(order_lines: Iterable[Any], *, by: Any = None) -> list[str]:
    """Take back what these lines bought and nobody spent; say so, a sentence each."""
    taken = packs.take_back(order_lines, by=by)
    return [text for each in taken for text in taken_back_texts(each)]


def taken_back_texts(taken: TakenBack) -> list[str]:
    sale = taken.sale
    if sale.grant is None:
        return [_never_granted(sale)]
    text = _("%(credits)s bought were taken back from %(code)s.")
    texts = [text % {"credits": in_words(taken.credits), "code": sale.grant.code}]
    if taken.kept:
        text = ngettext(
            "%(n)s credit was spent, held or passed on, and stays so.",
            "%(n)s credits were spent, held or passed on, and stay so.",
            taken.kept,
        )
        texts.append(text % {"n": taken.kept})
    return texts


def would_take_back(order_lines: Iterable[Any]) -> list[str]:
    """Return what `take_back` would do now, a sentence for each sale."""
    sales = PackSale.objects.filter(
        order_line__in=[line.pk for line in order_lines], taken_back=None
    )
    texts = []
    for sale in sales.select_related("grant__code").order_by("pk"):
        if sale.grant is None:
            texts.append(_never_granted(sale))
            continue
        text = _(
            "%(left)s of %(credits)s bought are taken back from %(code)s. What was"
            " spent, held or passed on stays so."
        )
        known = {"left": sale.grant.remaining, "code": sale.grant.code}
        texts.append(text % {**known, "credits": in_words(sale.total)})
    return texts


def _never_granted(sale: PackSale) -> str:
    text = _("%(credits)s that were not paid yet will not be put on a code.")
    return text % {"credits": in_words(sale.total)}


def _sale(line: Any, from_basket: Basket, *, buyer: Any, top_up: Any) -> PackSale:
    pack = pack_of(from_basket.product)
    assert pack is not None  # noqa: S101
    paid = Decimal(line.line_price_excl_tax).quantize(Decimal("0.01"))
    return PackSale(
        order_line=line,
        buyer=buyer,
        credits=pack.credits,
        days=pack.days,
        content_id=pack.content_id,
        quantity=line.quantity,
        paid_amount=max(paid, Decimal(0)),
        paid_currency=line.order.currency,
        top_up=top_up,
    )
