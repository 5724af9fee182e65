"""What must always hold between credits and Oscar's orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import CharField, Count, Exists, F, OuterRef, Q, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model

from ...conf import settings
from ...credits.access import opening
from ...credits.ledger import auditing, packs
from ...credits.ledger.auditing import Finding, Rows, Rules
from ...credits.models import (
    Access,
    AccessChange,
    DueAccess,
    PackSale,
    ParkedPrice,
    Place,
    Redemption,
    RedemptionLine,
    SettledLine,
)
from ..payment.sources import REFERENCE

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
    places = Place.objects.filter(order_line=OuterRef("order_line"))
    rows = SettledLine.objects.filter(
        kept, order_line__training_access=None, order_line__training_due=None
    )
    return rows.filter(~Exists(places)).values("pk", "order_line_id")


@RULES.add(
    _("Order line %(order_line_id)s has opened, but waits for a payment all the same.")
)
def what_waits_has_not_opened() -> Rows:
    places = Exists(Place.objects.filter(order_line=OuterRef("order_line")))
    opened = places | Q(order_line__training_access__isnull=False)
    return DueAccess.objects.filter(opened).values("pk", "order_line_id")


@RULES.add(
    _(
        "Order line %(order_line_id)s of order %(order_line__order__number)s is paid,"
        " but has not opened. Let open_paid_access run."
    )
)
def what_is_paid_has_opened() -> Rows:
    return opening.paid_but_waiting().values(
        "pk", "order_line_id", "order_line__order__number"
    )


@RULES.add(
    _(
        "Order line %(order_line_id)s of order %(order_line__order__number)s is paid,"
        " but the credits that it bought are on no code. Let open_paid_access run."
    )
)
def credits_that_are_paid_are_on_codes() -> Rows:
    return packs.paid_but_waiting().values(
        "pk", "order_line_id", "order_line__order__number"
    )


@RULES.add(
    _(
        "Sale %(pk)s is of %(credits)s credits, %(quantity)s times, but its grant has"
        " %(grant__credits)s."
    )
)
def grants_have_what_was_sold() -> Rows:
    sold = PackSale.objects.exclude(grant=None)
    wrong = sold.exclude(grant__credits=F("credits") * F("quantity"))
    return wrong.values("pk", "credits", "quantity", "grant__credits")


@RULES.add(
    _(
        "Order line %(order_line_id)s waits for the payment of order"
        " %(order_line__order__number)s, whose status “%(order_line__order__status)s”"
        " gives credits back."
    )
)
def nothing_waits_for_orders_given_back() -> Rows:
    given_back = Q(order_line__order__status__in=settings.REFUND_STATUSES)
    return DueAccess.objects.filter(given_back).values(
        "pk", "order_line_id", "order_line__order__number", "order_line__order__status"
    )


@RULES.add(
    _(
        "Order line %(pk)s is for %(quantity)s, and has %(made)s places; its buyer has"
        " access by it: %(direct)s."
    )
)
def lines_have_all_their_places() -> Rows:
    Line = get_model("order", "Line")
    lines = Line._default_manager.filter(training_places__isnull=False)
    rows = lines.values("pk", "quantity", direct=F("training_access")).annotate(
        made=Count("training_places")
    )
    return rows.exclude(direct=None, quantity=F("made"))


# The access of a learner who was deleted has gone; the place stays claimed.
@RULES.add(
    _("Place %(pk)s, of order line %(order_line_id)s, gives access but is unclaimed.")
)
def places_that_give_access_are_claimed() -> Rows:
    rows = Place.objects.filter(claimed_at=None, access__isnull=False)
    return rows.values("pk", "order_line_id")


# Staff may let it run again, on record.
@RULES.add(
    _(
        "Access %(pk)s runs, although place %(place_id)s was taken back when its order"
        " line was refunded."
    )
)
def access_ends_with_its_refunded_place() -> Rows:
    extended = AccessChange.objects.filter(
        access=OuterRef("pk"),
        kind=AccessChange.Kind.CHANGED,
        changed_at__gte=OuterRef("place__revoked_at"),
    )
    running = Access.objects.unended(timezone.now())
    rows = running.filter(~Exists(extended), place__revoked_at__isnull=False)
    return rows.values("pk", "place_id")


# Where refunds leave access as it is, more places than are paid for stay claimed.
@RULES.add(
    _(
        "Settled line %(pk)s, for order line %(order_line_id)s, keeps %(kept)s places,"
        " %(free)s of them free, but %(refunded_quantity)s of %(quantity)s were"
        " refunded."
    )
)
def refunded_places_are_not_free() -> Rows:
    kept = Q(order_line__training_places__revoked_at=None)
    free = kept & Q(order_line__training_places__claimed_at=None)
    lines = SettledLine.objects.filter(order_line__training_places__isnull=False)
    values = lines.values("pk", "order_line_id", "quantity", "refunded_quantity")
    rows = values.annotate(
        kept=Count("order_line__training_places", filter=kept),
        free=Count("order_line__training_places", filter=free),
    )
    return rows.filter(free__gt=0, kept__gt=F("quantity") - F("refunded_quantity"))


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
    """Return `sources.source_reference` as the database computes it."""
    return Concat(Value(REFERENCE), Cast(pk, CharField(max_length=20)))
