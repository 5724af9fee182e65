"""Credits of an order given back, and what staff see of it in the order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from oscar.core.loading import get_model

from ...aliases import Order
from ...conf import settings
from ...credits import wording
from ...credits.isolation import own_transaction
from ...credits.ledger import refunding
from ...credits.ledger.refunding import Outcome, RefundReason, RefundRefusal
from ...credits.ledger.stranding import Stranding, stranding_of
from ...credits.models import DueAccess, Redemption, Refund, RefundLine
from ..partner.stock import free_seats
from ..payment import sources as payment_sources
from ..payment.sources import source_reference
from . import mails

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

TIMES = "\N{MULTIPLICATION SIGN}"


@own_transaction()
def refund_lines(
    lines: Iterable[tuple[Any, int]],
    *,
    idempotency_key: str,
    by: AbstractBaseUser | None = None,
) -> Outcome:
    """Give the credits for so many units of each order line back, once for each key.

    The lines are of one order, which gets a note. Credits go back to the grants that
    they came from; what has expired, by the site's policy, to a new grant on the same
    code. Asking again with the same key and lines returns the first refunds. What is
    done by somebody, `by`, the customer is told by mail.

    Raises:
        RefundRefused: a line was not paid in credits, has fewer units left, or its
            credits have expired; nothing was given back.
        IdempotencyKeyReused: the key stands for another refund of the order.
        ValueError: a quantity is not positive, the lines are of several orders, or
            `idempotency_key` is empty or too long.
    """
    lines = list(lines)
    outcome = refunding.refund_lines(lines, idempotency_key=idempotency_key, by=by)
    order_lines = [line for line, _quantity in lines]
    free_seats(order_lines, _units_gone(outcome), by=by)
    _record(order_lines, outcome, by)
    if by:
        mails.given_back(order_lines[0].order, outcome)
    return outcome


@own_transaction()
def refund_order(
    order: Order, *, idempotency_key: str, by: AbstractBaseUser | None = None
) -> Outcome:
    """Give all credits back that are left of an order, once per `idempotency_key`.

    What is refused is left out, and said in the order's note. What is done by somebody,
    `by`, the customer is told by mail.

    Raises:
        IdempotencyKeyReused: the key stands for another refund of the order.
        ValueError: `idempotency_key` is empty or too long.
    """
    lines = list(order.lines.all())
    outcome = refunding.refund_rest(lines, idempotency_key=idempotency_key, by=by)
    free_seats(lines, _units_gone(outcome), by=by)
    _record(lines, outcome, by)
    if by:
        mails.given_back(order, outcome)
    return outcome


@own_transaction()
def cancel_lines(
    order_lines: Iterable[Any],
    *,
    idempotency_key: str,
    by: AbstractBaseUser | None = None,
) -> Outcome:
    """Give all credits back that are left of these lines of one order, and end access.

    Access that was bought with money ends too, if the site ends access at all. The
    money is Oscar's business. No mail is sent: a change of status sends it.

    Raises:
        IdempotencyKeyReused: the key stands for another refund of the order.
        ValueError: `idempotency_key` is empty or too long.
    """
    lines = list(order_lines)
    with_money = [line for line in lines if not hasattr(line, "settled_line")]
    outcome = refunding.refund_rest(
        lines,
        idempotency_key=idempotency_key,
        by=by,
        cancelled=with_money,
        unpaid=lines,
    )
    gone = _units_gone(outcome)
    if settings.REFUND_ENDS_ACCESS:
        gone |= {line.pk: line.quantity for line in with_money if _is_training(line)}
    dropped = [line for line in with_money if line.pk in outcome.dropped]
    gone |= {line.pk: line.quantity for line in dropped}
    free_seats(lines, gone, by=by)
    _record(lines, outcome, by)
    return outcome


def refusal_text(refusal: RefundRefusal, title: str) -> str:
    """Return what staff are told, in the active language."""
    match refusal.obstacle:
        case RefundReason.NOT_IN_CREDITS:
            text = _("%(title)s was not paid in credits.")
        case RefundReason.TOO_MANY if refusal.left:
            text = _("%(title)s: only %(left)s can still be given back.")
        case RefundReason.TOO_MANY:
            text = _("%(title)s has been given back already.")
        case RefundReason.LAPSED:
            text = _(
                "%(title)s: its credits expired on %(moment)s, and expired credits"
                " are not given back."
            )
    return text % {
        "title": title,
        "left": refusal.left,
        "moment": wording.day_of(refusal.moment) if refusal.moment else "",
    }


def stranding_text(stranding: Stranding | None) -> str:
    """Return what staff are told of credits that nobody can spend; empty for others."""
    match stranding:
        case Stranding.DISABLED:
            return _(
                "Nobody can spend them there, as the code is disabled. Make it active"
                " again, or issue a new code."
            )
        case Stranding.CLOSED:
            return _(
                "The code is closed: nobody can spend them. To let somebody spend"
                " them, issue a new code."
            )
        case Stranding.FOR_NOBODY:
            return _(
                "Nobody can spend them there, as all those the code was for have been"
                " deleted. Name others for it, or issue a new code."
            )
        case Stranding.ONE_ORDER:
            return _(
                "Nobody can spend them there: the code is for one order only, and an"
                " order keeps some of its credits. Allow it more orders, or issue a"
                " new code."
            )
        case None:
            return ""


def source_label(redemption: Redemption) -> str:
    """Return the label of the payment source of a redemption that gave credits back."""
    back = redemption.refunds.aggregate(total=Sum("credits"))["total"] or 0
    return payment_sources.source_label(redemption, back=back)


def result_texts(outcome: Outcome, lines: Iterable[Any]) -> list[str]:
    """Return what was done, sentence by sentence, for a note or a message."""
    titles = {line.pk: line.title for line in lines}
    texts = [_refund_text(refund) for refund in outcome.refunds]
    if ended := [titles[pk] for pk in outcome.ended]:
        texts.append(_("Access has ended: %(titles)s.") % {"titles": ", ".join(ended)})
    if dropped := [titles[pk] for pk in outcome.dropped]:
        text = _("It was not paid yet, and will not open: %(titles)s.")
        texts.append(text % {"titles": ", ".join(dropped)})
    for pk, number in outcome.places:
        text = ngettext(
            "%(number)s place of %(title)s was taken back.",
            "%(number)s places of %(title)s were taken back.",
            number,
        )
        texts.append(text % {"number": number, "title": titles[pk]})
    if outcome.refusals:
        texts.append(_("Not given back:"))
    for refusal in outcome.refusals:
        texts.append(refusal_text(refusal, titles[refusal.order_line_id]))
    return texts


def _units_gone(outcome: Outcome) -> dict[int, int]:
    """Return how many units of order lines nobody uses any more, by primary key.

    Where a site leaves access to those whose credits it gives back, these are the
    places that nobody had claimed, and what had not opened yet.
    """
    if outcome.is_repeated:
        return dict(outcome.places)
    rows = RefundLine.objects.filter(refund__in=outcome.refunds)
    line = "redemption_line__settled_line__order_line"
    units = dict(rows.values_list(line, "quantity"))
    if settings.REFUND_ENDS_ACCESS:
        return units
    waiting = DueAccess.objects.filter(order_line__in=units)
    unopened = {*outcome.dropped, *waiting.values_list("order_line", flat=True)}
    return dict(outcome.places) | {pk: units[pk] for pk in unopened & units.keys()}


def _is_training(order_line: Any) -> bool:
    has_places = order_line.training_places.exists()
    return has_places or hasattr(order_line, "training_access")


def _record(lines: list[Any], outcome: Outcome, by: AbstractBaseUser | None) -> None:
    """Let the order say what was given back: in its sources, and in a note."""
    texts = result_texts(outcome, lines)
    if outcome.is_repeated or not texts:
        return
    Source = get_model("payment", "Source")
    for refund in outcome.refunds:
        reference = source_reference(refund.redemption)
        sources = Source._default_manager.filter(
            order_id=refund.redemption.order_id, reference=reference
        )
        sources.update(label=source_label(refund.redemption))
    add_note(lines[0].order, "\n".join(texts), by=by)


def add_note(order: Order, text: str, *, by: AbstractBaseUser | None = None) -> None:
    Note = get_model("order", "OrderNote")
    order.notes.create(user=by, message=text, note_type=Note.SYSTEM)


def _refund_text(refund: Refund) -> str:
    code = refund.redemption.code
    rows = RefundLine.objects.filter(refund=refund).select_related(
        "grant", "redemption_line__settled_line__order_line"
    )
    units = {
        row.redemption_line.settled_line.order_line: row.quantity  # type: ignore[union-attr]
        for row in rows.order_by("pk")
    }
    text = _("%(credits)s given back to %(label)s, code ending %(ending)s (%(lines)s).")
    said = text % {
        "credits": wording.in_words(refund.credits),
        "label": _("%(label)s (test)") % {"label": code.label}
        if code.is_test
        else code.label,
        "ending": code.last_four,
        "lines": ", ".join(f"{line.title} {TIMES} {n}" for line, n in units.items()),
    }
    if stranded := stranding_text(stranding_of(code)):
        said = f"{said} {stranded}"
    renewed = [row for row in rows if row.grant_id != row.redemption_line.grant_id]
    if not renewed:
        return said
    until = _("%(credits)s had expired and can be spent until %(moment)s.") % {
        "credits": wording.in_words(sum(row.credits for row in renewed)),
        # A renewed grant has an end: its grace.
        "moment": wording.day_of(renewed[0].grant.expires_at),  # type: ignore[arg-type]
    }
    return f"{said} {until}"
