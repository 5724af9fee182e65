"""What the page of a code shows: who did what with it, when, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ....credits import email_domain, wording
from ....credits.codes import finding
from ....credits.codes.finding import condition_of
from ....credits.codes.listing import key_in
from ....credits.ledger.balances import latest_entries
from ....credits.ledger.forecast import forecasts
from ....credits.models import (
    CodeChange,
    CreditCode,
    CreditGrant,
    LedgerEntry,
    Redemption,
    RedemptionLine,
)
from ....credits.terms import to_cents
from ....credits.wording import name_of
from .tables import badge

Kind, State = LedgerEntry.Kind, Redemption.State
MOST_ORDERS = 3
"""How many orders of one learner are named."""
MOST_COUNTED = 5_000
"""How many of the latest orders of a code are summed up on its page."""


def exported(codes: Any) -> Iterator[list[Any]]:
    """Return the rows of a file of codes, read with their condition; never a text."""
    yield [
        _("Label"),
        _("Last four characters"),
        _("Reference"),
        _("Holder"),
        _("State"),
        _("Credits left"),
        _("From"),
        _("Until"),
        _("Issued"),
        _("Test code"),
        _("Child of"),
    ]
    now = timezone.now()
    for code in codes.iterator(chunk_size=1_000):
        yield [
            code.label,
            code.last_four,
            code.reference,
            code.holder,
            condition_of(code, now).label,
            code.credits_left,
            code.starts_at,
            code.expires_at,
            code.created_at,
            _("Yes") if code.is_test else _("No"),
            str(code.parent) if code.parent else "",
        ]


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A grant, and whether what is left of it can still be spent."""

    grant: CreditGrant
    has_expired: bool
    paid_amount: Decimal | None = None
    """What it was sold for; of a moved part, its share of that, in cents."""
    paid_currency: str = ""


@dataclass(frozen=True, slots=True)
class ChildRow:
    """A child code with its state and its balance."""

    code: CreditCode
    badge: str
    balance: int
    moved: int
    """The credits that were moved to it, less what came back."""


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A movement, with who made it, why, and for which order."""

    pk: int
    at: datetime
    what: str
    credits: int
    balance: int
    who: str
    why: str
    order_number: str = ""
    """Of an order that is written; empty for a hold."""


@dataclass(frozen=True, slots=True)
class UseRow:
    """How much of a code went to one learner, or to one product."""

    name: str
    times: int
    credits: int
    refunded: int
    last: datetime | None = None
    order_numbers: tuple[str, ...] = ()

    @property
    def kept(self) -> int:
        return self.credits - self.refunded

    @property
    def has_more_orders(self) -> bool:
        return self.times > len(self.order_numbers)


@dataclass(frozen=True, slots=True)
class ChangeRow:
    change: CodeChange
    who: str
    details: list[tuple[str, str, str]]


def grant_row(grant: CreditGrant, at: datetime) -> GrantRow:
    has_expired = bool(grant.expires_at and grant.expires_at <= at)
    sold = grant.origin_grant
    amount = sold.paid_amount
    if amount is not None and grant.source:
        amount = to_cents(Fraction(amount) * grant.credits / sold.credits)
    return GrantRow(grant, has_expired, amount, sold.paid_currency)


def child_rows(code: CreditCode, at: datetime, most: int) -> Iterator[ChildRow]:
    """Return the child codes of a code, the latest first."""
    moves = Q(grants__entries__kind=Kind.MOVE)
    children = finding.with_condition(CreditCode.objects.filter(parent=code), at)
    moved = Coalesce(Sum("grants__entries__credits", filter=moves), 0)
    child: Any
    for child in children.annotate(moved=moved).order_by("-pk")[:most]:
        state = badge(finding.condition_of(child, at))
        yield ChildRow(child, state, child.credits_left, child.moved)


def facts_of(code: CreditCode) -> list[tuple[str, str]]:
    """Return what staff have set on a code, in words."""
    learners = [name_of(learner) for learner in code.learners.order_by("pk")[:20]]
    whom = [*learners, *code.groups.order_by("name").values_list("name", flat=True)]
    whom += email_domain.listed(code.email_domains)
    everybody = _("Nobody any more") if code.named_only else _("Everybody")
    limits = [
        (code.credits_per_learner, _("%(n)s credits per learner")),
        (code.redemptions_per_learner, _("%(n)s orders per learner")),
    ]
    how_much = [text % {"n": number} for number, text in limits if number]
    if code.one_order_only:
        how_much.append(_("one order only"))
    ends = wording.end_in_words(code.expires_at) if code.expires_at else _("No end")
    if code.ends_access:
        ends = _("%(end)s; access bought with it ends then, too") % {"end": ends}
    facts = [
        (_("Holder"), code.holder),
        (_("Managers"), ", ".join(map(_manager, _managers_of(code)))),
        (_("Reference"), code.reference),
        (_("From"), wording.end_in_words(code.starts_at) if code.starts_at else ""),
        (_("Until"), ends),
        (_("Only for"), str(code.content) if code.content else ""),
        (_("For whom"), ", ".join(whom) or everybody),
        (_("How much"), ", ".join(how_much)),
        (_("Outlook"), outlook_of(code)),
        (_("Test code"), _("For staff only; in no report") if code.is_test else ""),
        (_("Issued"), _issued(code)),
        (_("Notes"), code.notes),
    ]
    return [(name, text) for name, text in facts if text]


def _managers_of(code: CreditCode) -> Any:
    return code.managers.select_related("user").order_by("email")


def _manager(manager: Any) -> str:
    if manager.user is None:
        return _("%(address)s (invited)") % {"address": manager.email}
    return f"{name_of(manager.user)} ({manager.email})"


def _issued(code: CreditCode) -> str:
    day = wording.day_of(code.created_at)
    if not code.created_by:
        return day
    return _("%(day)s by %(who)s") % {"day": day, "who": name_of(code.created_by)}


def outlook_of(code: CreditCode) -> str:
    """Return how long the credits last, in words; nothing if there are none."""
    found = forecasts([code])[code.pk]
    if not found.balance:
        return ""
    parts = [_("Nothing was redeemed lately.")]
    if found.per_day:
        rate = _("%(credits)s credits a day were redeemed lately.")
        parts = [rate % {"credits": rate_text(found.per_day)}]
    if found.lasts_until and found.per_day:
        text = _("At that rate, nothing is left after %(day)s.")
        parts.append(text % {"day": wording.last_day(found.lasts_until)})
    if found.unused:
        text = ngettext(
            "%(n)s credit will expire unused.",
            "%(n)s credits will expire unused.",
            found.unused,
        )
        parts.append(text % {"n": found.unused})
    return " ".join(parts)


def rate_text(per_day: Fraction) -> str:
    """Return credits a day with one decimal, and no 0 for what is more."""
    return number_format(max(round(float(per_day), 1), 0.1 if per_day else 0), 1)


def entries_of(
    grants: Iterable[CreditGrant], before: int | None = None, *, most: int
) -> QuerySet[LedgerEntry]:
    """Return the latest movements on these grants, or before one, `most` at most."""
    keys = latest_entries(grants, before=before, most=most)
    rows = LedgerEntry.objects.filter(pk__in=keys).order_by("-pk")
    return rows.select_related(
        "grant__created_by",
        "change__changed_by",
        "redemption__learner",
        "refund__created_by",
        "refund__redemption",
    )


def entry_row(entry: LedgerEntry) -> EntryRow:
    """Return one movement in words."""
    redemption = entry.redemption or (entry.refund and entry.refund.redemption)
    return EntryRow(
        pk=entry.pk,
        at=entry.created_at,
        what=what_of(entry),
        credits=entry.credits,
        balance=entry.balance,
        who=name_of(_actor(entry)),
        why=_why(entry),
        order_number=redemption.order_number
        if redemption and redemption.state == State.CAPTURED
        else "",
    )


def what_of(entry: LedgerEntry) -> str:
    """Return what a movement has become: a hold that was captured is a purchase."""
    if entry.kind == Kind.REFUND:
        return _("Given back")
    redemption = entry.redemption
    if entry.kind != Kind.HOLD or redemption is None:
        return str(Kind(entry.kind).label)
    if redemption.state == State.CAPTURED:
        return _("Redeemed, held before")
    if redemption.state == State.RELEASED:
        return _("Held, then released")
    return str(Kind.HOLD.label)


def _actor(entry: LedgerEntry) -> Any:
    if entry.change:
        return entry.change.changed_by
    if entry.refund:
        return entry.refund.created_by
    return entry.redemption.learner if entry.redemption else entry.grant.created_by


def _why(entry: LedgerEntry) -> str:
    if entry.change:
        reason = str(entry.change.get_reason_display() if entry.change.reason else "")
        parts = [reason, entry.change.note or entry.grant.note]
    elif entry.kind == Kind.GRANT:
        parts = [str(entry.grant.get_origin_display()), entry.grant.note]
    else:
        parts = []
    return ": ".join(filter(None, parts))


def holds_of(code: CreditCode) -> QuerySet[Redemption]:
    """Return what is held while other money is paid, the latest first."""
    held = Redemption.objects.held().filter(code=code)
    return held.select_related("learner").order_by("-pk")


def counted_orders(code: CreditCode) -> list[int]:
    """Return the keys of a code's latest orders, which are summed up: all, or the most.

    To sum up a hundred thousand would take longer than all the rest of the page.
    """
    captured = Redemption.objects.filter(code=code, state=State.CAPTURED)
    keys = captured.order_by("-pk").values_list("pk", flat=True)
    return list(keys[:MOST_COUNTED])


def used_by_learners(orders: Sequence[int]) -> QuerySet[Any, Any]:
    """Return the credits that each learner has taken, most first."""
    captured = Redemption.objects.filter(key_in("pk", orders))
    return (
        captured.values("learner")
        .annotate(times=Count("pk"), total=Sum("credits"), last=Max("created_at"))
        .order_by("-total", "learner")
    )


def learner_rows(code: CreditCode, orders: Sequence[int], most: int) -> list[UseRow]:
    """Return who placed these orders: one row for each, those with most first."""
    found = list(used_by_learners(orders)[:most])
    ids = [row["learner"] for row in found if row["learner"]]
    people = get_user_model()._default_manager.in_bulk(ids)
    numbers = _orders_of(code, ids)
    lines = RedemptionLine.objects.filter(key_in("redemption", orders), refunded__gt=0)
    back = dict(
        lines.order_by()
        .values_list("redemption__learner")
        .annotate(total=Sum("refunded"))
    )
    return [
        UseRow(
            name=name_of(people.get(row["learner"])) or _("Deleted account"),
            times=row["times"],
            credits=row["total"],
            refunded=back.get(row["learner"], 0),
            last=row["last"],
            order_numbers=tuple(numbers[row["learner"]][:MOST_ORDERS]),
        )
        for row in found
    ]


def used_for_products(orders: Sequence[int]) -> QuerySet[Any, Any]:
    """Return the credits that each product has taken, most first."""
    lines = RedemptionLine.objects.filter(
        key_in("redemption", orders), settled_line__isnull=False
    )
    title = "settled_line__order_line__title"
    return (
        lines.values(title)
        .annotate(
            times=Count("settled_line", distinct=True),
            total=Sum("credits"),
            back=Sum("refunded"),
        )
        .order_by("-total", title)
    )


def product_rows(orders: Sequence[int], most: int) -> list[UseRow]:
    return [
        UseRow(
            name=row["settled_line__order_line__title"],
            times=row["times"],
            credits=row["total"],
            refunded=row["back"],
        )
        for row in used_for_products(orders)[:most]
    ]


def _orders_of(code: CreditCode, learners: list[Any]) -> dict[Any, list[str]]:
    """Return the numbers of the latest orders with a code by their learner."""
    captured = Redemption.objects.filter(
        code=code, learner__in=learners, state=State.CAPTURED
    ).order_by("-pk")
    orders: dict[Any, list[str]] = defaultdict(list)
    pairs = captured.values_list("learner", "order_number")
    for learner, number in pairs[: MOST_ORDERS * max(len(learners), 1) * 2]:
        orders[learner].append(number)
    return orders


def change_rows(code: CreditCode, most: int) -> Iterator[ChangeRow]:
    """Return what staff did to a code, the latest first."""
    rows = code.changes.select_related("changed_by").order_by("-pk")[:most]
    for change in rows:
        details = [
            (_name_of_field(name), _in_words(before), _in_words(after))
            for name, before, after in change.details
        ]
        yield ChangeRow(change, name_of(change.changed_by), details)


def _name_of_field(name: str) -> str:
    own = {
        "grant": _("credits left"),
        "access": _("accesses and places extended"),
        "mailed_to": _("to"),
        "month": _("for"),
        "managers": _("managers"),
        "notices": _("notices"),
        "child": _("child code"),
        "parent": _("parent"),
    }
    if name in own:
        return own[name]
    return str(CreditCode._meta.get_field(name).verbose_name)  # type: ignore[union-attr]


def _in_words(text: str) -> str:
    if text in ("True", "False"):
        return _("Yes") if text == "True" else _("No")
    try:
        moment = parse_datetime(text) if "T" in text else None
    except ValueError:
        moment = None
    return wording.end_in_words(moment) if moment else text or "-"
