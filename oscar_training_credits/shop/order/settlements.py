"""How an order was paid in credits, and what its training opens.

Everything that an ordinary order needs comes with its lines, which the pages that
show an order read anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urljoin

from django.conf import settings as django_settings
from django.db.models import (
    F,
    OuterRef,
    Prefetch,
    QuerySet,
    Subquery,
    Sum,
    prefetch_related_objects,
)
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from ...aliases import Order
from ...credits.has_row import HasRow
from ...credits.models import (
    CreditCode,
    CreditGrant,
    Place,
    Redemption,
    SettledLine,
)
from .. import totals
from ..catalogue.content_links import content_links
from ..payment.sources import source_reference

SHARED = "_training_contents"
ORDINARY = "_training_credits_ordinary"
JOINED = (
    "settled_line",
    "training_access__training__product",
    "training_due",
    "pack_sale",
)


@dataclass(frozen=True)
class OrderSettlement:
    """How an order was paid in credits, and what was left to pay in money."""

    order: Order
    lines: dict[int, SettledLine]
    """The lines paid in credits, by the primary key of the order line."""
    redemptions: tuple[Redemption, ...]

    @property
    def credits(self) -> int:
        return sum(line.credits for line in self.lines.values())

    @property
    def has_shipping(self) -> bool:
        return bool(self.order.shipping_incl_tax or self.order.shipping_address_id)

    @property
    def basket_total(self) -> str:
        return self._in_words(self.order.basket_total_incl_tax)

    @property
    def basket_total_before_discounts(self) -> str:
        return self._in_words(self.order.basket_total_before_discounts_incl_tax)

    @property
    def total(self) -> str:
        return self._in_words(self.order.total_incl_tax)

    @cached_property
    def money_sources(self) -> list[Any]:
        """The order's payment sources that are not credits."""
        ours = {source_reference(redemption) for redemption in self.redemptions}
        sources = self.order.sources.select_related("source_type")
        return [source for source in sources if source.reference not in ours]

    def _in_words(self, money: Any) -> str:
        return totals.in_words(money, self.order.currency, credits=self.credits)


@dataclass(frozen=True, slots=True)
class OrderContent:
    """What one training product in an order opens."""

    title: str
    link: str
    ends_at: datetime | None = None
    """When access ends; None for never."""
    places: int = 0
    """How many places there are to hand out instead of access for the buyer."""
    is_due: bool = False
    """It opens when the order is paid; until then the link leads to the order."""


@dataclass(frozen=True, slots=True)
class LineCredits:
    """The credits that an order line took, and how many of them have gone back."""

    order_line: Any
    credits: int
    given_back: int


@dataclass(frozen=True, slots=True)
class CodeCredits:
    """The credits that an order took from a code, and how many have gone back to it."""

    code: CreditCode
    credits: int
    given_back: int


@dataclass(frozen=True, slots=True)
class OrderCredits:
    """What an order took in credits: by its lines, and by the codes that paid."""

    lines: tuple[LineCredits, ...] = ()
    """Those that were paid in credits."""
    codes: tuple[CodeCredits, ...] = ()

    @property
    def credits(self) -> int:
        return sum(line.credits for line in self.lines)

    @property
    def given_back(self) -> int:
        return sum(line.given_back for line in self.lines)


def credits_of(order: Order) -> OrderCredits:
    """Return the credits that `order` took, as they are now: two queries."""
    settled = SettledLine.objects.filter(order_line__order=order)
    lines = (
        LineCredits(line.order_line, line.credits, line.credits_back)
        for line in settled.select_related("order_line").order_by("order_line")
    )
    codes = (
        CodeCredits(each.code, each.credits, each.given_back or 0)
        for each in redemptions_with_refunds().filter(order=order)
    )
    return OrderCredits(tuple(lines), tuple(codes))


def settlement_of(
    order: Order, lines: Iterable[Any] | None = None, *, or_money: bool = False
) -> OrderSettlement | None:
    """Return how `order` was paid in credits; None if it was not.

    With `or_money` also of an order that took no credits.

    `order.lines.all()` is read on the way, once and for all. With `lines`, all the
    order's lines as somebody has read them already, only credits are read.
    """
    lines = lines_of(order) if lines is None else list(lines)
    prefetch_related_objects(lines, "settled_line")
    settled = {line.pk: line.settled_line for line in lines if _is_settled(line)}
    if not settled:
        # No credits were taken without a line that they pay for.
        return OrderSettlement(order, {}, ()) if or_money else None
    if "credit_redemptions" not in getattr(order, "_prefetched_objects_cache", {}):
        # Building the query takes as long as asking it.
        redemptions = Prefetch("credit_redemptions", redemptions_with_refunds())
        prefetch_related_objects([order], redemptions)
    return OrderSettlement(order, settled, tuple(order.credit_redemptions.all()))


def redemptions_with_refunds() -> QuerySet[Any]:
    """Return redemptions with their codes, and the credits `given_back` of each.

    `left` is what can still be spent of its code now.
    """
    rows = Redemption.objects.select_related("code").order_by("pk")
    usable = CreditGrant.objects.unexpired(timezone.now())
    of_code = usable.filter(code=OuterRef("code")).order_by().values("code")
    left = of_code.annotate(left=Sum("remaining")).values("left")
    return rows.annotate(
        given_back=Sum("refunds__credits"), left=Coalesce(Subquery(left), 0)
    )


def contents_of(order: Order, *, domain: str = "") -> list[OrderContent]:
    """Return what the training in `order` opens, by whatever means it was paid.

    What was given back opens nothing any more; what waits for the order's payment is
    named last. With a `domain` the links are absolute, and those of places lead to the
    order, where they are handed out.
    """
    read: dict[str, list[OrderContent]] = getattr(order, SHARED, {})
    if domain not in read:
        read[domain] = _contents_of(order, domain)
    return read[domain]


def _contents_of(order: Order, domain: str) -> list[OrderContent]:
    lines = lines_of(order)
    prefetch_related_objects(lines, *JOINED[1:])
    base = f"{django_settings.OSCAR_URL_SCHEMA}://{domain}" if domain else ""
    several = [line for line in lines if domain and getattr(line, "has_places", False)]
    waiting = [line for line in lines if getattr(line, "training_due", None)]
    handed_out = [
        _on_order(line, order, base, places=line.quantity) for line in several
    ]
    due = [_on_order(line, order, base, is_due=True) for line in waiting]
    lines = [line for line in lines if _opens_content(line)]
    if not lines:
        return [*handed_out, *due]
    links = content_links(line.training_access.training for line in lines)
    return [
        *handed_out,
        *_opened_by(lines, links, base),
        *due,
    ]


def _on_order(line: Any, order: Order, base: str, **more: Any) -> OrderContent:
    page = reverse("customer:order", args=[order.number])
    return OrderContent(title=line.title, link=urljoin(base, page), **more)


def _opened_by(
    lines: Iterable[Any], links: dict[int, str], base: str
) -> list[OrderContent]:
    return [
        OrderContent(
            title=line.title,
            link=urljoin(base, links[line.training_access.training_id]),
            ends_at=line.training_access.ends_at,
        )
        for line in lines
    ]


def line_credits(line: Any) -> int | None:
    """Return the credits that an order line was paid in; None for money."""
    return line.settled_line.credits if _is_settled(line) else None


def credits_left(lines: Iterable[Any]) -> int:
    """Return the credits of order lines that have not been given back."""
    settled = [line.settled_line for line in lines if _is_settled(line)]
    return sum(line.credits - line.credits_back for line in settled)


def lines_of(order: Order) -> list[Any]:
    """Return the lines of `order`, with their credits and access: one query at most."""
    share_lines(order)
    lines = list(order.lines.all())
    if is_ordinary(order):
        for line in lines:
            remember_nothing(line)
    return lines


@contextmanager
def shared_reading(order: Order) -> Iterator[None]:
    """Let all that is written about `order` in here share one reading of its lines."""
    share_lines(order)
    setattr(order, SHARED, {})
    try:
        yield
    finally:
        delattr(order, SHARED)
        forget_lines(order)


def share_lines(order: Order) -> None:
    """Let `order.lines.all()` ask once, for whoever is first, with credits and access.

    What was read before is left alone. `has_places` of a line says whether there are
    places to hand out.
    """
    if has_read_lines(order):
        # Building the query takes as long as asking it.
        return
    lines: QuerySet[Any] = order.lines.all()
    if not is_ordinary(order):
        places = HasRow(Place, order_line=F("pk"))
        lines = lines.select_related(*JOINED).annotate(has_places=places)
    order.__dict__.setdefault("_prefetched_objects_cache", {})["lines"] = lines


def forget_lines(order: Order) -> None:
    """Let `order.lines.all()` ask the database again."""
    getattr(order, "_prefetched_objects_cache", {}).pop("lines", None)


def has_read_lines(order: Order) -> bool:
    return "lines" in getattr(order, "_prefetched_objects_cache", {})


def note_ordinary(order: Order) -> None:
    """Note of an order just written that it has neither training nor credits."""
    setattr(order, ORDINARY, True)


def is_ordinary(order: Order) -> bool:
    return getattr(order, ORDINARY, False)


def remember_nothing(line: Any) -> None:
    """Let a line of an ordinary order be asked for ours without a query."""
    for path in JOINED:
        field = line._meta.get_field(path.partition("__")[0])
        field.set_cached_value(line, None)


def _is_settled(line: Any) -> bool:
    return getattr(line, "settled_line", None) is not None


def _opens_content(line: Any) -> bool:
    access = getattr(line, "training_access", None)
    return access is not None and not access.has_ended(timezone.now())
