"""What credits were used for in a period: by product, learner, code or holder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from django.db.models import Case, CharField, Count, F, Q, QuerySet, Sum, Value, When

from ..models import LedgerEntry, Redemption, RedemptionLine, RefundLine
from .reporting import CHUNK, until_now

Kind = LedgerEntry.Kind


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

    Two queries, read in chunks. The sums are those of `roll_forward`. A period that
    has not ended is reckoned until now. Names of holders are those of today.

    Raises:
        ValueError: it begins after it ends, or in the future.
    """
    end = until_now(start, end)
    return _rows(_taken(grouping, start, end), _given_back(grouping, start, end))


def _rows(taken: QuerySet[Any, Any], given_back: QuerySet[Any, Any]) -> Iterator[Use]:
    refunded = {_key(row): row["credits"] for row in given_back}
    for row in taken.iterator(CHUNK):
        key = _key(row)
        yield Use(
            key, row["credits"], refunded.pop(key, 0), row["orders"], row["learners"]
        )
    # What was taken before the period, and came back in it.
    for key, credits in refunded.items():
        yield Use(key, 0, credits)


def _key(row: dict[str, Any]) -> Any:
    return row["title"] or row["key"]


def _taken(grouping: UseGrouping, start: datetime, end: datetime) -> QuerySet[Any, Any]:
    """Group what was captured, at the moment that the roll-forward takes for it."""
    own_entry = Q(redemption__entries__grant=F("grant"))
    at_once = Q(
        redemption__entries__kind=Kind.REDEEM,
        redemption__entries__created_at__gte=start,
        redemption__entries__created_at__lt=end,
    )
    held_before = Q(
        redemption__entries__kind=Kind.HOLD,
        redemption__order__date_placed__gte=start,
        redemption__order__date_placed__lt=end,
    )
    lines = RedemptionLine.objects.filter(
        own_entry & (at_once | held_before),
        redemption__code__is_test=False,
        redemption__state=Redemption.State.CAPTURED,
    )
    grouped = _grouped(lines, grouping, prefix="")
    counts: QuerySet[Any, Any] = grouped.annotate(
        credits=Sum("credits"),
        orders=Count("redemption__order", distinct=True),
        learners=Count("redemption__learner", distinct=True),
    )
    return counts.order_by("-credits", "key", "title")


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
    lines: QuerySet[Any], grouping: UseGrouping, *, prefix: str
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
