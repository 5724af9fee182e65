"""Giving credits back: the one way to refund, per order line and quantity.

Credits go back to the grants that they came from, in the reverse of the order in
which they were spent: what is left is what buying fewer would have left. Credits
that have expired come back in a new grant on the same code that lives for the
site's days of grace, as a longer life of the old grant would also revive credits
that nobody gave back. Without days of grace they are refused.

Lock order as everywhere: codes, grants, then lines, then what is due, then places,
then learners.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F, Prefetch, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from ... import signals
from ...conf import settings
from ...exceptions import IdempotencyKeyReused, RefundRefused
from ..access import granting, opening, places
from ..isolation import own_transaction
from ..locking import for_update
from ..models import (
    CreditCode,
    CreditGrant,
    Redemption,
    RedemptionLine,
    Refund,
    RefundLine,
    SettledLine,
)
from ..terms import Paid, paid_columns, to_cents
from ..webhooks import events
from . import entries, moving
from .redemption import lock_codes

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    from ..codes.history import Record

LONGEST_KEY = 128  # as in the model
NOTE_LENGTH = 200


class RefundReason(Enum):
    """Why credits of an order line cannot be given back."""

    NOT_IN_CREDITS = "not_in_credits"
    TOO_MANY = "too_many"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class RefundRefusal:
    """Why credits of one order line cannot be given back, as a value."""

    order_line_id: int
    obstacle: RefundReason
    left: int = 0
    """How many units could still be given back."""
    moment: datetime | None = None
    """When the credits expired."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Credits of one redemption line that go back."""

    line: RedemptionLine
    order_line_id: int
    quantity: int
    """How many units of the order line are given back, by all portions together."""
    credits: int
    expires_at: datetime | None = None
    """When they expire again, if they had expired and come back in a new grant."""

    @property
    def has_lapsed(self) -> bool:
        return self.expires_at is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be given back. A value, computed, never stored."""

    portions: tuple[Portion, ...]
    refusals: tuple[RefundRefusal, ...]
    fully: tuple[int, ...]
    """The order lines of which nothing would be left, by primary key."""

    @property
    def credits(self) -> int:
        return sum(portion.credits for portion in self.portions)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was given back, one refund for each redemption."""

    refunds: tuple[Refund, ...]
    refusals: tuple[RefundRefusal, ...] = ()
    """What had expired and was left out, where all that is left was asked for."""
    ended: tuple[int, ...] = ()
    """The order lines whose access has ended, by primary key."""
    places: tuple[tuple[int, int], ...] = ()
    """Pairs of an order line's primary key and how many of its places are gone."""
    dropped: tuple[int, ...] = ()
    """The order lines that were not paid yet, and will open nothing."""
    is_repeated: bool = False
    """The key had been dealt with before: nothing was done now."""

    @property
    def credits(self) -> int:
        return sum(refund.credits for refund in self.refunds)


Wanted = Mapping[int, "int | None"]
"""Quantities by the primary key of the order line; None for all that is left."""


def plan_lines(lines: Iterable[tuple[Any, int]], *, at: datetime | None = None) -> Plan:
    """Return what `refund_lines` would do now; locks nothing."""
    return _plan(_quantities(lines), at or timezone.now())


def plan_rest(order_lines: Iterable[Any], *, at: datetime | None = None) -> Plan:
    """Return what `refund_rest` would give back now; locks nothing.

    Lines whose credits have expired for good are among its refusals.
    """
    wanted = dict.fromkeys(_of_one_order(order_lines))
    return _plan(wanted, at or timezone.now())


@own_transaction()
def refund_lines(
    lines: Iterable[tuple[Any, int]],
    *,
    idempotency_key: str,
    by: AbstractBaseUser | None = None,
    at: datetime | None = None,
) -> Outcome:
    """Give the credits for so many units of each order line back, once for each key.

    The lines are of one order. Asking again with the same key and lines returns
    the first refunds. Access ends with the last unit of a line, if the site says so.

    Raises:
        RefundRefused: a line was not paid in credits, has fewer units left, or its
            credits have expired; nothing was given back.
        IdempotencyKeyReused: the key stands for another refund of the order.
        ValueError: a quantity is not positive, the lines are of several orders, or
            `idempotency_key` is empty or too long.
    """
    wanted = _quantities(lines)
    return _refund(
        wanted, idempotency_key=idempotency_key, by=by, at=at or timezone.now()
    )


@own_transaction()
def refund_rest(
    order_lines: Iterable[Any],
    *,
    idempotency_key: str,
    by: AbstractBaseUser | None = None,
    at: datetime | None = None,
    cancelled: Iterable[Any] = (),
    unpaid: Iterable[Any] = (),
) -> Outcome:
    """Give back all that is left of `order_lines`, which are of one order.

    Lines paid with money, or given back before, add nothing. Lines whose credits
    have expired for good are left out, and keep their access. Asking again with the
    same key returns the first refunds. Those of the lines that were paid with money
    and are `cancelled` lose access and places as well. Nothing opens any more that is
    due for the `unpaid`, whatever becomes of their credits.

    Raises:
        IdempotencyKeyReused: the key stands for another refund of the order.
        ValueError: the lines are of several orders, or the key is empty or too long.
    """
    wanted = dict.fromkeys(_of_one_order(order_lines))
    gone = [line.pk for line in cancelled]
    due = [line.pk for line in unpaid]
    at = at or timezone.now()
    return _refund(
        wanted,
        idempotency_key=idempotency_key,
        by=by,
        at=at,
        cancelled=gone,
        unpaid=due,
    )


def _quantities(lines: Iterable[tuple[Any, int]]) -> dict[int, int]:
    quantities: dict[int, int] = defaultdict(int)
    lines = list(lines)
    if any(quantity < 1 for _line, quantity in lines):
        raise ValueError("Give back one unit at least.")
    keys = _of_one_order(line for line, _quantity in lines)
    for key, (_line, quantity) in zip(keys, lines, strict=True):
        quantities[key] += quantity
    return dict(quantities)


def _of_one_order(order_lines: Iterable[Any]) -> list[int]:
    lines = list(order_lines)
    if len({line.order_id for line in lines}) > 1:
        raise ValueError("A refund is of one order: keys are told apart by order.")
    return [line.pk for line in lines]


def _refund(
    wanted: Wanted,
    *,
    idempotency_key: str,
    by: AbstractBaseUser | None,
    at: datetime,
    cancelled: Sequence[int] = (),
    unpaid: Sequence[int] = (),
) -> Outcome:
    if not 0 < len(idempotency_key) <= LONGEST_KEY:
        raise ValueError(f"A key has 1 to {LONGEST_KEY} letters.")
    codes = _lock(wanted)
    _pass_on(codes, at, by=by)
    plan = _plan(wanted, at)
    if earlier := _earlier(wanted, idempotency_key):
        _refuse_other_request(earlier, wanted, plan)
        dropped = opening.drop(unpaid)
        ended, lost = _end_access(cancelled, dict.fromkeys(cancelled, 0), at=at)
        return Outcome(earlier, plan.refusals, ended, lost, dropped, is_repeated=True)
    if plan.refusals and None not in wanted.values():
        raise RefundRefused(plan.refusals)
    refunds = tuple(
        _give_back(
            portions,
            codes[redemption.code_id],
            idempotency_key=idempotency_key,
            by=by,
            at=at,
        )
        for redemption, portions in _by_redemption(plan.portions).items()
    )
    _pass_on(codes, at, by=by)
    _mark_lines(plan.portions)
    left = _units_left(plan.portions) | dict.fromkeys(cancelled, 0)
    # Before places are looked for: whoever opens them now is waited for here.
    dropped = opening.drop([*plan.fully, *unpaid], among=left)
    ended, lost = _end_access([*plan.fully, *cancelled], left, at=at)
    events.refunded(refunds)
    for refund in refunds:
        announce = partial(signals.credits_refunded.send_robust, Refund, refund=refund)
        transaction.on_commit(announce)
    return Outcome(refunds, plan.refusals, ended, lost, dropped)


def _lock(wanted: Wanted) -> dict[int, CreditCode]:
    """Lock all that the credits of an order came from, and the lines themselves.

    Every code of the order, not of the lines alone: then refunds of one order are
    made one after the other, and none can overlook another's key.
    """
    redemptions = Redemption.objects.filter(order__lines__in=list(wanted))
    pairs = redemptions.values_list("code_id", "code__parent_id")
    # What comes back to a child code at an end goes on to its parent.
    codes = lock_codes({pk for pair in pairs for pk in pair if pk})
    settled = SettledLine.objects.filter(order_line__in=list(wanted)).order_by("pk")
    pks = [line.pk for line in for_update(settled)]
    lines = RedemptionLine.objects.filter(settled_line__in=pks).order_by("pk")
    list(for_update(lines))
    return {code.pk: code for code in codes}


def _pass_on(
    codes: Mapping[int, CreditCode], at: datetime, *, by: AbstractBaseUser | None
) -> None:
    """Send on to its parent what is on a child code at an end, if that takes it."""
    record: Record = {"by": by, "note": _("The child code ended.")}
    for code in codes.values():
        if code.parent_id and moving.is_over(code, at):
            moving.settle(code, codes.values(), at, record)


def _earlier(wanted: Wanted, idempotency_key: str) -> tuple[Refund, ...]:
    refunds = Refund.objects.filter(idempotency_key=idempotency_key)
    of_order = refunds.filter(redemption__order__lines__in=list(wanted)).distinct()
    return tuple(of_order.order_by("pk"))


def _refuse_other_request(
    earlier: Iterable[Refund], wanted: Wanted, plan: Plan
) -> None:
    """Let a key stand for one request only.

    Raises:
        IdempotencyKeyReused: the earlier refunds did not give back what is wanted now.
    """
    lines = RefundLine.objects.filter(refund__in=list(earlier))
    given = dict(
        lines.values_list("redemption_line__settled_line__order_line", "quantity")
    )
    unmet = {portion.order_line_id for portion in plan.portions}
    for pk in given.keys() | wanted.keys():
        quantity = wanted.get(pk, 0)
        if pk in unmet if quantity is None else given.get(pk, 0) != quantity:
            raise IdempotencyKeyReused("This key stands for another refund.")


def _plan(wanted: Wanted, at: datetime) -> Plan:
    lines = RedemptionLine.objects.select_related(
        "redemption__code", "grant__source__code"
    )
    settled = (
        SettledLine.objects.filter(order_line__in=list(wanted))
        .order_by("pk")
        .prefetch_related(
            # Last spent, first given back.
            Prefetch("redemption_lines", queryset=lines.order_by("-pk"))
        )
    )
    portions: list[Portion] = []
    refusals: list[RefundRefusal] = []
    fully: list[int] = []
    known = {line.order_line_id: line for line in settled}
    for pk, quantity in wanted.items():
        line = known.get(pk)
        if refusal := _refusal(pk, line, quantity):
            refusals.append(refusal)
            continue
        if line is None or not (units := quantity or line.left):
            continue
        drawn = _draw(line, units, at)
        if lapsed := _lapsed_for_good(drawn, at):
            refusals.append(RefundRefusal(pk, RefundReason.LAPSED, moment=lapsed))
            continue
        portions += drawn
        if units == line.left:
            fully.append(pk)
    return Plan(tuple(portions), tuple(refusals), tuple(fully))


def _refusal(
    pk: int, line: SettledLine | None, quantity: int | None
) -> RefundRefusal | None:
    if quantity is None:
        return None
    if line is None:
        return RefundRefusal(pk, RefundReason.NOT_IN_CREDITS)
    if quantity > line.left:
        return RefundRefusal(pk, RefundReason.TOO_MANY, left=line.left)
    return None


def _draw(settled: SettledLine, quantity: int, at: datetime) -> list[Portion]:
    portions: list[Portion] = []
    wanted = settled.unit_credits * quantity
    for line in settled.redemption_lines.all():
        credits = min(wanted, line.credits - line.refunded)
        if credits:
            renewed = _grace_end(at) if _lapsed_at(line, at) else None
            key = settled.order_line_id
            portions.append(Portion(line, key, quantity, credits, renewed))
            wanted -= credits
    return portions


def _lapsed_for_good(portions: Iterable[Portion], at: datetime) -> datetime | None:
    """Return when credits expired that get no days of grace."""
    if settings.REFUND_GRACE_DAYS:
        return None
    moments = [_lapsed_at(portion.line, at) for portion in portions]
    return min(filter(None, moments), default=None)


def _lapsed_at(line: RedemptionLine, at: datetime) -> datetime | None:
    if moving.has_way_back(line.grant, at):
        return None
    ends = (line.grant.expires_at, line.redemption.code.expires_at)
    return min((end for end in ends if end and end <= at), default=None)


def _grace_end(at: datetime) -> datetime:
    return at + timedelta(days=settings.REFUND_GRACE_DAYS or 0)


def _by_redemption(
    portions: Iterable[Portion],
) -> dict[Redemption, list[Portion]]:
    grouped: dict[Redemption, list[Portion]] = defaultdict(list)
    for portion in sorted(portions, key=lambda portion: portion.line.redemption_id):
        grouped[portion.line.redemption].append(portion)
    return grouped


def _give_back(
    portions: list[Portion],
    code: CreditCode,
    *,
    idempotency_key: str,
    by: AbstractBaseUser | None,
    at: datetime,
) -> Refund:
    redemption = portions[0].line.redemption
    refund = Refund.objects.create(
        redemption=redemption,
        idempotency_key=idempotency_key,
        credits=sum(portion.credits for portion in portions),
        created_at=at,
        created_by_id=by.pk if by else None,
    )
    destinations = _put_credits(portions, code, refund)
    RefundLine.objects.bulk_create(
        RefundLine(
            refund=refund,
            redemption_line=portion.line,
            grant=destinations[portion.line.pk],
            quantity=portion.quantity,
            credits=portion.credits,
        )
        for portion in portions
    )
    return refund


def _put_credits(
    portions: list[Portion], code: CreditCode, refund: Refund
) -> dict[int, CreditGrant]:
    """Move the credits; return where they went by the redemption line's key."""
    grants = {grant.pk: grant for grant in code.grants.all()}
    destinations: dict[int, CreditGrant] = {}
    by_grant: dict[int, int] = defaultdict(int)
    lapsed = [portion for portion in portions if portion.has_lapsed]
    for portion in portions:
        if not portion.has_lapsed:
            destinations[portion.line.pk] = grants[portion.line.grant_id]
            by_grant[portion.line.grant_id] += portion.credits
    for grant_id, credits in sorted(by_grant.items()):
        entries.refund_credits(grants[grant_id], credits, refund=refund)
    if lapsed:
        until = _grace_end(refund.created_at)
        _keep_usable(code, until)
        for currency, portions_in_it in _by_currency(lapsed, grants).items():
            paid = _paid_for(portions_in_it, grants, currency)
            renewed = _renew(portions_in_it, code, refund, until=until, paid=paid)
            destinations |= {portion.line.pk: renewed for portion in portions_in_it}
    return destinations


def _by_currency(
    portions: Iterable[Portion], grants: Mapping[int, CreditGrant]
) -> dict[str, list[Portion]]:
    """Return portions by the currency that they were sold in; "" for none."""
    found: dict[str, list[Portion]] = defaultdict(list)
    for portion in portions:
        sold = grants[portion.line.grant_id].origin_grant
        found[sold.paid_currency].append(portion)
    return found


def _paid_for(
    portions: Iterable[Portion], grants: Mapping[int, CreditGrant], currency: str
) -> Paid | None:
    """Return what was paid for these portions of grants, to the cent."""
    if not currency:
        return None
    pairs = [
        (grants[portion.line.grant_id].origin_grant, portion.credits)
        for portion in portions
    ]
    amount = sum(
        Fraction(grant.paid_amount or 0) * credits / grant.credits
        for grant, credits in pairs
    )
    return Paid(to_cents(amount), currency)


def _renew(
    lapsed: list[Portion],
    code: CreditCode,
    refund: Refund,
    *,
    until: datetime,
    paid: Paid | None,
) -> CreditGrant:
    note = _("Given back from order %(number)s after they had expired") % {
        "number": refund.redemption.order_number
    }
    grant = CreditGrant(
        code=code,
        credits=sum(portion.credits for portion in lapsed),
        origin=CreditGrant.Origin.ADJUSTMENT,
        note=note[:NOTE_LENGTH],
        **paid_columns(paid),
        expires_at=until,
        created_at=refund.created_at,
        created_by_id=refund.created_by_id,
    )
    entries.refund_to_new_grant(grant, refund=refund)
    return grant


def _keep_usable(code: CreditCode, until: datetime) -> None:
    """Let a code live until then, but none of the grants that it has now.

    They get the end that the code had: only what is given back lives longer.
    """
    end = code.expires_at
    if end is None or end >= until:
        return
    outliving = CreditGrant.objects.filter(Q(expires_at=None) | Q(expires_at__gt=end))
    outliving.filter(code=code).update(expires_at=end)
    code.expires_at = until
    code.save(update_fields=["expires_at"])


def _mark_lines(portions: Iterable[Portion]) -> None:
    units: dict[int, int] = {}
    for portion in portions:
        line = RedemptionLine.objects.filter(pk=portion.line.pk)
        line.update(refunded=F("refunded") + portion.credits)
        units[portion.order_line_id] = portion.quantity
    for pk, quantity in units.items():
        settled = SettledLine.objects.filter(order_line=pk)
        settled.update(refunded_quantity=F("refunded_quantity") + quantity)


def _end_access(
    fully: Iterable[int], left: Mapping[int, int], *, at: datetime
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """End what was bought with lines that nothing, or less, is left of.

    Returns the lines whose access has ended, and how many places others have lost.
    """
    ends = settings.REFUND_ENDS_ACCESS
    gone = places.take_back(left, claimed_too=ends, at=at)
    ended = granting.end_access_of(fully if ends else (), places=gone, at=at)
    lost = Counter(place.order_line_id for place in gone)
    return ended, tuple(lost.items())


def _units_left(portions: Iterable[Portion]) -> dict[int, int]:
    """Return how many units are left of the lines that were just refunded, by key."""
    lines = {portion.order_line_id for portion in portions}
    settled = SettledLine.objects.filter(order_line__in=lines)
    return {line.order_line_id: line.left for line in settled}
