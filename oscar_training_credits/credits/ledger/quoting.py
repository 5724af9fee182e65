"""Which lines the applied codes pay, how many credits each, and what is missing.

A quote is computed and never stored as truth. It is the one place where it is
decided which line is paid from which grant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import chain

from ..codes.refusals import Reason, Refusal
from ..codes.rules import (
    Purchase,
    credits_left,
    first_refusal,
    is_spendable,
    payable_products,
)
from ..models import CreditCode, CreditGrant, Redemption


@dataclass(frozen=True, slots=True)
class Item:
    """A basket line that accepts credits."""

    key: int
    """The primary key of the basket line."""
    product_id: int
    unit_credits: int
    quantity: int
    credit_only: bool = False
    in_money: bool = False
    """The learner would rather pay this line with money."""
    has_training: bool = False
    """The learner has some training already, so this may be theirs."""

    @property
    def credits(self) -> int:
        return self.unit_credits * self.quantity

    @property
    def wants_credits(self) -> bool:
        return self.credit_only or not self.in_money


@dataclass(frozen=True, slots=True)
class Take:
    """Credits that one grant gives to one line."""

    key: int
    grant: CreditGrant
    credits: int


@dataclass(frozen=True, slots=True)
class CodeQuote:
    """What one applied code has, gives and keeps; or why it can't be used."""

    code: CreditCode
    available: int
    """What this learner could take from it: all it has, or what a cap allows."""
    taken: int
    refusal: Refusal | None = None

    @property
    def left(self) -> int:
        return self.available - self.taken


@dataclass(frozen=True)
class Quote:
    """How the applied codes settle the items of a basket."""

    items: tuple[Item, ...]
    takes: tuple[Take, ...]
    codes: tuple[CodeQuote, ...]
    shortfalls: tuple[tuple[int, int], ...] = ()
    """Pairs of an item's key and the credits that it lacks."""
    holds: tuple[Redemption, ...] = ()
    """The redemptions that hold these credits already, if they are held."""
    attempts: int | None = None
    """How often the order was tried before, if that was asked under the lock."""

    @cached_property
    def covered(self) -> frozenset[int]:
        """The keys of the items that are paid in credits."""
        return frozenset(take.key for take in self.takes)

    @cached_property
    def blocking(self) -> tuple[Item, ...]:
        """The credit-only items that no code pays: they block the order."""
        return tuple(
            item
            for item in self.items
            if item.credit_only and item.key not in self.covered
        )

    @property
    def credits(self) -> int:
        """All credits that would be taken."""
        return sum(take.credits for take in self.takes)

    @property
    def credits_asked(self) -> int:
        """All credits that the items cost where credits are wanted."""
        return sum(item.credits for item in self.items if item.wants_credits)

    @property
    def missing(self) -> int:
        """The credits that are lacking for the items that want credits.

        As many on one more code that may pay for anything would cover them all.
        """
        return sum(missing for _key, missing in self.shortfalls)

    @property
    def has_usable_code(self) -> bool:
        return any(code.refusal is None for code in self.codes)

    def shortage(self) -> Refusal | None:
        """Return what to tell a learner whose codes do not reach for everything."""
        return self._shortage_of(dict(self.shortfalls))

    def blocking_shortage(self) -> Refusal | None:
        """Return what to tell whose codes do not reach for what money can't buy."""
        blocking = {item.key for item in self.blocking}
        shortfalls = dict(self.shortfalls)
        return self._shortage_of({key: shortfalls[key] for key in blocking})

    def _shortage_of(self, missing_by_key: dict[int, int]) -> Refusal | None:
        missing = sum(missing_by_key.values())
        if not missing or not self.has_usable_code:
            return None
        wanted = sum(item.credits for item in self.items if item.key in missing_by_key)
        return Refusal(Reason.NOT_ENOUGH, available=wanted - missing, missing=missing)


NOTHING = Quote(items=(), takes=(), codes=())


def quote(
    items: Iterable[Item], codes: Iterable[CreditCode], purchase: Purchase
) -> Quote:
    """Return how `codes`, in the order applied, settle `items`, in basket order.

    Credit-only items come first, then the others, each item whole or not at all;
    the soonest to expire is spent first, the smallest first among equals.
    Reads the codes' grants as they are in memory, so it may be asked under a lock.
    """
    items = tuple(items)
    purse = _Purse(codes, items, purchase)
    short: list[Item] = []
    takes: list[Take] = []
    for item in sorted(items, key=lambda item: not item.credit_only):
        if not item.wants_credits:
            continue
        taken = purse.draw(item)
        if _missing(item, taken):
            short.append(item)
        else:
            takes += taken
            purse.deduct(taken)
    return Quote(items, tuple(takes), purse.summary(), _shortfalls(purse, short))


def _missing(item: Item, takes: Iterable[Take]) -> int:
    return item.credits - sum(take.credits for take in takes)


def _shortfalls(purse: _Purse, short: Iterable[Item]) -> tuple[tuple[int, int], ...]:
    # What the purse has left counts for one of them only.
    shortfalls = []
    for item in short:
        drawn = purse.draw(item)
        purse.deduct(drawn)
        shortfalls.append((item.key, _missing(item, drawn)))
    return tuple(shortfalls)


class _Purse:
    """The spendable grants of the codes that may be used, and what they hold.

    From a code that caps what one learner may spend no more can be drawn.
    """

    def __init__(
        self, codes: Iterable[CreditCode], items: Sequence[Item], purchase: Purchase
    ) -> None:
        product_ids = frozenset(item.product_id for item in items)
        purchase = replace(purchase, product_ids=product_ids)
        self.refusals = {code: first_refusal(code, purchase) for code in codes}
        usable = [code for code, refusal in self.refusals.items() if not refusal]
        self.payable = {code.pk: payable_products(code, product_ids) for code in usable}
        grants = {code: spendable(code, purchase.at) for code in usable}
        self.grants = sorted(chain.from_iterable(grants.values()), key=spend_order)
        self.left = {grant.pk: grant.remaining for grant in self.grants}
        self.available = {
            code.pk: _available(code, grants[code], purchase) for code in usable
        }
        self.allowed = dict(self.available)

    def draw(self, item: Item) -> list[Take]:
        takes: list[Take] = []
        wanted = item.credits
        allowed = dict(self.allowed)
        for grant in self.grants:
            code_id = grant.code_id
            credits = min(wanted, self.left[grant.pk], allowed[code_id])
            if credits and item.product_id in self.payable[code_id]:
                takes.append(Take(item.key, grant, credits))
                wanted -= credits
                allowed[code_id] -= credits
        return takes

    def deduct(self, takes: Iterable[Take]) -> None:
        for take in takes:
            self.left[take.grant.pk] -= take.credits
            self.allowed[take.grant.code_id] -= take.credits

    def summary(self) -> tuple[CodeQuote, ...]:
        return tuple(
            self._of_code(code, refusal) for code, refusal in self.refusals.items()
        )

    def _of_code(self, code: CreditCode, refusal: Refusal | None) -> CodeQuote:
        if refusal:
            return CodeQuote(code, available=0, taken=0, refusal=refusal)
        available, left = self.available[code.pk], self.allowed[code.pk]
        return CodeQuote(code, available=available, taken=available - left)


def _available(
    code: CreditCode, grants: Iterable[CreditGrant], purchase: Purchase
) -> int:
    held = sum(grant.remaining for grant in grants)
    cap = credits_left(code, purchase)
    return held if cap is None else min(held, cap)


def spendable(code: CreditCode, at: datetime) -> list[CreditGrant]:
    """Return the grants of a code that hold credits which have not expired."""
    return [grant for grant in code.grants.all() if is_spendable(grant, at)]


def spend_order(grant: CreditGrant) -> tuple[bool, float, int, int]:
    """Return by what grants are sorted to be spent: the soonest to expire first."""
    ends = [moment for moment in (grant.expires_at, grant.code.expires_at) if moment]
    soonest = min(ends).timestamp() if ends else 0
    return not ends, soonest, grant.remaining, grant.pk
