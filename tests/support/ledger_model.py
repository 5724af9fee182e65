"""What the ledger ought to say: plain numbers, counted without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone


@dataclass(eq=False)
class Code:
    row: Any
    """The object made when it was issued: as stale as can be."""
    text: str
    label: str
    enabled: bool = True
    closed: bool = False
    parent: Code | None = None
    grants: list[Grant] = field(default_factory=list)

    @property
    def unexpired(self) -> list[Grant]:
        return [grant for grant in self.grants if not grant.has_ended]

    @property
    def spendable(self) -> list[Grant]:
        return [grant for grant in self.unexpired if grant.left]

    @property
    def state(self) -> str:
        if self.closed:
            return "closed"
        return "active" if self.enabled else "disabled"

    @property
    def usable(self) -> bool:
        return self.enabled and not self.closed and bool(self.spendable)


@dataclass(eq=False)
class Grant:
    pk: int
    code: Code
    credits: int
    left: int
    expires_at: datetime | None
    source: Grant | None = None
    """The grant of the parent that its credits were moved from."""

    @property
    def has_way_back(self) -> bool:
        source = self.source
        if source is None or source.code.closed:
            return False
        return not (self.has_ended or source.has_ended)

    @property
    def has_ended(self) -> bool:
        return bool(self.expires_at and self.expires_at <= timezone.now())

    def spend_order(self) -> tuple[Any, ...]:
        ends = self.expires_at
        return not ends, ends.timestamp() if ends else 0, self.left, self.pk


@dataclass(eq=False)
class Line:
    """A line of a basket, and later of its order."""

    training: Any
    quantity: int
    refunded: int = 0
    """How many units have been given back."""
    row: Any = None
    """The order line, as it was when the order was placed."""

    @property
    def credits(self) -> int:
        return int(self.training.credits * self.quantity)

    @property
    def left(self) -> int:
        return self.quantity - self.refunded


@dataclass(eq=False)
class Take:
    """Credits that a grant gives to a line."""

    line: Line
    grant: Grant
    credits: int
    refunded: int = 0


Portions = list[tuple[Take, int]]


@dataclass(eq=False)
class Visit:
    """A learner's basket, priced at one moment and perhaps ordered at a later one."""

    learner: Any
    basket: Any
    lines: list[Line]
    codes: list[Code] = field(default_factory=list)
    priced: list[bool] = field(default_factory=list)
    """For each line, whether it was in credits when it was priced."""
    takes: list[Take] = field(default_factory=list)
    """What is held for it or, once it is ordered, was taken."""
    lapsed: bool = False
    """What is held for it may be given to others."""
    broken: bool = False
    """A part of what was held for it has been."""
    redemptions: list[Any] = field(default_factory=list)
    """The redemptions that held credits for it, as they were then."""
    order: Any = None
    causes: dict[str, dict[Line, int]] = field(default_factory=dict)
    """The units that were given back for each key."""

    @property
    def is_held(self) -> bool:
        return bool(self.takes) and self.order is None

    def paid(self, line: Line) -> bool:
        return any(take.line is line for take in self.takes)

    def put_back(self, codes: Iterable[Code] | None = None) -> bool:
        """Give back what is held, of these codes; return whether there was any."""
        mine = list(self.takes) if self.is_held else []
        if codes is not None:
            mine = [take for take in mine if take.grant.code in codes]
        for take in mine:
            take.grant.left += take.credits
            self.takes.remove(take)
        self.broken = self.is_held and (self.broken or bool(mine))
        self.lapsed = self.lapsed and self.is_held
        return bool(mine)

    def take(self, takes: list[Take]) -> None:
        for each in takes:
            each.grant.left -= each.credits
        self.takes = takes


class Books:
    """All codes and baskets of a site."""

    def __init__(self) -> None:
        self.codes: list[Code] = []
        self.visits: list[Visit] = []

    @property
    def grants(self) -> list[Grant]:
        return [grant for code in self.codes for grant in code.grants]

    def outstanding(self) -> dict[int, int]:
        """Return what is left or held by code, whoever could spend it, if anything."""
        credits: Counter[int] = Counter()
        for code in self.codes:
            credits[code.row.pk] += sum(grant.left for grant in code.unexpired)
        for visit in self.visits:
            for take in visit.takes if visit.is_held else []:
                credits[take.grant.code.row.pk] += take.credits
        return dict(+credits)

    def release_lapsed(self, codes: list[Code]) -> bool:
        lapsed = [visit for visit in self.visits if visit.lapsed]
        return sum(visit.put_back(codes) for visit in lapsed) > 0

    def take_away(self, code: Code, credits: int) -> None:
        """Take what staff take: from what can be spent, the soonest to expire first."""
        for grant in sorted(code.spendable, key=Grant.spend_order):
            part = min(credits, grant.left)
            grant.left -= part
            credits -= part

    def parts_back(self, child: Code) -> list[tuple[Grant, int]]:
        """Return what of a child code can go back, the last to expire first."""

        def end(grant: Grant) -> tuple[Any, ...]:
            ends = grant.expires_at
            return not ends, ends.timestamp() if ends else 0, grant.pk

        grants = sorted(child.grants, key=end, reverse=True)
        return [
            (grant, grant.left) for grant in grants if grant.left and grant.has_way_back
        ]

    def send_back(self, child: Code, credits: int | None = None) -> int:
        """Send so many credits, or all that can, back to their grants."""
        sent = 0
        for grant, left in self.parts_back(child):
            part = left if credits is None else min(left, credits - sent)
            assert grant.source
            grant.left -= part
            grant.source.left += part
            sent += part
        return sent

    def return_ended(self, children: Iterable[Code]) -> int:
        """Send back, or let lapse, what is unused on closed children; how many had."""
        returned = 0
        for child in children:
            if child.closed and any(map(is_moved, child.spendable)):
                self.release_lapsed([child])
                self.send_back(child)
                for grant in filter(is_moved, child.spendable):
                    grant.left = 0
                returned += 1
        return returned

    def recover(self, codes: list[Code]) -> bool:
        """Give back what lapsed holds, and children at an end, have kept."""
        released = self.release_lapsed(codes)
        children = [code for code in self.codes if code.parent in codes]
        return bool(self.return_ended(children)) or released

    def forget(self, code: Code) -> None:
        """Let no basket that is not ordered have this code applied any more."""
        for visit in self.visits:
            if code in visit.codes and not visit.order:
                visit.codes.remove(code)

    def settle(self, visit: Visit) -> list[Take]:
        """Return what settles a basket now; releases holds if there is too little."""
        if visit.is_held and not visit.broken:
            return visit.takes
        takes = draw(visit)
        lacking = len({take.line for take in takes}) < len(visit.lines)
        if lacking and self.recover(visit.codes):
            takes = draw(visit)
        return takes

    def remember(self) -> Any:
        """Return what `go_back` needs where the site rolls a transaction back."""
        lefts = [(grant, grant.left) for grant in self.grants]
        holds = [
            (each, [*each.takes], each.lapsed, each.broken) for each in self.visits
        ]
        return lefts, holds

    def go_back(self, memory: Any) -> None:
        lefts, holds = memory
        for grant, left in lefts:
            grant.left = left
        for visit, takes, lapsed, broken in holds:
            visit.takes, visit.lapsed, visit.broken = takes, lapsed, broken


def is_moved(grant: Grant) -> bool:
    return grant.source is not None


def draw(visit: Visit) -> list[Take]:
    """Return what ought to be paid in credits, line by line, and from which grants."""
    spendable = (
        grant for code in visit.codes if code.usable for grant in code.spendable
    )
    grants = sorted(spendable, key=Grant.spend_order)
    left = {grant: grant.left for grant in grants}
    takes = []
    for line in sorted(visit.lines, key=lambda line: not line.training.credit_only):
        wanted = line.credits
        if sum(left.values()) < wanted:
            continue
        for grant in grants:
            if part := min(wanted, left[grant]):
                left[grant] -= part
                wanted -= part
                takes.append(Take(line, grant, part))
    return takes


def give_back(
    visit: Visit, wanted: dict[Line, int], *, grace: int | None
) -> tuple[Portions, set[Line]]:
    """Return what goes back for these units, and the lines of which none may."""
    portions: Portions = []
    refused = set()
    for line, units in wanted.items():
        drawn = undraw(visit, line, units)
        lapsed = any(take.grant.has_ended for take, _credits in drawn)
        if not visit.paid(line) or units > line.left or (lapsed and not grace):
            refused.add(line)
        else:
            portions += drawn
    return portions, refused


def undraw(visit: Visit, line: Line, units: int) -> Portions:
    """Return the credits of so many units, the last spent first."""
    wanted = line.training.credits * units
    portions = []
    for take in reversed(visit.takes):
        if take.line is line:
            credits = min(wanted, take.credits - take.refunded)
            wanted -= credits
            if credits:
                portions.append((take, credits))
    return portions
