"""Codes as staff look for them: what a search finds, and what state they are in.

Each source of a search is a query of its own that an index answers: conditions on
several tables in one query would read all rows of each.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..models import CreditCode, CreditGrant, Redemption
from ..models.codes import CreditCodeQuerySet
from . import listing
from .rules.limits import is_used_once, used_once


class Condition(models.TextChoices):
    """The state of a code as it really is: by its dates, credits and orders, too."""

    ACTIVE = "active", _("Active")
    NOT_STARTED = "not-started", _("Not started")
    EXPIRED = "expired", _("Expired")
    USED_UP = "used-up", _("Used up")
    DISABLED = "disabled", _("Disabled")
    CLOSED = "closed", _("Closed")


def condition_of(code: CreditCode, at: datetime | None = None) -> Condition:
    """Return the state of a code as it really is; two queries at most.

    None at all for a code that was read by `with_condition`.
    """
    at = at or timezone.now()
    if code.state != CreditCode.State.ACTIVE:
        return Condition(code.state)
    if code.expires_at and code.expires_at <= at:
        return Condition.EXPIRED
    if code.starts_at and code.starts_at > at:
        return Condition.NOT_STARTED
    return Condition.USED_UP if _is_used_up(code, at) else Condition.ACTIVE


def _is_used_up(code: CreditCode, at: datetime) -> bool:
    """Tell whether nothing is left, or its one order has been placed."""
    balance: int | None = getattr(code, "credits_left", None)
    used: bool | None = getattr(code, "was_used_once", None)
    if not (code.balance(at) if balance is None else balance):
        return True
    return is_used_once(code, at) if used is None else used


def with_condition(
    codes: CreditCodeQuerySet, at: datetime | None = None
) -> CreditCodeQuerySet:
    """Read along what `condition_of` asks, and each code's `credits_left`."""
    at = at or timezone.now()
    used = Case(When(used_once(at), then=True), default=False)
    return listing.with_balance(codes, at).annotate(was_used_once=used)


def in_condition(
    codes: CreditCodeQuerySet, condition: str, at: datetime
) -> CreditCodeQuerySet:
    """Return the codes of which `condition_of` says this."""
    if condition in CreditCode.State.values and condition != Condition.ACTIVE:
        return codes.filter(state=condition)
    enabled = codes.filter(state=CreditCode.State.ACTIVE)
    if condition == Condition.EXPIRED:
        return enabled.filter(expires_at__lte=at)
    unexpired = enabled.filter(Q(expires_at=None) | Q(expires_at__gt=at))
    if condition == Condition.NOT_STARTED:
        return unexpired.filter(starts_at__gt=at)
    started = unexpired.filter(Q(starts_at=None) | Q(starts_at__lte=at))
    if condition == Condition.USED_UP:
        return _among(started, _empty(at), _used(at))
    spendable = CreditGrant.objects.unexpired(at).filter(remaining__gt=0)
    funded = started.filter(Exists(spendable.filter(code=OuterRef("pk"))))
    return funded.filter(~used_once(at))


def _empty(at: datetime) -> QuerySet[Any, Any]:
    return listing.holding_less(CreditCode.objects.all(), 1, at).values("pk")


def _used(at: datetime) -> QuerySet[Any, Any]:
    return CreditCode.objects.filter(used_once(at)).values("pk")


def _among(
    codes: CreditCodeQuerySet, *sources: QuerySet[Any, Any]
) -> CreditCodeQuerySet:
    """Return the codes that any of these queries finds."""
    first, *others = (source.order_by() for source in sources)
    return codes.filter(pk__in=first.union(*others))


def expiring(codes: CreditCodeQuerySet, days: int, at: datetime) -> CreditCodeQuerySet:
    """Return the codes that end within so many days, and have not ended."""
    return codes.filter(expires_at__gt=at, expires_at__lte=at + timedelta(days=days))


def matching(codes: CreditCodeQuerySet, text: str) -> CreditCodeQuerySet:
    """Return the codes that `text` leads to.

    It is what `listing.matching` finds, a part of the holder or of the reference, an
    order that was paid with the code, or the whole e-mail address of a learner who
    ordered with it or whom it names.
    """
    held = Q(holder__icontains=text) | Q(reference__icontains=text)
    sources: list[QuerySet[Any, Any]] = [
        listing.matching(CreditCode.objects.all(), text).values("pk"),
        CreditCode.objects.filter(held).values("pk"),
        Redemption.objects.filter(order_number=text).values("code"),
    ]
    if "@" in text:
        sources += _of_learners(text)
    return _among(codes, *sources)


def _of_learners(address: str) -> list[QuerySet[Any, Any]]:
    User = get_user_model()
    name = User.get_email_field_name()
    learners = User._default_manager.filter(**{f"{name}__iexact": address}).values("pk")
    return [
        Redemption.objects.filter(learner__in=learners).values("code"),
        CreditCode.objects.filter(learners__in=learners).values("pk"),
    ]
