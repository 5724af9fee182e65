"""Codes as staff look for them: what a search finds, and what state they are in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When
from django.db.models.lookups import Exact
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..models import CreditCode, Redemption
from ..models.codes import CreditCodeQuerySet
from . import listing
from .rules.limits import counting_at, is_used_once, used_once

LEARNER_FIELDS = ("email", "first_name", "last_name")
MOST_NAMESAKES = 100
"""How many accounts with one e-mail address are looked up."""


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
        # One index has the ends, another the few that are off: no row need be read.
        off = set(CreditCode.State) - {CreditCode.State.ACTIVE}
        others = CreditCode.objects.filter(pk=OuterRef("pk"), state__in=off)
        return codes.filter(~Exists(others), expires_at__lte=at)
    unexpired = enabled.filter(Q(expires_at=None) | Q(expires_at__gt=at))
    if condition == Condition.NOT_STARTED:
        return unexpired.filter(starts_at__gt=at)
    started = unexpired.filter(Q(starts_at=None) | Q(starts_at__lte=at))
    left = codes.grants().unexpired(at).filter(code=OuterRef("pk"), remaining__gt=0)
    if condition == Condition.USED_UP:
        # Of one reason or the other, a database would look through all codes for each.
        ordered = Exists(counting_at(at).filter(code=OuterRef("code")))
        may_order = Q(Exact(OuterRef("one_order_only"), False)) | ~Q(ordered)
        return started.filter(~Exists(left.filter(may_order)))
    return started.filter(Exists(left)).filter(~used_once(at))


def expiring(codes: CreditCodeQuerySet, days: int, at: datetime) -> CreditCodeQuerySet:
    """Return the codes that end within so many days, and have not ended."""
    return codes.filter(expires_at__gt=at, expires_at__lte=at + timedelta(days=days))


def matching(
    codes: CreditCodeQuerySet, text: str, keys: Sequence[int] | None = None
) -> CreditCodeQuerySet:
    """Return the codes that `text` leads to.

    It is what `listing.matching` finds, and what has one of `keys`, those that
    `keys_elsewhere` returns: pass them if you ask several times.
    """
    keys = keys_elsewhere(text) if keys is None else keys
    in_words = listing.matching(codes, text)
    return in_words | codes.filter(pk__in=keys) if keys else in_words


def keys_elsewhere(text: str) -> list[int]:
    """Return the keys of the codes that other tables lead to.

    It is the number of an order that was paid with the code, or the whole e-mail
    address of a learner who ordered with it or whom it names. Each is a query of its
    own that an index answers: conditions on several tables in one query would read all
    rows of each.
    """
    orders = Redemption.objects.filter(order_number=text)
    sources = [orders.values_list("code", flat=True)]
    if "@" in text:
        sources += _of_learners(text)
    most = listing.CappedPaginator.CAP + 1
    return [key for keys in sources for key in keys.order_by().distinct()[:most]]


def _of_learners(address: str) -> list[QuerySet[Any, Any]]:
    User = get_user_model()
    name = User.get_email_field_name()
    found = User._default_manager.filter(**{f"{name}__iexact": address})
    learners = list(found.values_list("pk", flat=True)[:MOST_NAMESAKES])
    redeemed = Redemption.objects.filter(learner__in=learners)
    named = CreditCode.objects.filter(learners__in=learners)
    return [redeemed.values_list("code", flat=True), named.values_list("pk", flat=True)]


def learner_matches(text: str, *, prefix: str) -> Q:
    """Match rows whose learner, at `prefix`, has every word of `text` in a name."""
    User = get_user_model()
    own = {field.name for field in User._meta.get_fields()}
    fields = own.intersection([*LEARNER_FIELDS, User.USERNAME_FIELD])
    found = Q()
    for word in text.split():
        found &= Q(
            *[(f"{prefix}__{field}__icontains", word) for field in sorted(fields)],
            _connector=Q.OR,
        )
    return found
