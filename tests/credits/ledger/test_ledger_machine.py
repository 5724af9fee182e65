"""Whatever happens in whatever order, the ledger adds up.

Hypothesis draws sequences of what people do, and holds the site against a model of a
few lines that counts credits in plain numbers. `--hypothesis-profile=thorough` draws
many more, and longer ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from itertools import pairwise
from operator import itemgetter
from random import Random
from typing import Any

import pytest
from django.conf import settings as site
from django.contrib import admin
from django.db import transaction
from django.test import override_settings
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from oscar.apps.order.utils import OrderNumberGenerator
from oscar.core.loading import get_class, get_model

from oscar_training_credits import api
from oscar_training_credits.credits.codes.applying import apply_code
from oscar_training_credits.credits.ledger import postgresql, redemption
from oscar_training_credits.credits.ledger.statements import statement_of
from oscar_training_credits.credits.ledger.usage import most_used_for
from oscar_training_credits.credits.models import (
    Access,
    CreditCode,
    CreditGrant,
    LedgerEntry,
    Redemption,
    Refund,
)
from oscar_training_credits.exceptions import (
    CodeClosed,
    CodeTaken,
    CreditCodeRefused,
    IdempotencyKeyReused,
    NotCut,
    NotEnoughCredits,
    RefundRefused,
    WiderThanParent,
)
from oscar_training_credits.shop.basket.quotes import items_of
from oscar_training_credits.shop.exceptions import BasketAlreadyOrdered, OrderRefused
from oscar_training_credits.shop.prices import CreditPrice
from oscar_training_credits.test.factories import (
    make_basket,
    make_learner,
    make_training,
)

from ...support.ledger_model import Books, Code, Grant, Line, Portions, Visit, give_back
from ...support.orders import place

Order = get_model("order", "Order")
State, Held = CreditCode.State, Redemption.State.HELD

pytestmark = pytest.mark.all_databases

DAY = timedelta(days=1)

# The same runs each time: what it comes by must not be left to luck.
SHORT = {
    "max_examples": 35,
    "stateful_step_count": 25,
    "derandomize": True,
    "report_multiple_bugs": False,
}

credits_drawn = st.integers(1, 90)
some_drawn = st.integers(1, 30)
learners = st.integers(0, 1)
quantities = st.tuples(st.integers(0, 1), st.integers(0, 2)).filter(any)
units_drawn = st.tuples(st.integers(0, 2), st.integers(0, 2)).filter(any)
causes = st.sampled_from(["call 1", "call 2", "call 3"])


class Ledger(RuleBasedStateMachine):
    seen: Counter[str] = Counter()
    """What has happened in all sequences: idle ones would prove nothing."""

    codes = Bundle("codes")
    read = Bundle("read")
    visits = Bundle("visits")
    held = Bundle("held")
    ordered = Bundle("ordered")

    def __init__(self, people: list[Any], courses: list[Any]) -> None:
        super().__init__()
        self.people, self.courses = people, courses
        self.books = Books()
        self.entries: list[tuple[Any, ...]] = []
        self.outstanding = [(timezone.now(), dict[int, int]())]
        """What was outstanding on each code at moments of this sequence."""
        self.ending = ExitStack()
        # Each sequence begins with an empty site; nothing of it is ever committed.
        self.ending.enter_context(transaction.atomic())
        self.ending.callback(transaction.set_rollback, True)

    def teardown(self) -> None:
        with self.ending:
            self.the_audit_finds_nothing()
            self.reports_say_what_was_outstanding()

    def the_site_has(self, **chosen: Any) -> None:
        self.ending.enter_context(override_settings(**chosen))

    # Codes and grants

    @initialize(days=st.sampled_from([30, None]))
    def grace(self, days: int | None) -> None:
        self.days = days
        self.the_site_has(TRAINING_CREDITS_REFUND_GRACE_DAYS=days)

    @initialize(target=codes, credits=st.integers(20, 200))
    def first_code(self, credits: int) -> Code:
        return self.issue(credits, expires=False)

    @initialize(target=codes, credits=st.integers(20, 60))
    def second_code(self, credits: int) -> Code:
        return self.issue(credits, expires=True)

    @rule(target=codes, credits=credits_drawn, expires=st.booleans())
    def issue(self, credits: int, expires: bool) -> Code:
        text, label = f"TEAM-{len(self.books.codes)}-CODE", "ACME"
        ends = timezone.now() + DAY if expires else None
        issued = api.issue_code(
            label=label, credits=credits, text=text, grant_expires_at=ends
        )
        code = Code(issued.code, text, label)
        (row,) = issued.code.grants.all()
        code.grants.append(Grant(row.pk, code, credits, credits, ends))
        self.books.codes.append(code)
        return code

    @rule(code=codes)
    def issue_again(self, code: Code) -> None:
        with pytest.raises(CodeTaken):
            api.issue_code(label="Other", credits=9, text=code.text.lower())

    @rule()
    def rotate_keys(self) -> None:
        """Digest new codes by a new key; the old ones still find the old codes."""
        older = getattr(site, "TRAINING_CREDITS_CODE_KEYS", [site.SECRET_KEY])
        newest = f"key {len(older)}"
        self.the_site_has(TRAINING_CREDITS_CODE_KEYS=[newest, *older])

    @rule(code=codes, credits=credits_drawn, expires=st.booleans())
    def top_up(self, code: Code, credits: int, expires: bool) -> None:
        ends = timezone.now() + 2 * DAY if expires else None
        if code.closed:
            with pytest.raises(CodeClosed):
                api.add_grant(code.row, credits, expires_at=ends)
            return
        row = api.add_grant(code.row, credits, expires_at=ends)
        code.grants.append(Grant(row.pk, code, credits, credits, ends))

    @rule(code=codes)
    def expire(self, code: Code) -> None:
        """Let the time come of all the code's grants that ever end."""
        ended = timezone.now()
        grants = CreditGrant.objects.filter(code=code.row)
        grants.filter(expires_at__gt=ended).update(expires_at=ended)
        for grant in code.grants:
            if grant.expires_at and not grant.has_ended:
                grant.expires_at = ended

    @rule(code=codes, enabled=st.booleans())
    def enable(self, code: Code, enabled: bool) -> None:
        if code.closed:
            with pytest.raises(CodeClosed):
                api.set_state(code.row, State.ACTIVE)
            return
        api.set_state(code.row, State.ACTIVE if enabled else State.DISABLED)
        code.enabled = enabled

    @rule(code=codes, credits=credits_drawn)
    def take_away(self, code: Code, credits: int) -> None:
        """Put a balance right, downwards."""
        before = self.books.remember()
        self.books.release_lapsed([code])
        left = sum(grant.left for grant in code.spendable)
        try:
            api.adjust_credits(code.row, -credits, reason="mistake")
        except CodeClosed:
            assert code.closed
        except NotEnoughCredits:
            assert left < credits
        else:
            assert not code.closed
            self.books.take_away(code, credits)
            self.seen["taken away"] += 1
            return
        self.books.go_back(before)

    @rule(code=codes)
    def extend(self, code: Code) -> None:
        """Let what is left live longer, also what has expired."""
        if code.closed:
            return
        until = timezone.now() + 3 * DAY
        sources = [each.source for each in code.grants if each.source and each.left]
        ends = [source.expires_at for source in sources]
        known = [end for end in ends if end]
        if known and len(known) == len(ends) and until > max(known):
            with pytest.raises(WiderThanParent):
                api.extend_code(code.row, until=until, with_credits=True)
            return
        api.extend_code(code.row, until=until, with_credits=True)
        for grant in code.grants:
            last = grant.source.expires_at if grant.source else None
            end = min(filter(None, (until, last)))
            if grant.left and grant.expires_at and grant.expires_at < end:
                grant.expires_at = end

    @rule(code=codes)
    def rotate(self, code: Code) -> None:
        if code.closed:
            return
        code.text = f"{code.text}-NEW"[-60:]
        api.rotate_code(code.row, text=code.text)
        self.books.forget(code)

    # Child codes

    @rule(target=codes, code=codes, credits=some_drawn, back=st.booleans())
    def cut(self, code: Code, credits: int, back: bool) -> Any:
        """Cut a child code, and perhaps take back what it has."""
        child = self.move(code, credits)
        if back and isinstance(child, Code):
            self.take_back(child, None)
        return child

    def move(self, code: Code, credits: int) -> Any:
        before, text = self.books.remember(), f"CHILD-{len(self.books.codes)}-CODE"
        self.books.release_lapsed([code])
        left = sum(grant.left for grant in code.spendable)
        try:
            child = api.cut_code(
                code.row, credits, label="Child", text=text, expires_at=None
            ).code
        except NotCut:
            assert code.state != "active" or code.parent
        except NotEnoughCredits:
            assert left < credits
        else:
            assert code.state == "active"
            assert not code.parent
            return self.learn_of(child, text, code, credits)
        self.books.go_back(before)
        return multiple()

    def learn_of(self, row: Any, text: str, parent: Code, credits: int) -> Code:
        child = Code(row, text, "Child", parent=parent)
        rows = iter(row.grants.order_by("pk"))
        for grant in sorted(parent.spendable, key=Grant.spend_order):
            if part := min(credits, grant.left):
                grant.left -= part
                credits -= part
                pk, ends = next(rows).pk, grant.expires_at
                child.grants.append(Grant(pk, child, part, part, ends, grant))
        assert not credits
        assert not [*rows]
        self.books.codes.append(child)
        self.seen["cut"] += 1
        return child

    @rule(code=codes, credits=st.none() | credits_drawn)
    def take_back(self, code: Code, credits: int | None) -> None:
        if not code.parent:
            with pytest.raises(NotCut):
                api.take_back(code.row, credits)
            return
        before = self.books.remember()
        self.books.release_lapsed([code])
        left = sum(part for _grant, part in self.books.parts_back(code))
        try:
            change = api.take_back(code.row, credits)
        except NotEnoughCredits:
            assert credits is not None
            assert credits > left
            self.books.go_back(before)
            return
        sent = self.books.send_back(code, credits)
        assert sent == (-change.credits if change else 0)
        self.seen["taken back"] += bool(change)

    # Rarely, or nothing would be left to spend.
    @precondition(lambda self: len(self.books.codes) > 2)
    @rule(code=codes, take_back=st.booleans())
    def close(self, code: Code, take_back: bool) -> None:
        mine = [each for each in self.books.codes if each.parent is code and take_back]
        above = [code.parent] if code.parent else []
        self.books.release_lapsed([*above, code, *mine])
        api.close_code(code.row, take_back=take_back)
        for each in (code, *mine):
            self.seen["sent back"] += bool(self.books.send_back(each))
        code.closed = True
        for grant in code.grants:
            grant.left = 0
        self.seen["closed"] += 1

    # Objects that somebody has read, and saves when all may be different

    @rule(target=read, code=codes)
    def read_code(self, code: Code) -> tuple[Code, CreditCode]:
        return code, CreditCode.objects.get(pk=code.row.pk)

    @rule(target=read, code=codes)
    def read_grant(self, code: Code) -> tuple[Grant, CreditGrant]:
        grant = code.grants[-1]
        return grant, CreditGrant.objects.get(pk=grant.pk)

    @rule(pair=read, label=st.sampled_from(["ACME", "Beta"]))
    def save(self, pair: tuple[Any, Any], label: str) -> None:
        known, row = pair
        if isinstance(known, Code):
            self.enable(known, not known.enabled)
            row.label = known.label = label
            code_admin = admin.site.get_model_admin(CreditCode)
            code_admin.save_model(None, row, None, change=True)
        else:
            row.note = label
            row.save()

    # Baskets and orders

    @rule(target=visits, learner=learners, quantities=quantities, code=codes)
    def fill_basket(
        self, learner: int, quantities: tuple[int, int], code: Code
    ) -> Visit:
        chosen = zip(self.courses, quantities, strict=True)
        lines = [Line(training, number) for training, number in chosen if number]
        owner = self.people[learner]
        bought = ((line.training.product, line.quantity) for line in lines)
        visit = Visit(owner, make_basket(owner, *bought), lines)
        self.books.visits.append(visit)
        self.apply(visit, code)
        return visit

    @rule(visit=visits, code=codes)
    def apply(self, visit: Visit, code: Code) -> None:
        """Apply a code, and see its price; other baskets stay priced as they were."""
        if visit.order or visit.is_held:
            return
        if code.state == "active" and not code.usable:
            self.books.recover([code])
        welcome = code.usable and code not in visit.codes
        try:
            apply_code(
                code.text,
                basket=visit.basket,
                items=items_of(visit.basket),
                learner=visit.learner,
                requester=None,
            )
        except CreditCodeRefused:
            assert not welcome
        else:
            assert welcome
            visit.codes.append(code)
        self.look(visit)

    @rule(visit=visits)
    def look(self, visit: Visit) -> None:
        """See today's prices. A credit-only line is never priced in anything else."""
        if visit.order:
            return
        visit.basket.reset_offer_applications()
        visit.priced = [
            isinstance(line.purchase_info.price, CreditPrice)
            for line in visit.basket.all_lines()
        ]
        covered = {take.line for take in self.books.settle(visit)}
        assert visit.priced == [
            line in covered or line.training.credit_only for line in visit.lines
        ]

    @rule(target=ordered, visit=visits)
    def order(self, visit: Visit) -> Any:
        """Order what was shown at some earlier moment, or what was ordered before."""
        if visit.order:
            return self.order_again(visit)
        held, broken, before = visit.is_held, visit.broken, self.books.remember()
        if broken:
            visit.put_back()
        takes = self.books.settle(visit)
        as_shown = visit.priced == [
            any(take.line is line for take in takes) for line in visit.lines
        ]
        try:
            order = place(visit.basket, visit.learner)
        except OrderRefused:
            assert not as_shown
            assert not Order.objects.filter(basket=visit.basket).exists()
            self.books.go_back(before)
            self.seen["refused"] += 1
            return multiple()
        assert as_shown
        if not visit.is_held:
            visit.take(takes)
        visit.order, visit.lapsed = order, False
        rows = {row.product_id: row for row in order.lines.all()}
        for line in visit.lines:
            line.row = rows[line.training.product_id]
        kind = "captured" if held and not broken else "paid" if takes else "for money"
        self.seen[kind] += 1
        return visit

    def order_again(self, visit: Visit) -> Any:
        self.seen["again"] += 1
        with pytest.raises(BasketAlreadyOrdered) as refused:
            place(visit.basket, visit.learner)
        assert refused.value.order == visit.order
        return multiple()

    @rule(target=ordered, learner=learners, quantities=quantities, code=codes)
    def buy(self, learner: int, quantities: tuple[int, int], code: Code) -> Any:
        return self.order(self.fill_basket(learner, quantities, code))

    @rule(visit=visits, earlier=ordered)
    def order_by_its_number(self, visit: Visit, earlier: Visit) -> None:
        """Order another basket by the number of an earlier order."""
        if not visit.order:
            with pytest.raises((ValueError, OrderRefused)):
                place(visit.basket, visit.learner, number=earlier.order.number)

    # Holds: as good as spent, until they are captured by an order or released.

    @rule(target=held, visit=visits)
    def hold(self, visit: Visit) -> Any:
        if visit.order:
            return multiple()
        before, was_held = self.books.remember(), visit.is_held
        if visit.broken:
            visit.put_back()
        takes = self.books.settle(visit)
        as_shown = visit.priced == [
            any(take.line is line for take in takes) for line in visit.lines
        ]
        visit.basket.freeze()
        try:
            placement = get_class("checkout.mixins", "OrderPlacementMixin")()
            number = OrderNumberGenerator().order_number(visit.basket)
            placement.hold_credits(number, visit.basket)
        except OrderRefused:
            assert not as_shown
            self.books.go_back(before)
            return multiple()
        if not visit.is_held:
            assert as_shown
            visit.take(takes)
        self.seen["held again" if was_held else "held"] += bool(takes)
        visit.redemptions = redemption.held_for(visit.basket)
        return visit

    @rule(target=held, learner=learners, quantities=quantities, code=codes)
    def reserve(self, learner: int, quantities: tuple[int, int], code: Code) -> Any:
        return self.hold(self.fill_basket(learner, quantities, code))

    @rule(target=ordered, visit=held)
    def capture(self, visit: Visit) -> Any:
        return self.order(visit)

    @rule(visit=held)
    def release(self, visit: Visit) -> None:
        """Release a hold; or what was released or captured before, to no avail."""
        released = redemption.release(visit.redemptions)
        self.seen["released" if released else "released before"] += 1
        assert bool(released) == visit.put_back()
        if not visit.order:
            visit.basket.thaw()

    @rule(visit=held)
    def lapse(self, visit: Visit) -> None:
        """Let a hold's time end. Nobody has released it yet."""
        if visit.is_held:
            Redemption.objects.filter(basket=visit.basket, state=Held).update(
                expires_at=timezone.now() - DAY
            )
            visit.lapsed = True

    @rule()
    def release_lapsed(self) -> None:
        released = api.release_expired()
        self.seen["lapsed"] += bool(released)
        assert bool(released) == self.books.release_lapsed(self.books.codes)
        children = [code for code in self.books.codes if code.parent]
        assert api.return_ended() == self.books.return_ended(children)

    # Credits given back

    @rule(visit=ordered, units=units_drawn, idempotency_key=causes)
    def refund(
        self, visit: Visit, units: tuple[int, int], idempotency_key: str
    ) -> None:
        pairs = zip(visit.lines, units, strict=False)
        wanted = {line: number for line, number in pairs if number}
        wanted = wanted or {visit.lines[0]: 1}
        portions, refused = give_back(visit, wanted, grace=self.days)
        before = visit.causes.get(idempotency_key)
        rows = [(line.row, number) for line, number in wanted.items()]
        try:
            outcome = api.refund_lines(rows, idempotency_key=idempotency_key)
        except IdempotencyKeyReused:
            self.seen["another payload"] += 1
            assert before not in (None, wanted)
        except RefundRefused as error:
            self.seen["not refunded"] += 1
            assert before is None
            pks = {refusal.order_line_id for refusal in error.refusals}
            assert pks == {line.row.pk for line in refused}
        else:
            self.gave_back(visit, idempotency_key, wanted, portions, outcome)
            assert before == wanted or not refused

    @rule(visit=ordered, idempotency_key=causes)
    def cancel(self, visit: Visit, idempotency_key: str) -> None:
        """Give all back that is left, but for what has expired for good."""
        left = {line: line.left for line in visit.lines if visit.paid(line)}
        wanted = {line: number for line, number in left.items() if number}
        portions, refused = give_back(visit, wanted, grace=self.days)
        wanted = {line: wanted[line] for line in wanted.keys() - refused}
        try:
            outcome = api.refund_order(visit.order, idempotency_key=idempotency_key)
        except IdempotencyKeyReused:
            self.seen["another payload"] += 1
            assert idempotency_key in visit.causes
            assert wanted
        else:
            self.gave_back(visit, idempotency_key, wanted, portions, outcome)

    def gave_back(
        self,
        visit: Visit,
        idempotency_key: str,
        wanted: dict[Line, int],
        portions: Portions,
        outcome: api.Outcome,
    ) -> None:
        assert outcome.is_repeated == (idempotency_key in visit.causes)
        self.pass_on(visit)
        if outcome.is_repeated:
            self.seen["refunded before"] += 1
            rows = Refund.objects.filter(
                redemption__order=visit.order, idempotency_key=idempotency_key
            )
            assert list(outcome.refunds) == list(rows.order_by("pk"))
            return
        self.seen["refunded"] += bool(portions)
        assert outcome.credits == sum(credits for _take, credits in portions)
        renewed: Counter[Code] = Counter()
        for take, credits in portions:
            take.refunded += credits
            if take.grant.has_ended:
                renewed[take.grant.code] += credits
            else:
                take.grant.left += credits
        for code, credits in renewed.items():
            self.renew(code, credits)
        self.pass_on(visit)
        for line, number in wanted.items():
            line.refunded += number
        if wanted:
            visit.causes[idempotency_key] = wanted

    def pass_on(self, visit: Visit) -> None:
        """Send on what is on closed child codes that paid for an order."""
        for code in {take.grant.code for take in visit.takes}:
            if code.closed and code.parent:
                self.seen["passed on"] += bool(self.books.send_back(code))

    def renew(self, code: Code, credits: int) -> None:
        """Learn of the grant in which credits came back after they had expired."""
        self.seen["renewed"] += 1
        row = CreditGrant.objects.filter(code=code.row).latest("pk")
        assert row.pk not in [grant.pk for grant in code.grants]
        assert row.expires_at > timezone.now() + (self.days - 1) * DAY
        code.grants.append(Grant(row.pk, code, credits, credits, row.expires_at))

    # What holds at every moment

    @invariant()
    def everything_adds_up(self) -> None:
        self.grants_hold_what_the_model_says()
        self.entries_are_kept_and_add_up()
        self.what_was_taken_belongs_to_one_order()
        self.outstanding.append((timezone.now(), self.books.outstanding()))

    def grants_hold_what_the_model_says(self) -> None:
        rows = CreditGrant.objects.values_list(
            "pk", "credits", "remaining", "code__state", "code__label"
        )
        modelled = {
            (
                grant.pk,
                grant.credits,
                grant.left,
                grant.code.state,
                grant.code.label,
            )
            for grant in self.books.grants
        }
        assert set(rows) == modelled
        assert all(0 <= left <= credits for _pk, credits, left, *_of_code in rows)

    def entries_are_kept_and_add_up(self) -> None:
        columns = "pk", "grant", "kind", "credits", "balance", "redemption", "refund"
        entries = list(LedgerEntry.objects.order_by("pk").values_list(*columns))
        assert entries[: len(self.entries)] == self.entries
        self.entries = entries
        balances: dict[int, int] = defaultdict(int)
        for _pk, grant, _kind, credits, balance, *_cause in entries:
            balances[grant] += credits
            assert balances[grant] == balance >= 0
        assert balances == {grant.pk: grant.left for grant in self.books.grants}

    def what_was_taken_belongs_to_one_order(self) -> None:
        taken = Redemption.objects.exclude(state=Redemption.State.RELEASED)
        rows = taken.values_list("basket", "code", "credits", "state", "order")
        modelled = []
        for visit in self.books.visits:
            by_code: Counter[int] = Counter()
            for take in visit.takes:
                by_code[take.grant.code.row.pk] += take.credits
            state = Redemption.State.CAPTURED if visit.order else Held
            order = visit.order and visit.order.pk
            modelled += [
                (visit.basket.pk, code, credits, state, order)
                for code, credits in by_code.items()
            ]
        assert sorted(rows, key=str) == sorted(modelled, key=str)
        orders = [visit.order.pk for visit in self.books.visits if visit.order]
        assert sorted(Order.objects.values_list("pk", flat=True)) == sorted(orders)

    def reports_say_what_was_outstanding(self) -> None:
        """Compare ten moments of the past, drawn at random, with what was true then."""
        drawn = Random(len(self.outstanding)).choices(self.outstanding, k=10)
        drawn += self.outstanding[-1:]
        moments = sorted(drawn, key=itemgetter(0))
        left = {moment: sum(credits.values()) for moment, credits in moments}
        series = api.roll_forward_series(sorted(left))
        assert [row.opening for row in series] == [left[row.key] for row in series]
        assert [row.closing for row in series] == [left[at] for at in sorted(left)[1:]]
        for (start, before), (end, after) in pairwise(moments):
            period = {"start": start, "end": end}
            rows = list(api.roll_forward_by(api.Grouping.CODE, **period))
            openings = {row.key: row.opening for row in rows if row.opening}
            assert openings == before
            assert {row.key: row.closing for row in rows if row.closing} == after
            whole = api.roll_forward(**period)
            assert whole.opening == sum(before.values())
            assert whole.closing == sum(after.values())
            assert min(whole.redeemed, whole.lapsed, whole.expired) >= 0
            used = list(api.use_of_credits(api.UseGrouping.CODE, **period))
            assert sum(each.credits for each in used) == whole.redeemed
            assert sum(each.refunded for each in used) == whole.refunded
            products = most_used_for(api.UseGrouping.PRODUCT, 9, **period)
            assert sum(credits for _key, credits in products) == whole.redeemed
            self.seen["expired unused"] += whole.expired > 0
            self.seen["reinstated"] += whole.reinstated > 0

        self.statements_agree(moments[0][0], moments[-1][0])

    def statements_agree(self, start: Any, end: Any) -> None:
        """Compare the statement of each code with its roll-forward, to the credit."""
        found = api.roll_forward_by(api.Grouping.CODE, start=start, end=end)
        rows = {row.key: row for row in found}
        for code in self.books.codes:
            statement = statement_of(code.row, start=start, end=end)
            if code.row.pk in rows:
                assert statement.sums == rows[code.row.pk]
            else:
                assert statement.sums.is_empty
            told = sum(line.credits for line in statement.lines)
            assert statement.sums.opening + told == statement.sums.closing
            assert (
                sum(line.credits for line in statement.lines if line.kind == "redeemed")
                == -statement.sums.redeemed
            )

    def the_audit_finds_nothing(self) -> None:
        assert list(api.audit()) == []
        for code in self.books.codes:
            assert code.row.balance() == sum(each.left for each in code.spendable)
        ended = {
            line.row.pk
            for visit in self.books.visits
            for line in visit.lines
            if visit.order and visit.paid(line) and not line.left
            # Several are places, which open nothing until somebody claims them.
            if line.quantity == 1
        }
        access = Access.objects.filter(ends_at__lte=timezone.now())
        assert set(access.values_list("order_line", flat=True)) == ended


@pytest.fixture(params=["as here", "by the ORM"])
def way(request, monkeypatch):
    """How codes are locked and credits taken: PostgreSQL has a way of its own."""
    if request.param == "as here":
        return
    if not postgresql.is_used():
        pytest.skip("it is the ORM's way here anyway")
    monkeypatch.setattr(postgresql, "is_used", lambda: False)


# A long run in one transaction would drag all its dead rows along.
@pytest.mark.usefixtures("way")
@pytest.mark.django_db(transaction=True)
def test_the_ledger_adds_up_whatever_happens(request):
    chosen = request.config.getoption("--hypothesis-profile")
    people = [make_learner(), make_learner()]
    # For some days, so that buying again adds some.
    days = {"access_days": 30}
    courses = [
        make_training("Credit-only", credits=20, price=None, credit_only=True, **days),
        make_training("Either", credits=7, price="84.00", **days),
    ]
    Ledger.seen.clear()

    run_state_machine_as_test(
        partial(Ledger, people, courses),
        settings=settings() if chosen else settings(**SHORT),
    )

    seen = set(+Ledger.seen)
    assert {"paid", "held", "refunded", "taken away", "closed"} <= seen
    assert {"cut", "taken back"} <= seen
    assert "expired unused" in seen
