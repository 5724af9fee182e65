"""What credits were used for in a period: by product, learner, code or holder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)

from ..codes.listing import key_in
from ..models import CreditCode, LedgerEntry, Redemption, RedemptionLine, RefundLine
from .reporting import until_now

Kind = LedgerEntry.Kind
CHUNK = 1_000


class UseGrouping(Enum):
    """What the rows of a report on the use of credits are about."""

    PRODUCT = "product"
    LEARNER = "learner"
    CODE = "code"
    HOLDER = "holder"


@dataclass(frozen=True, slots=True)
class Use:
    """What was taken in a period, and what came back in it, in whole credits."""

    key: Any
    """Of what: the primary key of a product, learner or code, or the holder. The title
    of a product that is deleted; None for learners who are."""
    credits: int
    """Taken for orders of the period; credits that were held before count then."""
    refunded: int = 0
    """Given back in the period, whenever they were taken."""
    orders: int = 0
    learners: int = 0

    @property
    def kept(self) -> int:
        return self.credits - self.refunded


def use_of_credits(
    grouping: UseGrouping, *, start: datetime, end: datetime
) -> Iterator[Use]:
    """Yield what credits were used for from `start` on and before `end`, most first.

    Three queries; of what may have many rows, they are read in chunks. The sums are
    those of `roll_forward`. A period that has not ended is reckoned until now. Names
    of holders are those of today.

    Raises:
        ValueError: it begins after it ends, or in the future.
    """
    end = until_now(start, end)
    counted = (
        _grouped(_taken(start, end), grouping)
        .annotate(
            credits=Sum("credits"),
            orders=Count("redemption__order", distinct=True),
            learners=Count("redemption__learner", distinct=True),
        )
        .order_by("-credits", "key", "title")
    )
    # For what is read by a cursor PostgreSQL does not share the work among its cores.
    is_short = grouping is UseGrouping.PRODUCT
    rows = counted if is_short else counted.iterator(CHUNK)
    return _rows(rows, _given_back(grouping, start, end))


def most_used_for(
    grouping: UseGrouping, most: int, *, start: datetime, end: datetime
) -> list[tuple[Any, int]]:
    """Return for what most credits were redeemed: keys, and how many. Two queries.

    The sums are those of `use_of_credits`. Orders and learners are not counted, so
    that several cores of PostgreSQL can share the work.
    """
    taken = _grouped(_taken(start, until_now(start, end)), grouping)
    in_order = taken.annotate(credits=Sum("credits")).order_by(
        "-credits", "key", "title"
    )
    return [(_key(row), row["credits"]) for row in in_order[:most]]


def _rows(
    taken: Iterable[dict[str, Any]], given_back: QuerySet[Any, Any]
) -> Iterator[Use]:
    refunded = {_key(row): row["credits"] for row in given_back}
    for row in taken:
        key = _key(row)
        yield Use(
            key, row["credits"], refunded.pop(key, 0), row["orders"], row["learners"]
        )
    # What was taken before the period, and came back in it.
    for key, credits in refunded.items():
        yield Use(key, 0, credits)


def _key(row: dict[str, Any]) -> Any:
    return row["title"] or row["key"]


def _taken(start: datetime, end: datetime) -> QuerySet[RedemptionLine]:
    """Return the lines of what was redeemed, at the moment that the roll-forward takes.

    Credits that are not held first are entered at the moment of their redemption; of
    those that are, only the keys of the few whose order is on the other side of an end
    of the period are read.
    """
    is_test = CreditCode.objects.filter(pk=OuterRef("redemption__code"), is_test=True)
    lines = RedemptionLine.objects.filter(
        # There are few of them: what is not among them need not be read.
        ~Exists(is_test),
        redemption__state=Redemption.State.CAPTURED,
    )
    then = _within("redemption__created_at", start, end)
    holds = LedgerEntry.objects.filter(
        then ^ _within("redemption__order__date_placed", start, end),
        kind=Kind.HOLD,
        redemption__state=Redemption.State.CAPTURED,
    )
    elsewhere = list(holds.order_by().values_list("redemption", flat=True))
    if not elsewhere:
        return lines.filter(then)
    held = key_in("redemption", elsewhere)
    return lines.filter((then & ~Q(held)) | (~then & Q(held)))


def _within(name: str, start: datetime, end: datetime) -> Q:
    return Q((f"{name}__gte", start), (f"{name}__lt", end))


def _given_back(
    grouping: UseGrouping, start: datetime, end: datetime
) -> QuerySet[Any, Any]:
    lines = RefundLine.objects.filter(
        refund__created_at__gte=start,
        refund__created_at__lt=end,
        redemption_line__redemption__code__is_test=False,
    )
    grouped = _grouped(lines, grouping, prefix="redemption_line__")
    sums: QuerySet[Any, Any] = grouped.annotate(credits=Sum("credits"))
    return sums.order_by("key", "title")


def _grouped(
    lines: QuerySet[Any], grouping: UseGrouping, *, prefix: str = ""
) -> QuerySet[Any, Any]:
    """Group lines by a key, and the title of the product if that is deleted."""
    paths = {
        UseGrouping.PRODUCT: "settled_line__order_line__product",
        UseGrouping.LEARNER: "redemption__learner",
        UseGrouping.CODE: "redemption__code",
        UseGrouping.HOLDER: "redemption__code__holder",
    }
    path = prefix + paths[grouping]
    title: Any = Value("", output_field=CharField())
    if grouping is UseGrouping.PRODUCT:
        order_line = f"{prefix}settled_line__order_line"
        title = Case(
            When(**{f"{order_line}__product": None}, then=F(f"{order_line}__title")),
            default=title,
            output_field=CharField(),
        )
    rows: QuerySet[Any, Any] = lines.order_by().values(key=F(path), title=title)
    return rows
