"""Paying an order in credits: the one way to spend.

Credits are captured in the transaction that writes the order. Where other money is
paid too, they are held first, in a short transaction of their own, and captured or
released when that payment has ended. Lock order, the same everywhere: the basket (by
the caller), codes, grants, then Oscar's stock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from django.db import connections, router, transaction
from django.db.models import (
    Case,
    Max,
    Prefetch,
    QuerySet,
    When,
    prefetch_related_objects,
)
from django.utils import timezone
from django.utils.translation import gettext as _

from ... import signals
from ...aliases import Basket, Order
from ..codes import reading
from ..codes.rules import Purchase
from ..isolation import own_transaction
from ..locking import for_update
from ..models import (
    AppliedCode,
    CreditCode,
    CreditGrant,
    LedgerEntry,
    Redemption,
    RedemptionLine,
    SettledLine,
)
from ..webhooks import events
from . import entries, moving, postgresql
from .quoting import CodeQuote, Item, Quote, Take, quote

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


@dataclass(frozen=True, slots=True)
class Settlement:
    """What was taken for an order: its redemptions by the primary key of their code."""

    quote: Quote
    redemptions: dict[int, Redemption]


ON_BASKET, HELD, TRIED = "on basket", "held", "tried"

# Not by the ORM, which takes three times as long to build it as a database to answer.
AT_STAKE = f"""
    SELECT '{ON_BASKET}', code_id, id FROM {AppliedCode._meta.db_table}
    WHERE basket_id = %s
    UNION ALL
    SELECT '{HELD}', code_id, id FROM {Redemption._meta.db_table}
    WHERE basket_id = %s AND state = '{Redemption.State.HELD.value}'
    UNION ALL
    SELECT '{TRIED}', code_id, attempt FROM {Redemption._meta.db_table}
    WHERE order_number = %s
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class LockedCodes:
    """The codes of a basket and their grants, locked until the transaction ends."""

    basket: Basket
    applied: tuple[int, ...]
    """The primary keys of the codes on the basket, in the order applied."""
    held: tuple[int, ...]
    """The primary keys of the redemptions that hold credits for it."""
    attempts: int | None
    """How often its order was tried before; None if the order's number is not known."""
    codes: dict[int, CreditCode]
    may_lack_grants: bool = False
    """Those that were added while it waited for the lock are not among them."""

    def again(self) -> LockedCodes:
        """Return them as they are after credits have gone back to them."""
        codes = _by_key(lock_codes(self.applied))
        return replace(self, codes=codes, may_lack_grants=False)

    def quote(self, items: Iterable[Item], purchase: Purchase) -> Quote:
        codes = [self.codes[pk] for pk in self.applied]
        return replace(quote(items, codes, purchase), attempts=self.attempts)


def lock_and_quote(
    items: Iterable[Item],
    *,
    basket: Basket,
    learner: AbstractBaseUser | None,
    order_number: str | None = None,
) -> Quote:
    """Return the quote that holds until the transaction ends.

    Locks the basket's codes and their grants, in the order of their primary keys. What
    is held for the basket is quoted as it was when it was held; otherwise every rule
    is asked again, and what is left of a broken hold is released. A caller who knows
    the number of the order saves a query later.
    """
    locked = lock_codes_of(basket, order_number=order_number)
    return quote_locked(locked, items, learner=learner)


def lock_codes_of(basket: Basket, *, order_number: str | None = None) -> LockedCodes:
    """Lock the codes that are on `basket`, or held for it, with their grants."""
    found = _codes_at_stake(basket, order_number)
    applied, held = found[ON_BASKET], found[HELD]
    attempts = max((last for _code_id, last in found[TRIED]), default=0)
    codes, may_lack_grants = _locked({pk for pk, _number in (*applied, *held)})
    return LockedCodes(
        basket,
        applied=tuple(code_id for code_id, _pk in applied),
        held=tuple(pk for _code_id, pk in held),
        attempts=None if order_number is None else attempts,
        codes=_by_key(codes),
        may_lack_grants=may_lack_grants,
    )


def _codes_at_stake(
    basket: Basket, order_number: str | None
) -> dict[str, list[tuple[int, int]]]:
    """Return codes with a number each, by what they have to do with `basket`.

    Those on it, in the order applied; those held for it, with their redemptions; and
    those that its order was tried with before, with the attempt.
    """
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    with connections[router.db_for_write(Redemption)].cursor() as cursor:
        cursor.execute(AT_STAKE, [basket.pk, basket.pk, order_number])
        for kind, code_id, number in cursor.fetchall():
            found[kind].append((code_id, number))
    for pairs in found.values():
        pairs.sort(key=itemgetter(1))
    return found


def quote_locked(
    locked: LockedCodes, items: Iterable[Item], *, learner: AbstractBaseUser | None
) -> Quote:
    """Return how locked codes settle `items`, as `lock_and_quote` does."""
    items = list(items)
    if locked.held:
        if settled := held_quote(items, basket=locked.basket):
            return settled
        if release(Redemption.objects.filter(pk__in=locked.held)):
            locked = locked.again()
    purchase = Purchase(learner)
    # What has lapsed does not count for a cap, so it must not be captured any more.
    capped = [pk for pk in locked.applied if locked.codes[pk].is_capped]
    if capped and release_lapsed(capped, at=purchase.at):
        locked = locked.again()
    settled = locked.quote(items, purchase)
    if settled.missing:
        released = release_lapsed(locked.applied, at=purchase.at)
        if released or locked.may_lack_grants:
            settled = locked.again().quote(items, purchase)
    return settled


def _locked(code_ids: set[int]) -> tuple[list[CreditCode], bool]:
    """Return the codes, locked, and whether grants of theirs may be missing."""
    if not code_ids:
        return [], False
    if postgresql.is_used():
        codes = reading.lock_codes(code_ids)
        if len(codes) == len(code_ids):
            return codes, True
    return lock_codes(code_ids), False


def _by_key(codes: Iterable[CreditCode]) -> dict[int, CreditCode]:
    return {code.pk: code for code in codes}


def lock_codes(code_ids: Iterable[int]) -> list[CreditCode]:
    """Return the codes with their grants, all rows locked."""
    codes = CreditCode.objects.filter(pk__in=list(code_ids)).order_by("pk")
    locked = list(for_update(codes.with_audience()))
    grants = for_update(CreditGrant.objects.order_by("pk"))
    prefetch_related_objects(locked, Prefetch("grants", queryset=grants))
    return locked


def lock_without_lapsed(code: CreditCode) -> CreditCode:
    """Return a code and its grants, locked, without the holds that have lapsed."""
    (locked,) = lock_codes([code.pk])
    if release_lapsed([code.pk], at=timezone.now()):
        (locked,) = lock_codes([code.pk])
    return locked


def redeem(order: Order, quote: Quote, *, learner: AbstractBaseUser) -> Settlement:
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
    events.redeemed(redemptions.values(), were_held=bool(quote.holds))
    for redemption in redemptions.values():
        announce = partial(
            signals.credits_redeemed.send_robust, Redemption, redemption=redemption
        )
        transaction.on_commit(announce)
    return Settlement(quote, redemptions)


def hold(
    quote: Quote,
    *,
    basket: Basket,
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
    events.held(redemptions.values())
    return list(redemptions.values())


def held_for(basket: Basket) -> list[Redemption]:
    """Return the redemptions that hold credits for `basket`."""
    held = Redemption.objects.filter(
        basket_id=basket.pk, state=Redemption.State.HELD
    ).order_by("pk")
    return list(held)


def held_quote(items: Iterable[Item], *, basket: Basket) -> Quote | None:
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


@own_transaction()
def release(redemptions: Iterable[Redemption]) -> int:
    """Give held credits back to their grants; return how many redemptions were held.

    Safe to repeat: what has been captured or released meanwhile is left alone.
    """
    wanted = list(redemptions)
    if not wanted:
        return 0
    codes = lock_codes({each.code_id for each in wanted})
    grants = {grant.pk: grant for code in codes for grant in code.grants.all()}
    still_held = Redemption.objects.filter(
        pk__in=[each.pk for each in wanted], state=Redemption.State.HELD
    ).order_by("pk")
    released = []
    for redemption in for_update(still_held):
        holds = redemption.entries.filter(kind=LedgerEntry.Kind.HOLD).order_by("grant")
        for entry in holds:
            grant = grants[entry.grant_id]
            entries.release_credits(grant, -entry.credits, redemption=redemption)
        redemption.state = Redemption.State.RELEASED
        redemption.save(update_fields=["state"])
        released.append(redemption)
    events.released(released)
    return len(released)


def release_expired(at: datetime | None = None) -> int:
    """Release every hold that has lapsed; return how many. Safe to run at any time."""
    lapsed = Redemption.objects.held().filter(expires_at__lte=at or timezone.now())
    # One by one, so that no order waits for the whole of it.
    in_order = lapsed.order_by("code", "pk").iterator()
    return sum(release([redemption]) for redemption in in_order)


def release_lapsed(code_ids: Iterable[int], *, at: datetime) -> int:
    """Release the lapsed holds on these codes; return how many."""
    held = Redemption.objects.held().filter(code__in=list(code_ids))
    found = list(held.filter(expires_at__lte=at))
    return release(found) if found else 0


def recover(code_ids: Iterable[int], *, at: datetime) -> int:
    """Give back to codes what lapsed holds, and child codes at an end, have kept.

    Returns how often there was something. Not to be called where codes are locked: a
    child comes after its parent, but not after all that are locked.
    """
    code_ids = list(code_ids)
    released = release_lapsed(code_ids, at=at)
    stranded = moving.stranded_on_children(at).filter(code__parent__in=code_ids)
    return released + return_from_children(stranded, at=at)


def return_ended(at: datetime | None = None) -> int:
    """Send back what is unused on child codes that are at an end; return how many had.

    It goes to the grants that it came from, or lapses where their code is closed, or
    they have expired. Safe to run at any time.
    """
    at = at or timezone.now()
    return return_from_children(moving.stranded_on_children(at), at=at)


def return_from_children(grants: QuerySet[CreditGrant], *, at: datetime) -> int:
    codes = grants.order_by("code").values_list("code", "code__parent").distinct()
    # One by one, so that no order waits for the whole of it.
    return sum(_return_from(child, parent, at=at) for child, parent in list(codes))


def _return_from(child_id: int, parent_id: int | None, *, at: datetime) -> bool:
    release_lapsed([child_id], at=at)
    with own_transaction():
        codes = lock_codes(filter(None, [child_id, parent_id]))
        child = _by_key(codes)[child_id]
        if not moving.is_over(child, at):
            return False
        returned = moving.settle(child, codes, at, {"note": _("The child code ended.")})
        lapsed = moving.lapse_ended(child, at)
    return bool(returned or lapsed)


@dataclass(frozen=True, slots=True)
class PaidLine:
    """An order line, and the item that was paid for with credits."""

    item: Item
    order_line: Any
    money_price: Decimal | None
    """What it would have cost in the order's currency, tax included; None if nothing
    could be paid for it in money."""


def record_settled_lines(settlement: Settlement, lines: Sequence[PaidLine]) -> None:
    """Record which order lines were paid by what the settlement took.

    Two statements at any number of lines.
    """
    if not lines:
        return
    written = SettledLine.objects.bulk_create(
        SettledLine(
            order_line=line.order_line,
            unit_credits=line.item.unit_credits,
            quantity=line.item.quantity,
            money_price=line.money_price,
        )
        for line in lines
    )
    items = {line.item.key: line.item for line in lines}
    settled = dict(zip(items, written, strict=True))
    if settlement.quote.holds:
        _settle_held(settlement, settled)
        return
    RedemptionLine.objects.bulk_create(
        _redemption_line(
            take, items[take.key], settlement.redemptions, settled[take.key]
        )
        for take in settlement.quote.takes
        if take.key in settled
    )


def _settle_held(settlement: Settlement, settled: dict[int, SettledLine]) -> None:
    held = RedemptionLine.objects.filter(
        redemption__in=settlement.redemptions.values(), basket_line__in=settled
    )
    cases = (When(basket_line=key, then=line.pk) for key, line in settled.items())
    held.update(settled_line=Case(*cases))


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
    attempts = quote.attempts
    if attempts is None:
        attempts = _attempts_at(fields["order_number"])
    codes = {each.code.pk: each.code for each in quote.codes}
    # At one moment, or a period could end between its parts.
    fields = {**fields, "attempt": attempts + 1, "created_at": timezone.now()}
    redemptions = [
        Redemption(code=codes[pk], credits=credits, **fields)
        for pk, credits in sorted(by_code.items())
    ]
    parts = {grants[pk]: credits for pk, credits in sorted(by_grant.items())}
    by_code_id = {redemption.code_id: redemption for redemption in redemptions}
    if postgresql.is_used():
        postgresql.redeem_credits(redemptions, parts, kind=kind)
        return by_code_id
    Redemption.objects.bulk_create(redemptions)
    for grant, credits in parts.items():
        redemption = by_code_id[grant.code_id]
        entries.redeem_credits(grant, credits, redemption=redemption, kind=kind)
    return by_code_id


def _attempts_at(order_number: str) -> int:
    earlier = Redemption.objects.filter(order_number=order_number)
    return earlier.aggregate(last=Max("attempt"))["last"] or 0


def _capture(order: Order, holds: Iterable[Redemption]) -> dict[int, Redemption]:
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
