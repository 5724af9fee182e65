"""Whatever happens in whatever order, the ledger adds up.

Hypothesis draws sequences of what people do, and holds the site against a model of a
few lines that counts credits in plain numbers. `--hypothesis-profile=thorough` draws
many more, and longer ones.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from oscar.apps.order.utils import OrderNumberGenerator
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits import redemption
from oscar_training_credits.credits.applying import apply_code
from oscar_training_credits.credits.issuing import add_grant, issue_code, set_state
from oscar_training_credits.credits.models import CreditCode, CreditGrant, Redemption
from oscar_training_credits.exceptions import CreditCodeRefused
from oscar_training_credits.shop.exceptions import BasketAlreadyOrdered, OrderRefused
from oscar_training_credits.shop.pricing import CreditPrice
from oscar_training_credits.shop.quotes import items_of
from oscar_training_credits.test.factories import (
    make_basket,
    make_learner,
    make_training,
)

from .orders import place

Order = get_model("order", "Order")

DAY = timedelta(days=1)
SHORT = {"max_examples": 25, "stateful_step_count": 20}

credits_drawn = st.integers(1, 90)
learners = st.integers(0, 1)
quantities = st.tuples(st.integers(0, 1), st.integers(0, 2)).filter(any)


@dataclass
class Grant:
    """What the model knows of a grant."""

    pk: int
    credits: int
    left: int
    expires_at: datetime | None

    def spend_order(self) -> tuple[Any, ...]:
        ends = self.expires_at
        return not ends, ends.timestamp() if ends else 0, self.left, self.pk


@dataclass
class Code:
    """What the model knows of a code."""

    row: CreditCode
    text: str
    enabled: bool = True
    grants: list[Grant] = field(default_factory=list)

    @property
    def spendable(self) -> list[Grant]:
        now = timezone.now()
        return [
            grant
            for grant in self.grants
            if grant.left and not (grant.expires_at and grant.expires_at <= now)
        ]

    @property
    def usable(self) -> bool:
        return self.enabled and bool(self.spendable)


@dataclass
class Visit:
    """A learner's basket, priced at one moment and perhaps ordered at a later one."""

    learner: Any
    basket: Any
    lines: list[tuple[Any, int]]
    codes: list[Code] = field(default_factory=list)
    priced: list[bool] = field(default_factory=list)
    """For each line, whether it was in credits when it was priced."""
    holds: dict[int, int] = field(default_factory=dict)
    """The credits held for it, by grant."""
    held: list[bool] = field(default_factory=list)
    """For each line, whether credits are held for it."""
    redemptions: list[Redemption] = field(default_factory=list)
    order: Any = None

    def price(self) -> None:
        self.basket.reset_offer_applications()
        self.priced = [
            isinstance(line.purchase_info.price, CreditPrice)
            for line in self.basket.all_lines()
        ]


def settle(visit: Visit) -> tuple[list[bool], dict[int, int]]:
    """Return what ought to be paid in credits, line by line, and from which grants."""
    grants = sorted(
        (grant for code in visit.codes if code.usable for grant in code.spendable),
        key=Grant.spend_order,
    )
    left = {grant.pk: grant.left for grant in grants}
    covered = [False] * len(visit.lines)
    taken: dict[int, int] = {}
    credit_only_first = sorted(
        enumerate(visit.lines), key=lambda pair: not pair[1][0].credit_only
    )
    for number, (training, quantity) in credit_only_first:
        wanted = training.credits * quantity
        if sum(left.values()) < wanted:
            continue
        covered[number] = True
        for pk in left:
            part = min(wanted, left[pk])
            if part:
                left[pk] -= part
                wanted -= part
                taken[pk] = taken.get(pk, 0) + part
    return covered, taken


class Ledger(RuleBasedStateMachine):
    seen: Counter[str] = Counter()
    """What has happened in all sequences: idle ones would prove nothing."""

    codes = Bundle("codes")
    grants = Bundle("grants")
    visits = Bundle("visits")
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        # Each sequence begins with an empty site; nothing of it is ever committed.
        self.sequence = transaction.atomic()
        self.sequence.__enter__()
        self.known: list[Code] = []
        self.learners = [make_learner(), make_learner()]
        self.courses = [
            make_training("Credit-only", credits=20, price=None, credit_only=True),
            make_training("Either", credits=7, price="84.00"),
        ]

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.sequence.__exit__(None, None, None)

    def grant_of(self, pk: int) -> Grant:
        return next(
            grant for code in self.known for grant in code.grants if grant.pk == pk
        )

    # Codes and grants

    @initialize(target=codes, credits=st.integers(20, 200))
    def first_code(self, credits: int) -> Code:
        return self.issue(credits, expires=False)

    @initialize(target=codes, credits=st.integers(20, 60))
    def second_code(self, credits: int) -> Code:
        return self.issue(credits, expires=True)

    @rule(target=codes, credits=credits_drawn, expires=st.booleans())
    def issue(self, credits: int, expires: bool) -> Code:
        text = f"TEAM-{len(self.known)}-CODE"
        ends = timezone.now() + DAY if expires else None
        issued = issue_code(
            label="ACME", credits=credits, text=text, grant_expires_at=ends
        )
        code = Code(issued.code, text)
        (row,) = issued.code.grants.all()
        code.grants.append(Grant(row.pk, credits, credits, ends))
        self.known.append(code)
        return code

    @rule(target=grants, code=codes, credits=credits_drawn, expires=st.booleans())
    def top_up(self, code: Code, credits: int, expires: bool) -> Grant:
        ends = timezone.now() + 2 * DAY if expires else None
        row = add_grant(code.row, credits, expires_at=ends)
        grant = Grant(row.pk, credits, credits, ends)
        code.grants.append(grant)
        return grant

    @rule(grant=consumes(grants))
    def expire(self, grant: Grant) -> None:
        grant.expires_at = timezone.now() - DAY
        CreditGrant.objects.filter(pk=grant.pk).update(expires_at=grant.expires_at)

    # `code.row` is the object made when it was issued: as stale as can be.
    @rule(code=codes, enabled=st.booleans())
    def enable(self, code: Code, enabled: bool) -> None:
        State = CreditCode.State
        set_state(code.row, State.ACTIVE if enabled else State.DISABLED)
        code.enabled = enabled

    # Baskets and orders

    @rule(target=visits, learner=learners, quantities=quantities, code=codes)
    def fill_basket(
        self, learner: int, quantities: tuple[int, int], code: Code
    ) -> Visit:
        lines = [
            (training, quantity)
            for training, quantity in zip(self.courses, quantities, strict=True)
            if quantity
        ]
        owner = self.learners[learner]
        basket = make_basket(owner, *((line[0].product, line[1]) for line in lines))
        visit = Visit(owner, basket, lines)
        self.apply(visit, code)
        return visit

    @rule(target=visits, learner=learners, quantities=quantities, code=codes)
    def buy(self, learner: int, quantities: tuple[int, int], code: Code) -> Visit:
        visit = self.fill_basket(learner, quantities, code)
        self.order(visit)
        return visit

    @rule(visit=visits, code=codes)
    def apply(self, visit: Visit, code: Code) -> None:
        """Apply a code, and see its price; other baskets stay priced as they were."""
        if visit.order or visit.holds:
            return
        welcome = code.usable and code not in visit.codes
        try:
            apply_code(
                code.text,
                basket=visit.basket,
                items=items_of(visit.basket),
                learner=visit.learner,
                asker=None,
            )
        except CreditCodeRefused:
            assert not welcome
        else:
            assert welcome
            visit.codes.append(code)
        visit.price()
        assert visit.priced == self.shown(settle(visit)[0], visit)

    def shown(self, covered: list[bool], visit: Visit) -> list[bool]:
        # A credit-only line is never priced in anything else.
        return [
            paid or training.credit_only
            for paid, (training, _quantity) in zip(covered, visit.lines, strict=True)
        ]

    @rule(visit=visits)
    def order(self, visit: Visit) -> None:
        """Order what was shown at some earlier moment, or what was ordered before."""
        if visit.order:
            self.order_again(visit)
            return
        held = visit.held if visit.holds else None
        covered, taken = (held, visit.holds) if held else settle(visit)
        as_shown = covered == visit.priced
        try:
            visit.order = place(visit.basket, visit.learner)
        except OrderRefused:
            self.seen["refused"] += 1
            assert not as_shown
            assert not Order.objects.filter(basket=visit.basket).exists()
        else:
            self.seen["captured" if held else "paid" if taken else "for money"] += 1
            assert as_shown
            if not held:
                self.take(taken)
            visit.holds = {}

    def order_again(self, visit: Visit) -> None:
        self.seen["again"] += 1
        with pytest.raises(BasketAlreadyOrdered) as refused:
            place(visit.basket, visit.learner)
        assert refused.value.order == visit.order

    def take(self, taken: dict[int, int]) -> None:
        for pk, credits in taken.items():
            self.grant_of(pk).left -= credits

    # Holds: as good as spent, until they are captured by an order or released.

    @rule(target=held, visit=visits)
    def hold(self, visit: Visit) -> Visit:
        if visit.order or visit.holds:
            return visit
        covered, taken = settle(visit)
        with transaction.atomic():
            visit.redemptions = redemption.hold(
                redemption.locked_quote(
                    items_of(visit.basket), basket=visit.basket, learner=visit.learner
                ),
                basket=visit.basket,
                order_number=OrderNumberGenerator().order_number(visit.basket),
                learner=visit.learner,
                until=timezone.now() + DAY,
            )
        self.seen["held"] += bool(taken)
        visit.holds, visit.held = taken, covered
        self.take(taken)
        visit.price()
        return visit

    @rule(target=held, learner=learners, quantities=quantities, code=codes)
    def reserve(self, learner: int, quantities: tuple[int, int], code: Code) -> Visit:
        return self.hold(self.fill_basket(learner, quantities, code))

    @rule(visit=held)
    def capture(self, visit: Visit) -> None:
        self.order(visit)

    @rule(visit=held)
    def release(self, visit: Visit) -> None:
        """Release a hold; or what was released or captured before, to no avail."""
        released = redemption.release(visit.redemptions)
        self.seen["released" if released else "released before"] += 1
        assert bool(released) == bool(visit.holds)
        self.put_back(visit)

    @rule(visit=held)
    def lapse(self, visit: Visit) -> None:
        Redemption.objects.filter(
            pk__in=[each.pk for each in visit.redemptions], state="held"
        ).update(expires_at=timezone.now() - DAY)
        lapsed = redemption.release_expired()
        self.seen["lapsed"] += bool(lapsed)
        assert bool(lapsed) == bool(visit.holds)
        self.put_back(visit)

    def put_back(self, visit: Visit) -> None:
        for pk, credits in visit.holds.items():
            self.grant_of(pk).left += credits
        visit.holds = {}

    # What holds at every moment

    @invariant()
    def the_audit_finds_nothing(self) -> None:
        assert list(api.audit()) == []

    @invariant()
    def the_model_agrees(self) -> None:
        rows = CreditGrant.objects.values_list("pk", "credits", "remaining")
        modelled = {
            (grant.pk, grant.credits, grant.left)
            for code in self.known
            for grant in code.grants
        }
        assert set(rows) == modelled
        assert all(0 <= left <= credits for _pk, credits, left in modelled)
        for code in self.known:
            assert code.row.balance() == sum(each.left for each in code.spendable)


@pytest.mark.django_db
def test_the_ledger_adds_up_whatever_happens(request):
    chosen = request.config.getoption("--hypothesis-profile")
    Ledger.seen.clear()

    run_state_machine_as_test(
        Ledger, settings=settings() if chosen else settings(**SHORT)
    )

    assert {"paid", "held"} <= set(+Ledger.seen)
