"""On what terms something is sold as training, and which terms make sense."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypedDict

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..aliases import Product

if TYPE_CHECKING:
    from .models import TrainingProduct

MOST_CREDITS = 1_000_000
"""The highest price."""
MOST_GRANTED = 1_000_000_000
"""The most credits in one grant."""
LONGEST_ACCESS = 36_500
LONGEST_CURRENCY = 12


@dataclass(frozen=True, slots=True)
class Paid:
    """The money that a customer pays for a grant, without tax.

    Raises:
        ValueError: the amount is negative, has more than two decimals or more than ten
            digits before them, or there is no currency.
    """

    amount: Decimal
    currency: str
    """As Oscar names it, such as “GBP”."""

    def __post_init__(self) -> None:
        cents = self.amount * 100
        if not (self.amount.is_finite() and 0 <= cents < 10**12 and cents % 1 == 0):
            raise ValueError("Credits are sold for an amount with two decimals.")
        if not 1 <= len(self.currency) <= LONGEST_CURRENCY:
            raise ValueError("Money has a currency.")


def paid_columns(paid: Paid | None) -> dict[str, Any]:
    """Return the columns of a grant that say what was paid for it."""
    return {
        "paid_amount": paid.amount if paid else None,
        "paid_currency": paid.currency if paid else "",
    }


def to_cents(amount: Fraction | int) -> Decimal:
    """Return an amount with two decimals, half a cent to the even one."""
    return Decimal(round(amount * 100)).scaleb(-2)


class ProductKind(models.TextChoices):
    """What buying it opens."""

    COURSE = "course", gettext_lazy("Course")
    PATH = "path", gettext_lazy("Path")
    PLAN = "plan", gettext_lazy("Plan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a training product costs in credits, what it opens, and for how long."""

    credits: int | None = None
    """Whole credits; None if it takes none."""
    credit_only: bool = False
    kind: str = ProductKind.COURSE
    access_days: int | None = None
    """Days of 24 hours; None for no such end."""
    access_from: date | None = None
    """The first day of access, in the site's time zone."""
    access_until: date | None = None
    """The last day of access, in the site's time zone."""
    plan_content: Any = None
    """The range of the shop that a plan opens."""
    path_courses: tuple[TrainingProduct, ...] = ()
    """The courses that a path opens, in order."""

    def plain(self) -> dict[str, Any]:
        """Return the terms that are columns of the training product."""
        return {name: getattr(self, name) for name in PLAIN}

    def changes_since(self, old: Terms) -> list[tuple[str, str, str]]:
        """Return what differs: the term, what it was and what it is, as text."""
        before, after = old.as_text(), self.as_text()
        names = [name for name in after if before[name] != after[name]]
        return [(name, before[name], after[name]) for name in names]

    def as_text(self) -> dict[str, str]:
        """Return the terms by name, as they are kept on record."""
        return {each.name: _text_of(self, each.name) for each in fields(self)}


PLAIN = tuple(each.name for each in fields(Terms) if each.name != "path_courses")


class TermsGiven(TypedDict, total=False):
    """The terms by name, as a caller gives them."""

    credits: int | None
    credit_only: bool
    kind: str
    access_days: int | None
    access_from: date | None
    access_until: date | None
    plan_content: Any
    path_courses: tuple[TrainingProduct, ...]


def _text_of(terms: Terms, name: str) -> str:
    value = getattr(terms, name)
    if isinstance(value, tuple):
        return ", ".join(str(each) for each in value)
    return "" if value is None else str(value)


def start_of(day: date) -> datetime:
    """Return when `day` begins in the site's time zone."""
    midnight = datetime.combine(day, time.min)
    return timezone.make_aware(midnight, timezone.get_default_timezone())


def end_of(day: date) -> datetime:
    """Return when `day` is over in the site's time zone."""
    return start_of(day + timedelta(days=1))


def is_far_away(day: date | None) -> bool:
    """Tell whether a day, or a moment, is more than a hundred years away, either way.

    The first and the last days of the calendar can't be told in every time zone.
    """
    if day is None:
        return False
    if isinstance(day, datetime):
        day = day.date()
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    return abs((day - today).days) > LONGEST_ACCESS


def far_away_text() -> str:
    return _("That is more than 100 years away.")


def refuse_far_away(*moments: datetime | None) -> None:
    """Refuse moments that no clock of a site need show.

    Raises:
        ValueError: one is more than a hundred years away.
    """
    if any(map(is_far_away, moments)):
        raise ValueError("A moment is more than 100 years away.")


def check_terms(terms: Terms, *, product: Product = None) -> None:
    """Refuse terms that make no sense, each with the message at the field to mend.

    With the `product` that is sold on these terms, a path that contains itself is
    refused too.

    Raises:
        ValidationError: with the messages by the name of the term.
    """
    if errors := dict(_errors(terms, product)):
        raise ValidationError(errors)


def _errors(terms: Terms, product: Product) -> Iterator[tuple[str, Any]]:
    if terms.credit_only and terms.credits is None:
        yield "credits", _("Say how many credits it costs: it is credit-only.")
    if terms.access_days and terms.access_until:
        yield "access_days", _("Choose days of access or a last day, not both.")
    for name in ("access_from", "access_until"):
        if is_far_away(getattr(terms, name)):
            yield name, far_away_text()
            return
    if product is not None and product.is_parent:
        yield "kind", _("It has variants, and only they can be bought: sell those.")
    first, last = terms.access_from, terms.access_until
    if first and last and first > last:
        yield "access_until", _("The last day of access is before the first.")
    if message := _error_in_plan(terms):
        yield "plan_content", message
    if message := _error_in_path(terms, product):
        yield "path_courses", message


def _error_in_plan(terms: Terms) -> Any:
    if terms.kind != ProductKind.PLAN:
        if terms.plan_content:
            return _("Only a plan has a range as its content.")
        return None
    if not terms.plan_content:
        return _("Choose the range of products that the plan opens.")
    if terms.plan_content.proxy_class:
        return _("This range is computed by code, so a plan can't open it.")
    return None


def _error_in_path(terms: Terms, product: Product) -> Any:
    courses = terms.path_courses
    if terms.kind != ProductKind.PATH:
        return _("Only a path has courses on a list.") if courses else None
    if not courses:
        return _("Choose the courses of the path.")
    if product and any(course.product_id == product.pk for course in courses):
        return _("A path can't contain itself.")
    if any(course.kind != ProductKind.COURSE for course in courses):
        return _("A path holds courses only, no path and no plan.")
    if len({course.pk for course in courses}) < len(courses):
        return _("A course is on the list twice.")
    return None
