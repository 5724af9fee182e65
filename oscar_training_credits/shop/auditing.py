"""What must always hold between credits and Oscar's orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import CharField, Exists, F, OuterRef, Q, Value
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model

from ..credits import auditing
from ..credits.auditing import Finding, Rows, Rules
from ..credits.models import (
    ParkedPrice,
    Redemption,
    RedemptionLine,
    SettledLine,
)
from .orders import REFERENCE

RULES = Rules()


def audit() -> Iterator[Finding]:
    """Yield what does not hold in the records of credits, orders and access.

    Nothing is changed and nothing locked, so it may run while the site sells.
    """
    yield from auditing.audit()
    yield from RULES.findings()


@RULES.add(
    _(
        "Redemption %(pk)s paid for order %(order_id)s, which has no payment source"
        " that says so."
    )
)
def orders_name_their_redemptions() -> Rows:
    Source = get_model("payment", "Source")
    named = Source._default_manager.filter(
        order=OuterRef("order"), reference=_reference(OuterRef("pk"))
    )
    captured = Redemption.objects.filter(state=Redemption.State.CAPTURED)
    return captured.filter(~Exists(named)).values("pk", "order_id")


@RULES.add(
    _(
        "Payment source %(pk)s of order %(order_id)s says “%(label)s”, but there is no"
        " such redemption for this order."
    )
)
def sources_have_their_redemption() -> Rows:
    Source = get_model("payment", "Source")
    named = Redemption.objects.annotate(reference=_reference(F("pk"))).filter(
        order=OuterRef("order"), reference=OuterRef("reference")
    )
    ours = Source._default_manager.filter(reference__startswith=REFERENCE)
    return ours.filter(~Exists(named)).values("pk", "order_id", "label")


@RULES.add(
    _(
        "Redemption %(pk)s is for order number %(order_number)s, but paid for order"
        " number %(order__number)s."
    )
)
def redemptions_are_for_their_order() -> Rows:
    rows = Redemption.objects.filter(order__isnull=False)
    return rows.exclude(order_number=F("order__number")).values(
        "pk", "order_number", "order__number"
    )


@RULES.add(
    _(
        "Redemption line %(pk)s pays for order line %(settled_line__order_line_id)s,"
        " but redemption %(redemption_id)s is of another order."
    )
)
def lines_pay_for_their_order() -> Rows:
    settled = Q(settled_line__isnull=False, redemption__order__isnull=False)
    same = Q(settled_line__order_line__order=F("redemption__order"))
    return RedemptionLine.objects.filter(settled & ~same).values(
        "pk", "redemption_id", "settled_line__order_line_id"
    )


@RULES.add(
    _(
        "Settled line %(pk)s is for %(quantity)s, but order line %(order_line_id)s is"
        " for %(order_line__quantity)s."
    )
)
def lines_are_settled_whole() -> Rows:
    rows = SettledLine.objects.exclude(quantity=F("order_line__quantity"))
    return rows.values("pk", "quantity", "order_line_id", "order_line__quantity")


# A line that was refunded may have lost its access, and a learner who was deleted has.
@RULES.add(
    _(
        "Order line %(order_line_id)s was paid in credits, but nobody has access by it"
        " (settled line %(pk)s)."
    )
)
def settled_lines_give_access() -> Rows:
    kept = Q(refunded_quantity=0, order_line__order__user__isnull=False)
    rows = SettledLine.objects.filter(kept, order_line__training_access=None)
    return rows.values("pk", "order_line_id")


@RULES.add(
    _(
        "Order line %(pk)s of order %(order__number)s is credit-only, but no credits"
        " were taken for it."
    )
)
def credit_only_lines_are_settled() -> Rows:
    Line = get_model("order", "Line")
    # What was sold for money, or given away, before it became credit-only is in order.
    was_free = ParkedPrice.objects.filter(
        stockrecord__product=OuterRef("product"), price=0
    )
    rows = Line._default_manager.filter(
        ~Exists(was_free),
        product__training__credit_only=True,
        settled_line=None,
        line_price_before_discounts_incl_tax=0,
    )
    return rows.values("pk", "order__number")


def _reference(pk: Any) -> Concat:
    """Return `orders.source_reference` as the database computes it."""
    return Concat(Value(REFERENCE), Cast(pk, CharField(max_length=20)))
