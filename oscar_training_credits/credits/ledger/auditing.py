"""What must always hold, recomputed from the rows, for everything at once.

A rule is one query for the rows that break it: it sees a single moment of a site that
goes on selling, and a million entries take no memory here. A site in order has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connections, router
from django.db.models import (
    Case,
    Count,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.functions import Coalesce, Lag
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from ..models import (
    CodeChange,
    CreditGrant,
    CreditRequest,
    LedgerEntry,
    Redemption,
    RedemptionLine,
    Refund,
    RefundLine,
    SettledLine,
)
from .triggers import missing_triggers

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

Rows = QuerySet[Any, Any]
"""The values of the rows that break a rule, the primary key as `pk`."""
Kind, State = LedgerEntry.Kind, Redemption.State
TAKEN = (Kind.REDEEM, Kind.HOLD)
WITHDRAWN = (Kind.ADJUST, Kind.LAPSE)
"""What staff take from a grant, by a change of its code."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold, in words for staff."""

    rule: str
    """The name of the rule, the same in every language."""
    model: str
    """The kind of the row, as Django names models."""
    pk: int | None
    """The row; None for the table as a whole."""
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Rule:
    """What must hold: a query for the rows that break it, and what is said of them."""

    name: str
    rows: Callable[[], Rows]
    text: StrPromise | str

    def findings(self) -> Iterator[Finding]:
        rows = self.rows().order_by("pk")
        model = rows.model._meta.model_name or ""
        # PostgreSQL plans a count for all rows and on several cores, a cursor for the
        # first rows and on one: twice as slow where there are none.
        if not rows.order_by().count():
            return
        for row in rows.iterator():
            yield Finding(self.name, model, row["pk"], self.text % _in_words(row))


class Rules(list[Rule]):
    """Rules in the order in which they are asked.

    Columns that a condition on a sum compares must be among the values for MariaDB.
    """

    def add(
        self, text: StrPromise | str
    ) -> Callable[[Callable[[], Rows]], Callable[[], Rows]]:
        """Return a decorator that adds a rule; `text` names values of its rows."""

        def added(rows: Callable[[], Rows]) -> Callable[[], Rows]:
            self.append(Rule(rows.__name__, rows, text))
            return rows

        return added

    def findings(self) -> Iterator[Finding]:
        for rule in self:
            yield from rule.findings()


RULES = Rules()


def audit() -> Iterator[Finding]:
    """Yield what does not hold in the records of credits alone."""
    yield from _missing_triggers()
    yield from RULES.findings()


def lapsed_holds(at: datetime | None = None) -> Iterator[Finding]:
    """Yield the holds that have lapsed and wait to be released, which is no fault."""
    rows = Redemption.objects.filter(
        state=State.HELD, expires_at__lte=at or timezone.now()
    ).values("pk", "credits", "order_number", "expires_at")
    text = _(
        "Redemption %(pk)s holds %(credits)s credits for order %(order_number)s, but"
        " lapsed on %(expires_at)s."
    )
    return Rule("lapsed_holds", lambda: rows, text).findings()


def _missing_triggers() -> Iterator[Finding]:
    meta = LedgerEntry._meta
    connection = connections[router.db_for_write(LedgerEntry)]
    text = _("The database does not protect ledger entries: trigger %s is missing.")
    for name in missing_triggers(connection, meta.db_table):
        yield Finding("triggers", meta.model_name or "", None, text % name)


@RULES.add(_("Grant %(pk)s is of %(credits)s credits, but has %(remaining)s left."))
def grants_are_not_overdrawn() -> Rows:
    overdrawn = Q(remaining__lt=0) | Q(remaining__gt=F("credits"))
    return CreditGrant.objects.filter(overdrawn).values("pk", "credits", "remaining")


@RULES.add(
    _(
        "Grant %(pk)s has %(remaining)s credits left, but its entries add up to"
        " %(entered)s."
    )
)
def grants_hold_their_entries() -> Rows:
    entered = Coalesce(Sum("entries__credits"), 0)
    rows = CreditGrant.objects.values("pk", "remaining").annotate(entered=entered)
    return rows.exclude(remaining=F("entered"))


# A grant for credits that had expired begins with what came back from elsewhere.
@RULES.add(
    _(
        "Grant %(pk)s is of %(credits)s credits, but entries that granted credits:"
        " %(openings)s, which add up to %(opened)s with what came back from others."
    )
)
def grants_open_with_their_credits() -> Rows:
    opening = Q(entries__kind=Kind.GRANT)
    # A part that was moved to a child code begins with that.
    moved = Q(source__isnull=False, entries__kind=Kind.MOVE, entries__credits__gt=0)
    renewing = RefundLine.objects.filter(grant=OuterRef("pk")).exclude(
        redemption_line__grant=OuterRef("pk")
    )
    # Asked for each entry, so only where there is something to add up.
    refunded = Q(pk__in=RefundLine.objects.values("grant"))
    renewed = Case(When(refunded, then=_sum(renewing, "credits")), default=0)
    rows = CreditGrant.objects.values("pk", "credits").annotate(
        openings=Count("entries", filter=opening),
        opened=Coalesce(Sum("entries__credits", filter=opening | moved), 0) + renewed,
    )
    return rows.exclude(openings__lte=1, opened=F("credits"))


@RULES.add(
    _(
        "Entry %(pk)s of grant %(grant_id)s moved %(credits)s credits and left"
        " %(balance)s, but there were %(before)s before it: an entry was changed, or"
        " one is missing."
    )
)
def balances_follow_one_another() -> Rows:
    # MariaDB's LAG takes no default.
    before = Window(Lag("balance"), partition_by="grant", order_by="pk")
    rows = LedgerEntry.objects.annotate(before=Coalesce(before, 0))
    return rows.exclude(balance=F("before") + F("credits")).values(
        "pk", "grant_id", "credits", "balance", "before"
    )


@RULES.add(
    _(
        "Entry %(pk)s is “%(kind)s” and moved %(credits)s credits, with redemption"
        " %(redemption_id)s, refund %(refund_id)s and change %(change_id)s: these do"
        " not go together."
    )
)
def entries_are_of_their_kind() -> Rows:
    no_refund = Q(redemption__isnull=False, refund__isnull=True)
    no_redemption = Q(redemption__isnull=True, refund__isnull=False)
    neither = Q(redemption__isnull=True, refund__isnull=True)
    changed = Q(change__isnull=False)
    sound = (
        (neither & Q(kind=Kind.GRANT, credits__gt=0))
        | (neither & changed & Q(kind__in=WITHDRAWN, credits__lt=0))
        | (neither & changed & Q(kind=Kind.MOVE))
        | (no_refund & ~changed & Q(kind__in=TAKEN, credits__lt=0))
        | (no_refund & ~changed & Q(kind=Kind.RELEASE, credits__gt=0))
        | (no_redemption & ~changed & Q(kind=Kind.REFUND, credits__gt=0))
    )
    return LedgerEntry.objects.exclude(sound).values(
        "pk", "kind", "credits", "redemption_id", "refund_id", "change_id"
    )


@RULES.add(_("Entry %(pk)s is on grant %(grant_id)s, which is another code's."))
def entries_stay_on_their_code() -> Rows:
    redeemed = Q(redemption__isnull=False) & ~Q(grant__code=F("redemption__code"))
    refunded = Q(refund__isnull=False) & ~Q(grant__code=F("refund__redemption__code"))
    changed = Q(change__isnull=False) & ~Q(grant__code=F("change__code"))
    rows = LedgerEntry.objects.filter(redeemed | refunded | changed)
    return rows.values("pk", "grant_id")


@RULES.add(
    _(
        "Grant %(pk)s gave %(given)s credits to child codes, less what came back, but"
        " theirs say %(got)s."
    )
)
def movements_add_up() -> Rows:
    """What left a grant is on the grants of child codes that it went to."""
    entries = LedgerEntry.objects.filter(kind=Kind.MOVE)
    sources = CreditGrant.objects.filter(source__isnull=False).values("source")
    some = Q(pk__in=sources) | Q(pk__in=entries.values("grant"))
    rows = CreditGrant.objects.filter(some, source=None).annotate(
        given=0 - _sum(entries.filter(grant=OuterRef("pk")), "credits"),
        got=_sum(entries.filter(grant__source=OuterRef("pk")), "credits"),
    )
    return rows.exclude(given=F("got")).values("pk", "given", "got")


@RULES.add(
    _("Grant %(pk)s was moved from grant %(source_id)s, which is not of its parent.")
)
def parts_are_of_the_parent() -> Rows:
    moved = CreditGrant.objects.filter(source__isnull=False)
    own = Q(code__parent=F("source__code"), source__source=None)
    return moved.exclude(own).values("pk", "source_id")


@RULES.add(
    _("Change %(pk)s is of %(credits)s credits, but its entries moved %(moved)s.")
)
def changes_moved_their_credits() -> Rows:
    moved = Coalesce(Sum("entries__credits"), 0)
    rows = CodeChange.objects.values("pk", "credits").annotate(moved=moved)
    return rows.exclude(credits=F("moved"))


@RULES.add(
    _(
        "Redemption %(pk)s is “%(state)s” with order %(order_id)s: it must have an"
        " order if it is captured, and only then."
    )
)
def redemptions_are_captured_with_their_order() -> Rows:
    captured = Q(state=State.CAPTURED)
    broken = (captured & Q(order=None)) | (~captured & Q(order__isnull=False))
    return Redemption.objects.filter(broken).values("pk", "state", "order_id")


@RULES.add(_("Redemption %(pk)s holds %(credits)s credits for ever: it has no end."))
def holds_lapse() -> Rows:
    endless = Redemption.objects.filter(state=State.HELD, expires_at=None)
    return endless.values("pk", "credits")


@RULES.add(
    _("Redemption %(pk)s is of %(credits)s credits, but its entries took %(taken)s.")
)
def redemptions_took_their_credits() -> Rows:
    taken = Sum("entries__credits", filter=Q(entries__kind__in=TAKEN))
    rows = Redemption.objects.values("pk", "credits").annotate(
        taken=0 - Coalesce(taken, 0)
    )
    return rows.exclude(credits=F("taken"))


@RULES.add(
    _(
        "Redemption %(pk)s is “%(state)s” and of %(credits)s credits, but its entries"
        " released %(released)s."
    )
)
def redemptions_released_their_credits() -> Rows:
    released = Sum("entries__credits", filter=Q(entries__kind=Kind.RELEASE))
    rows = Redemption.objects.values("pk", "state", "credits").annotate(
        released=Coalesce(released, 0)
    )
    given_back = Q(state=State.RELEASED)
    broken = (given_back & ~Q(released=F("credits"))) | (~given_back & ~Q(released=0))
    return rows.filter(broken)


@RULES.add(
    _("Redemption %(pk)s is “%(state)s”, but entry %(entries__pk)s spent its credits.")
)
def redemptions_are_held_before_they_are_released() -> Rows:
    rows = Redemption.objects.filter(entries__kind=Kind.REDEEM)
    return rows.exclude(state=State.CAPTURED).values("pk", "state", "entries__pk")


@RULES.add(
    _("Redemption %(pk)s is of %(credits)s credits, but its lines add up to %(split)s.")
)
def redemptions_are_split_into_lines() -> Rows:
    split = Coalesce(Sum("lines__credits"), 0)
    rows = Redemption.objects.values("pk", "credits").annotate(split=split)
    return rows.exclude(credits=F("split"))


@RULES.add(
    _(
        "Entry %(pk)s took %(taken)s credits from grant %(grant_id)s, but the lines of"
        " redemption %(redemption_id)s say %(split)s."
    )
)
def lines_took_what_was_entered() -> Rows:
    lines = RedemptionLine.objects.filter(
        redemption=OuterRef("redemption"), grant=OuterRef("grant")
    )
    rows = LedgerEntry.objects.filter(kind__in=TAKEN).annotate(
        taken=0 - F("credits"), split=_sum(lines, "credits")
    )
    return rows.exclude(taken=F("split")).values(
        "pk", "grant_id", "redemption_id", "taken", "split"
    )


@RULES.add(
    _(
        "Redemption line %(pk)s pays for settled line %(settled_line_id)s, but"
        " redemption %(redemption_id)s is “%(redemption__state)s”."
    )
)
def lines_are_settled_when_captured() -> Rows:
    captured = Q(redemption__state=State.CAPTURED)
    broken = (captured & Q(settled_line=None)) | (
        ~captured & Q(settled_line__isnull=False)
    )
    return RedemptionLine.objects.filter(broken).values(
        "pk", "settled_line_id", "redemption_id", "redemption__state"
    )


@RULES.add(
    _(
        "Redemption line %(pk)s pays for %(quantity)s at %(unit_credits)s credits, and"
        " settled line %(settled_line_id)s is of another number or price."
    )
)
def lines_agree_with_what_they_settle() -> Rows:
    settled = Q(settled_line__isnull=False)
    alike = Q(
        unit_credits=F("settled_line__unit_credits"),
        quantity=F("settled_line__quantity"),
    )
    return RedemptionLine.objects.filter(settled & ~alike).values(
        "pk", "quantity", "unit_credits", "settled_line_id"
    )


@RULES.add(
    _(
        "Settled line %(pk)s, for order line %(order_line_id)s, costs %(due)s credits,"
        " but redemptions paid %(paid)s."
    )
)
def settled_lines_are_paid_in_full() -> Rows:
    rows = SettledLine.objects.values(
        "pk", "order_line_id", "unit_credits", "quantity"
    ).annotate(
        due=F("unit_credits") * F("quantity"),
        paid=Coalesce(Sum("redemption_lines__credits"), 0),
    )
    return rows.exclude(due=F("paid"))


@RULES.add(
    _("Refund %(pk)s is of %(credits)s credits, but its entries gave back %(given)s.")
)
def refunds_gave_back_their_credits() -> Rows:
    given = Coalesce(Sum("entries__credits"), 0)
    rows = Refund.objects.values("pk", "credits").annotate(given=given)
    return rows.exclude(credits=F("given"))


@RULES.add(
    _(
        "Refund %(pk)s is of redemption %(redemption_id)s, which is"
        " “%(redemption__state)s”."
    )
)
def refunds_are_of_captured_redemptions() -> Rows:
    rows = Refund.objects.exclude(redemption__state=State.CAPTURED)
    return rows.values("pk", "redemption_id", "redemption__state")


@RULES.add(
    _(
        "Redemption %(pk)s was refunded %(given)s credits, but its lines say"
        " %(refunded)s."
    )
)
def refunds_are_on_their_lines() -> Rows:
    refunds = Refund.objects.filter(redemption=OuterRef("pk"))
    lines = RedemptionLine.objects.filter(refunded__gt=0)
    # Of the many, those that were never refunded agree.
    some = Q(pk__in=Refund.objects.values("redemption")) | Q(
        pk__in=lines.values("redemption")
    )
    rows = (
        Redemption.objects.filter(some)
        .values("pk")
        .annotate(
            refunded=Coalesce(Sum("lines__refunded"), 0), given=_sum(refunds, "credits")
        )
    )
    return rows.exclude(refunded=F("given"))


@RULES.add(
    _(
        "Redemption line %(pk)s counts %(refunded)s credits as given back, but the"
        " lines of its refunds say %(given)s."
    )
)
def refunds_are_split_into_lines() -> Rows:
    given = Coalesce(Sum("refund_lines__credits"), 0)
    rows = RedemptionLine.objects.values("pk", "refunded").annotate(given=given)
    return rows.exclude(refunded=F("given"))


@RULES.add(
    _(
        "Refund line %(pk)s and its like gave %(given)s credits back to grant"
        " %(grant_id)s, but the entries say %(entered)s."
    )
)
def refunds_went_back_to_their_grants() -> Rows:
    alike = {"refund": OuterRef("refund"), "grant": OuterRef("grant")}
    rows = RefundLine.objects.annotate(
        given=_sum(RefundLine.objects.filter(**alike), "credits"),
        entered=_sum(LedgerEntry.objects.filter(**alike), "credits"),
    )
    return rows.exclude(given=F("entered")).values("pk", "grant_id", "given", "entered")


@RULES.add(_("Redemption line %(pk)s gave back %(refunded)s of %(credits)s credits."))
def refunds_are_within_what_was_paid() -> Rows:
    rows = RedemptionLine.objects.filter(refunded__gt=F("credits"))
    return rows.values("pk", "credits", "refunded")


@RULES.add(
    _(
        "Settled line %(pk)s, for order line %(order_line_id)s, counts %(due)s credits"
        " as refunded, but its redemptions gave back %(refunded)s."
    )
)
def refunds_are_of_whole_units() -> Rows:
    rows = SettledLine.objects.values(
        "pk", "order_line_id", "unit_credits", "refunded_quantity"
    ).annotate(
        due=F("unit_credits") * F("refunded_quantity"),
        refunded=Coalesce(Sum("redemption_lines__refunded"), 0),
    )
    return rows.exclude(due=F("refunded"))


@RULES.add(
    _(
        "Request %(pk)s is “%(state)s”, but the code that was cut for it is"
        " “%(child_id)s”: only one that is approved has a code."
    )
)
def requests_have_a_code_if_approved() -> Rows:
    approved = Q(state=CreditRequest.State.APPROVED)
    wrong = approved & Q(child=None) | ~approved & Q(child__isnull=False)
    return CreditRequest.objects.filter(wrong).values("pk", "state", "child_id")


@RULES.add(
    _(
        "Request %(pk)s was given %(credits)s credits, but %(moved)s were moved to its"
        " code %(child_id)s."
    )
)
def requests_were_given_their_credits() -> Rows:
    rows = CreditRequest.objects.filter(
        state=CreditRequest.State.APPROVED, child__isnull=False
    ).values("pk", "credits", "child_id")
    # What staff put on it later has no source.
    moved = Sum("child__grants__credits", filter=Q(child__grants__source__isnull=False))
    return rows.annotate(moved=Coalesce(moved, 0)).exclude(credits=F("moved"))


def _sum(rows: QuerySet[Any], column: str) -> Coalesce:
    """Return the sum over all rows that belong to one row of an outer query."""
    # Grouped by what is the same for all of them, or there would be a sum for each.
    total = rows.annotate(same=Value(0)).values("same")
    total = total.annotate(total=Sum(column)).values("total")
    return Coalesce(Subquery(total, output_field=IntegerField()), 0)


def _in_words(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: (
            date_format(timezone.localtime(value), "DATETIME_FORMAT")
            if isinstance(value, datetime)
            else value
        )
        for name, value in row.items()
    }
