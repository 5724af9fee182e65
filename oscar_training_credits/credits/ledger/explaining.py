"""Why a learner can or can't use a code for some training: rule by rule, for staff.

Every answer comes from what answers the learner: the site's rules, the quote, and what
a purchase would add to their access.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from .. import wording
from ..access import buying_again, status
from ..codes import rules
from ..codes.refusals import Reason, Refusal, public_text
from ..models import CreditCode
from .quoting import Item, Quote, Take, quote

if TYPE_CHECKING:
    from ..access.status import Learner
    from ..models import TrainingProduct


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rule says."""

    question: str
    refusal: str = ""
    """Why not, for staff; empty if the rule lets it pass."""
    told: str = ""
    """What the learner reads instead."""

    @property
    def passes(self) -> bool:
        return not self.refusal


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that decides about one purchase with one code, at one moment."""

    code: CreditCode
    training: TrainingProduct
    learner: Learner
    answers: tuple[Answer, ...]
    quote: Quote

    @property
    def takes(self) -> tuple[Take, ...]:
        """What would be taken from which grant; empty if the code can't pay."""
        return self.quote.takes

    @property
    def passes(self) -> bool:
        return all(answer.passes for answer in self.answers)


def explain(
    code: CreditCode,
    *,
    training: TrainingProduct,
    learner: Learner,
    at: datetime | None = None,
) -> Explanation:
    """Return what every rule says of buying one `training` with `code` alone.

    Reads, and locks nothing: the purchase itself asks again under its locks. What the
    shop says of the product (stock, who may open its page) is not among the answers.
    """
    at = at or timezone.now()
    codes = CreditCode.objects.with_audience(learner).prefetch_related("grants__code")
    code = codes.get(pk=code.pk)
    user: Any = learner if learner.is_authenticated else None
    products = frozenset({training.product_id})
    purchase = rules.Purchase(user, products, at)
    answers = [
        _said(_question(rule), refusal)
        for rule, refusal in rules.answers(code, purchase)
    ]
    item = Item(
        key=0,
        product_id=training.product_id,
        unit_credits=training.credits or 0,
        quantity=1,
        credit_only=training.credit_only,
    )
    settled = quote([item] if training.takes_credits else [], [code], purchase)
    answers.append(_enough(training, settled))
    answers += _of_access(training, learner, code, settled)
    return Explanation(code, training, learner, tuple(answers), settled)


def _said(question: str, refusal: Refusal | None) -> Answer:
    if refusal is None:
        return Answer(question)
    told = public_text(refusal)
    for_staff = _secret_text(refusal)
    return Answer(question, for_staff or told, told if for_staff else "")


def _secret_text(refusal: Refusal) -> str:
    """Return what staff may know and the learner may not; empty for the rest."""
    match refusal.reason:
        case Reason.DISABLED:
            return _("The code is not active.")
        case Reason.TEST_CODE:
            return _("It is a test code, which works for staff only.")
        case Reason.NOT_LOGGED_IN:
            return _("It is for certain learners, and this visitor has not logged in.")
        case Reason.NOT_FOR_YOU:
            return _(
                "It is for others: this learner, their groups and the domain of"
                " their e-mail address are not named in it."
            )
        case _:
            return ""


def _question(rule: rules.Rule) -> str:
    """Return what a rule asks: as it says itself, or else made of its name."""
    if label := getattr(rule, "label", ""):
        return str(label)
    known: dict[rules.Rule, str] = {
        rules.enabled: _("The code is active"),
        rules.for_learner: _("It is for this learner"),
        rules.started: _("It can be used already"),
        rules.unexpired: _("It has not expired"),
        rules.funded: _("It has credits that have not expired"),
        rules.opens_content: _("It may pay for this"),
        rules.within_one_order: _("It has an order left, if it is for one alone"),
        rules.within_orders: _("The learner has an order left"),
        rules.within_credits: _("The learner has credits of their share left"),
    }
    name = getattr(rule, "__name__", type(rule).__name__)
    return known.get(rule) or capfirst(name.replace("_", " "))


def _enough(training: TrainingProduct, settled: Quote) -> Answer:
    if not training.takes_credits:
        return Answer(_("It is sold for credits"), _("It is sold for money alone."))
    price = wording.in_words(training.credits or 0)
    question = _("The code has enough: this costs %(credits)s") % {"credits": price}
    if settled.covered:
        return Answer(question)
    shortage = settled.shortage()
    text = (
        public_text(shortage)
        if shortage
        else _("It pays for nothing while a rule above refuses it.")
    )
    return Answer(question, text)


def _of_access(
    training: TrainingProduct,
    learner: Learner,
    code: CreditCode,
    settled: Quote,
) -> list[Answer]:
    has_ended = buying_again.unavailable_reason(training)
    found = buying_again.prospect_of(
        training,
        learner,
        access_status=status.access_status(learner, training),
        until=code.expires_at if code.ends_access and settled.covered else None,
    )
    idle = found.waiting or buying_again.nothing_gained()
    if found.gain or has_ended:
        idle = ""
    again = _("It may be bought now, and again")
    if has_ended:
        may_buy = Answer(again, has_ended)
    else:
        may_buy = _told(again, found.refusal, _("They bought it before."))
    gains = _("It adds to the learner's access")
    has_it = _("They have it for as long, or have ordered it.")
    return [may_buy, _told(gains, idle, has_it)]


def _told(question: str, told: str, for_staff: str) -> Answer:
    """Return an answer whose text for the learner, empty if it passes, says “you”."""
    return Answer(question, for_staff, told) if told else Answer(question)
