"""Credits that were bought: put on a code when paid, taken back when cancelled.

A sale is granted once, however often it is asked for and from wherever: its row is
locked, and the change it makes has a key of its own. Lock order: sales by primary key,
then the code and its grants.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from ...aliases import Order
from ..access import opening
from ..codes import history, issuing, managing
from ..isolation import own_transaction
from ..locking import for_update
from ..models import CodeChange, CreditCode, CreditGrant, LedgerEntry, PackSale
from ..terms import Paid, end_of
from ..wording import name_of
from . import entries
from .redemption import lock_without_lapsed

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    from ..codes.issuing import IssuedCode


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What became of one sale when its order was cancelled, in whole credits."""

    sale: PackSale
    credits: int
    """Taken back: what was still on the grant. 0 for what had not been granted."""

    @property
    def kept(self) -> int:
        """Granted and not taken back: it is spent, held, or on a child code."""
        return self.sale.total - self.credits if self.sale.grant_id else 0


@own_transaction()
def issue_due(order: Order) -> list[PackSale]:
    """Put on codes what an order that is paid has bought; return these sales.

    Each sale is granted once, however often and from wherever this is called, and
    never after it was taken back.
    """
    due = PackSale.objects.filter(
        order_line__order=order, grant=None, taken_back=None
    ).order_by("pk")
    sales = list(for_update(due))
    for sale in sorted(sales, key=lambda sale: (sale.top_up_id or 0, sale.pk)):
        _issue(sale, order)
    return sales


def issue_paid() -> list[PackSale]:
    """Grant all that is due although its order is paid; return these sales.

    For statuses that were set by an UPDATE, which nobody hears of. Safe to run at any
    time.
    """
    waiting = paid_but_waiting().select_related("order_line__order").order_by("pk")
    orders = {sale.order_line.order_id: sale.order_line.order for sale in waiting}
    return [sale for order in orders.values() for sale in issue_due(order)]


def paid_but_waiting() -> QuerySet[PackSale]:
    """Return sales that are not granted although they would be if ordered now."""
    return opening.of_paid_orders(PackSale.objects.filter(grant=None, taken_back=None))


@own_transaction()
def take_back(
    order_lines: Iterable[Any], *, by: AbstractBaseUser | None = None
) -> list[TakenBack]:
    """Take back what is unspent of the credits that these order lines bought.

    What is spent or held stays. What was not granted yet never will be. Each sale is
    taken back once: of one that was, nothing is returned.
    """
    sales = PackSale.objects.filter(
        order_line__in=[line.pk for line in order_lines], taken_back=None
    ).order_by("pk")
    locked = list(for_update(sales))
    return [TakenBack(sale, _take_back(sale, by)) for sale in locked]


@sensitive_variables()
def show_text(code: CreditCode, *, by: AbstractBaseUser) -> IssuedCode | None:
    """Give a code that was bought the text that its buyer sees; None if they have.

    The text with which it was issued is known to nobody: there is nothing to keep
    until its buyer looks. Only the buyer is to be let in here.
    """
    # No decorator: its frame would show the text in an error report.
    with own_transaction():
        sales = waiting_for(by).filter(grant__code=code).order_by("pk")
        if not (sale := for_update(sales).first()):
            return None
        issued = issuing.rotate_code(code, by=by, note=_("First shown to its buyer"))
        sale.text_shown_at = timezone.now()
        sale.save(update_fields=["text_shown_at"])
    return issued


def text_is_known(code: CreditCode) -> None:
    """Note that somebody has been shown a text of a code that was bought."""
    PackSale.objects.filter(grant__code=code, text_shown_at=None).update(
        text_shown_at=timezone.now()
    )


def waiting_for(buyer: Any) -> QuerySet[PackSale]:
    """Return sales to `buyer` of which nobody has seen the code's text yet."""
    on_new_code = Q(top_up=None) | ~Q(grant__code=F("top_up"))
    return PackSale.objects.filter(
        on_new_code, buyer=buyer, grant__isnull=False, text_shown_at=None
    ).exclude(grant__code__state=CreditCode.State.CLOSED)


def _issue(sale: PackSale, order: Order) -> None:
    terms: dict[str, Any] = {
        "note": _("Order %(number)s") % {"number": order.number},
        "paid": Paid(sale.paid_amount, sale.paid_currency),
        "idempotency_key": f"pack:{sale.order_line_id}",
    }
    expires_at = _end(sale)
    top_up = history.lock(sale.top_up) if sale.top_up else None
    if top_up and top_up.state != CreditCode.State.CLOSED:
        sale.grant = issuing.add_grant(
            top_up, sale.total, expires_at=expires_at, by=sale.buyer, **terms
        )
    else:
        sale.grant = _on_new_code(sale, order, expires_at, terms)
    sale.save(update_fields=["grant"])


def _on_new_code(
    sale: PackSale, order: Order, expires_at: datetime | None, terms: dict[str, Any]
) -> CreditGrant:
    issued = issuing.issue_code(
        label=_label(sale.buyer, order),
        credits=sale.total,
        content=sale.content,
        reference=str(order.number),
        grant_expires_at=expires_at,
        by=sale.buyer,
        **terms,
    )
    if sale.buyer:
        managing.add_manager(issued.code, sale.buyer)
    return issued.code.grants.get()


def _label(buyer: Any, order: Order) -> str:
    text = _("Credits of %(name)s") % {"name": name_of(buyer) or order.number}
    longest = CreditCode._meta.get_field("label").max_length
    return text[:longest]


def _end(sale: PackSale) -> datetime | None:
    if sale.days is None:
        return None
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    return end_of(today + timedelta(days=sale.days))


def _take_back(sale: PackSale, by: AbstractBaseUser | None) -> int:
    """Return how many credits were taken back."""
    sale.taken_back = _withdraw(sale.grant, by) if sale.grant else 0
    sale.save(update_fields=["taken_back"])
    return sale.taken_back


def _withdraw(grant: CreditGrant, by: AbstractBaseUser | None) -> int:
    code = lock_without_lapsed(grant.code)
    [now] = [each for each in code.grants.all() if each.pk == grant.pk]
    if not (left := now.remaining):
        return 0
    change = history.keep(
        code,
        CodeChange.Kind.ADJUSTED,
        {"by": by, "reason": CodeChange.Reason.CANCELLED, "note": grant.note},
        credits=-left,
    )
    kind = LedgerEntry.Kind.ADJUST
    entries.withdraw_credits(now, left, change=change, kind=kind)
    return left
