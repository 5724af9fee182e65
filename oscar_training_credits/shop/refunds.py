"""Credits of an order given back, and what staff see of it in the order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from oscar.core.loading import get_model

from ..credits import refunding, wording
from ..credits.models import Redemption, Refund, RefundLine
from ..credits.refunding import Obstacle, Outcome, RefundRefusal
from .orders import source_reference

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

LABEL_LENGTH = 128
TIMES = "\N{MULTIPLICATION SIGN}"


@transaction.atomic
def refund_lines(
    lines: Iterable[tuple[Any, int]],
    *,
    cause: str,
    by: AbstractBaseUser | None = None,
) -> Outcome:
    """Give the credits for so many units of each order line back, once per `cause`.

    The lines are of one order, which gets a note. Credits go back to the grants that
    they came from; what has expired, by the site's policy, to a new grant on the same
    code. Asking again with the same cause and lines returns the first refunds.

    Raises:
        RefundRefused: a line was not paid in credits, has fewer units left, or its
            credits have expired; nothing was given back.
        CauseReused: the cause stands for another refund of the order.
        ValueError: a quantity is not positive, the lines are of several orders, or
            `cause` is empty or too long.
    """
    lines = list(lines)
    outcome = refunding.refund_lines(lines, cause=cause, by=by)
    _record([line for line, _quantity in lines], outcome, by)
    return outcome


@transaction.atomic
def refund_order(
    order: Any, *, cause: str, by: AbstractBaseUser | None = None
) -> Outcome:
    """Give all credits back that are left of an order, once per `cause`.

    What is refused is left out, and said in the order's note.

    Raises:
        CauseReused: the cause stands for another refund of the order.
        ValueError: `cause` is empty or too long.
    """
    lines = list(order.lines.all())
    outcome = refunding.refund_rest(lines, cause=cause, by=by)
    _record(lines, outcome, by)
    return outcome


@transaction.atomic
def cancel_lines(
    order_lines: Iterable[Any], *, cause: str, by: AbstractBaseUser | None = None
) -> Outcome:
    """Give all credits back that are left of these lines of one order, and end access.

    Access that was bought with money ends too, if the site ends access at all. The
    money is Oscar's business.

    Raises:
        CauseReused: the cause stands for another refund of the order.
        ValueError: `cause` is empty or too long.
    """
    lines = list(order_lines)
    with_money = [line for line in lines if not hasattr(line, "settled_line")]
    outcome = refunding.refund_rest(lines, cause=cause, by=by, cancelled=with_money)
    _record(lines, outcome, by)
    return outcome


def refusal_text(refusal: RefundRefusal, title: str) -> str:
    """Return what staff are told, in the active language."""
    match refusal.obstacle:
        case Obstacle.NOT_IN_CREDITS:
            text = _("%(title)s was not paid in credits.")
        case Obstacle.TOO_MANY if refusal.left:
            text = _("%(title)s: only %(left)s can still be given back.")
        case Obstacle.TOO_MANY:
            text = _("%(title)s has been given back already.")
        case Obstacle.LAPSED:
            text = _(
                "%(title)s: its credits expired on %(moment)s, and expired credits"
                " are not given back."
            )
    return text % {
        "title": title,
        "left": refusal.left,
        "moment": wording.day_of(refusal.moment) if refusal.moment else "",
    }


def source_label(redemption: Redemption) -> str:
    """Return the label of the payment source that stands for `redemption`."""
    back = redemption.refunds.aggregate(total=Sum("credits"))["total"] or 0
    label = _("%(credits)s, %(back)s given back, code ending %(ending)s") % {
        "credits": wording.in_words(redemption.credits),
        "back": back,
        "ending": redemption.code.ending,
    }
    return label[:LABEL_LENGTH]


def result_texts(outcome: Outcome, lines: Iterable[Any]) -> list[str]:
    """Return what was done, sentence by sentence, for a note or a message."""
    titles = {line.pk: line.title for line in lines}
    texts = [_refund_text(refund) for refund in outcome.refunds]
    if ended := [titles[pk] for pk in outcome.ended]:
        texts.append(_("Access has ended: %(titles)s.") % {"titles": ", ".join(ended)})
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


def add_note(order: Any, text: str, *, by: AbstractBaseUser | None = None) -> None:
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
        "label": code.label,
        "ending": code.ending,
        "lines": ", ".join(f"{line.title} {TIMES} {n}" for line, n in units.items()),
    }
    renewed = [row for row in rows if row.grant_id != row.redemption_line.grant_id]
    if not renewed:
        return said
    until = _("%(credits)s had expired and can be spent until %(moment)s.") % {
        "credits": wording.in_words(sum(row.credits for row in renewed)),
        # A renewed grant has an end: its grace.
        "moment": wording.day_of(renewed[0].grant.expires_at),  # type: ignore[arg-type]
    }
    return f"{said} {until}"
