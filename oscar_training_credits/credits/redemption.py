"""Paying an order in credits: the one way to spend.

Credits are captured in the transaction that writes the order. Where other money is
paid too, they are held first, in a short transaction of their own, and captured or
released when that payment has ended. Lock order, the same everywhere: the basket (by
the caller), codes, grants, then Oscar's stock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Max, Prefetch, prefetch_related_objects
from django.utils import timezone

from .. import signals
from . import ledger
from .models import (
    AppliedCode,
    CreditCode,
    CreditGrant,
    LedgerEntry,
    Redemption,
    RedemptionLine,
    SettledLine,
)
from .quoting import CodeQuote, Item, Quote, Take, quote
from .rules import Purchase

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


@dataclass(frozen=True, slots=True)
class Settlement:
    """What was taken for an order: its redemptions by the primary key of their code."""

    quote: Quote
    redemptions: dict[int, Redemption]


def locked_quote(
    items: Iterable[Item], *, basket: Any, learner: AbstractBaseUser | None
) -> Quote:
    """Return the quote that holds until the transaction ends.

    Locks the basket's codes and their grants, in the order of their primary keys. What
    is held for the basket is quoted as it was when it was held; otherwise every rule
    is asked again, and what is left of a broken hold is released.
    """
    items = list(items)
    applied = AppliedCode.objects.filter(basket_id=basket.pk).order_by("pk")
    in_order = list(applied.values_list("code_id", flat=True))
    held = held_for(basket)
    codes = {
        code.pk: code
        for code in locked_codes({*in_order, *(each.code_id for each in held)})
    }
    if held and (settled := held_quote(items, basket=basket)):
        return settled
    if held and release(held):
        codes = {code.pk: code for code in locked_codes(in_order)}
    purchase = Purchase(learner)
    # What has lapsed does not count for a cap, so it must not be captured any more.
    capped = [pk for pk, code in codes.items() if code.is_capped]
    if capped and release_lapsed(capped, at=purchase.at):
        codes = {code.pk: code for code in locked_codes(in_order)}
    settled = quote(items, [codes[pk] for pk in in_order], purchase)
    if settled.missing and release_lapsed(in_order, at=purchase.at):
        codes = {code.pk: code for code in locked_codes(in_order)}
        settled = quote(items, [codes[pk] for pk in in_order], purchase)
    return settled


def locked_codes(code_ids: Iterable[int]) -> list[CreditCode]:
    """Return the codes with their grants, all rows locked."""
    codes = CreditCode.objects.filter(pk__in=list(code_ids)).order_by("pk")
    locked = list(codes.with_audience().select_for_update())
    grants = CreditGrant.objects.order_by("pk").select_for_update()
    prefetch_related_objects(locked, Prefetch("grants", queryset=grants))
    return locked


def redeem(order: Any, quote: Quote, *, learner: AbstractBaseUser) -> Settlement:
    """Capture the credits of a locked quote for `order`, held before or not.

    Raises:
        NotEnoughCredits: a grant holds fewer than quoted; the caller's transaction
            is to be rolled back.
    """
    if quote.holds:
        redemptions = _capture(order, quote.holds)
    else:
        redemptions = _take(
            quote,
            kind=LedgerEntry.Kind.REDEEM,
            learner_id=learner.pk,
            state=Redemption.State.CAPTURED,
            order=order,
            order_number=order.number,
            basket_id=order.basket_id,
        )
    for redemption in redemptions.values():
        announce = partial(
            signals.credits_redeemed.send_robust, Redemption, redemption=redemption
        )
        transaction.on_commit(announce)
    return Settlement(quote, redemptions)


def hold(
    quote: Quote,
    *,
    basket: Any,
    order_number: str,
    learner: AbstractBaseUser | None,
    until: datetime,
) -> list[Redemption]:
    """Hold the credits of a locked quote for `basket` while other money is paid.

    They are as good as spent for everybody else, and lapse at `until`.

    Raises:
        NotEnoughCredits: a grant holds fewer than quoted; nothing is held once the
            caller's transaction is rolled back.
    """
    redemptions = _take(
        quote,
        kind=LedgerEntry.Kind.HOLD,
        learner_id=learner.pk if learner else None,
        state=Redemption.State.HELD,
        order_number=order_number,
        basket_id=basket.pk,
        expires_at=until,
    )
    items = {item.key: item for item in quote.items}
    RedemptionLine.objects.bulk_create(
        _redemption_line(take, items[take.key], redemptions) for take in quote.takes
    )
    return list(redemptions.values())


def held_for(basket: Any) -> list[Redemption]:
    """Return the redemptions that hold credits for `basket`."""
    held = Redemption.objects.filter(
        basket_id=basket.pk, state=Redemption.State.HELD
    ).order_by("pk")
    return list(held)


def held_quote(items: Iterable[Item], *, basket: Any) -> Quote | None:
    """Return how the credits held for `basket` settle `items`, or None if none are.

    On the terms of the moment when they were held: the other money may have been paid
    since, so a later change of a price or a code no longer counts. None also if they
    have lapsed and the credits of one of several codes were released: what is left of
    such a hold settles nothing.
    """
    lines = (
        RedemptionLine.objects.filter(redemption__basket_id=basket.pk)
        .exclude(redemption__state=Redemption.State.CAPTURED)
        .select_related("redemption__code", "grant__code")
    )
    attempts = defaultdict(list)
    for line in lines.order_by("pk"):
        attempts[line.redemption.order_number, line.redemption.attempt].append(line)
    held = next(filter(_is_held, attempts.values()), None)
    if held is None:
        return None
    terms = {line.basket_line: line for line in held}
    known = {item.key: item for item in items}
    # A product that takes no credits any more is still paid by what is held for it.
    known |= {key: _held_item(known.get(key), line) for key, line in terms.items()}
    takes = tuple(Take(line.basket_line, line.grant, line.credits) for line in held)
    holds = {line.redemption_id: line.redemption for line in held}
    codes = tuple(
        CodeQuote(each.code, available=each.credits, taken=each.credits)
        for each in holds.values()
    )
    items = tuple(known[key] for key in sorted(known))
    return Quote(items, takes, codes, holds=tuple(holds.values()))


@transaction.atomic
def release(redemptions: Iterable[Redemption]) -> int:
    """Give held credits back to their grants; return how many redemptions were held.

    Safe to repeat: what has been captured or released meanwhile is left alone.
    """
    wanted = list(redemptions)
    if not wanted:
        return 0
    codes = locked_codes({each.code_id for each in wanted})
    grants = {grant.pk: grant for code in codes for grant in code.grants.all()}
    still_held = Redemption.objects.filter(
        pk__in=[each.pk for each in wanted], state=Redemption.State.HELD
    ).order_by("pk")
    released = 0
    for redemption in still_held.select_for_update():
        holds = redemption.entries.filter(kind=LedgerEntry.Kind.HOLD).order_by("grant")
        for entry in holds:
            grant = grants[entry.grant_id]
            ledger.unhold(grant, -entry.credits, redemption=redemption)
        redemption.state = Redemption.State.RELEASED
        redemption.save(update_fields=["state"])
        released += 1
    return released


def release_expired(at: datetime | None = None) -> int:
    """Release every hold that has lapsed; return how many. Safe to run at any time."""
    lapsed = Redemption.objects.filter(
        state=Redemption.State.HELD, expires_at__lte=at or timezone.now()
    ).order_by("code", "pk")
    # One by one, so that no order waits for the whole of it.
    return sum(release([redemption]) for redemption in lapsed.iterator())


def release_lapsed(code_ids: Iterable[int], *, at: datetime) -> int:
    """Release the lapsed holds on these codes; return how many."""
    lapsed = Redemption.objects.filter(
        code__in=list(code_ids), state=Redemption.State.HELD, expires_at__lte=at
    )
    found = list(lapsed)
    return release(found) if found else 0


def settle_line(
    settlement: Settlement,
    item: Item,
    *,
    order_line: Any,
    money_price: Decimal | None,
) -> None:
    """Record that `order_line` was paid by what the settlement took for `item`.

    `money_price` is what the line would have cost in the order's currency, tax
    included, or None where it had no price in money.
    """
    settled = SettledLine.objects.create(
        order_line=order_line,
        unit_credits=item.unit_credits,
        quantity=item.quantity,
        money_price=money_price,
    )
    if settlement.quote.holds:
        RedemptionLine.objects.filter(
            redemption__in=settlement.redemptions.values(), basket_line=item.key
        ).update(settled_line=settled)
    else:
        RedemptionLine.objects.bulk_create(
            _redemption_line(take, item, settlement.redemptions, settled)
            for take in settlement.quote.takes
            if take.key == item.key
        )


def _is_held(lines: list[RedemptionLine]) -> bool:
    return all(line.redemption.state == Redemption.State.HELD for line in lines)


def _held_item(item: Item | None, line: RedemptionLine) -> Item:
    item = item or Item(line.basket_line, product_id=0, unit_credits=0, quantity=0)
    return replace(item, unit_credits=line.unit_credits, quantity=line.quantity)


def _take(quote: Quote, *, kind: str, **fields: Any) -> dict[int, Redemption]:
    """Take what a quote takes, with one redemption for each code."""
    by_code: dict[int, int] = defaultdict(int)
    by_grant: dict[int, int] = defaultdict(int)
    grants = {take.grant.pk: take.grant for take in quote.takes}
    for take in quote.takes:
        by_code[take.grant.code_id] += take.credits
        by_grant[take.grant.pk] += take.credits
    if not by_code:
        return {}
    attempt = _next_attempt(fields["order_number"])
    codes = {each.code.pk: each.code for each in quote.codes}
    redemptions = {
        pk: Redemption.objects.create(
            code=codes[pk], credits=credits, attempt=attempt, **fields
        )
        for pk, credits in sorted(by_code.items())
    }
    for pk, credits in sorted(by_grant.items()):
        grant = grants[pk]
        redemption = redemptions[grant.code_id]
        ledger.take(grant, credits, redemption=redemption, kind=kind)
    return redemptions


def _next_attempt(order_number: str) -> int:
    earlier = Redemption.objects.filter(order_number=order_number)
    return (earlier.aggregate(last=Max("attempt"))["last"] or 0) + 1


def _capture(order: Any, holds: Iterable[Redemption]) -> dict[int, Redemption]:
    captured = {}
    for redemption in holds:
        redemption.state = Redemption.State.CAPTURED
        redemption.order = order
        redemption.expires_at = None
        redemption.save(update_fields=["state", "order", "expires_at"])
        captured[redemption.code_id] = redemption
    return captured


def _redemption_line(
    take: Take,
    item: Item,
    redemptions: dict[int, Redemption],
    settled: SettledLine | None = None,
) -> RedemptionLine:
    return RedemptionLine(
        redemption=redemptions[take.grant.code_id],
        grant=take.grant,
        basket_line=item.key,
        unit_credits=item.unit_credits,
        quantity=item.quantity,
        settled_line=settled,
        credits=take.credits,
    )
