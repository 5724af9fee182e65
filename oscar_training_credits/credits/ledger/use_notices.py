"""Which managers are to hear what was used of a code: at once, daily or weekly.

Each use is told once: a notice tells what was used since the last one, and how far
that went is kept with the code's choices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, CharField, F, Min, QuerySet, Value, When
from django.utils import timezone

from ...conf import AT_ONCE, DAILY, OFF, WEEKLY, settings
from ..locking import for_update
from ..models import CodeManager, CodeNotices, CreditCode, Redemption
from ..terms import start_of

SLACK = timedelta(minutes=2)
"""So much later an order is told of that was placed in a transaction still open."""


@dataclass(frozen=True, slots=True)
class Used:
    """Something was used of a code from `since` on and before `until`."""

    code: CreditCode
    since: datetime
    until: datetime


def due() -> list[tuple[int, datetime]]:
    """Return of which codes managers are to hear, by their choices, and until when.

    That nothing was used of the others is noted.
    """
    now = timezone.now() - SLACK
    _begin_by_default(now)
    found: list[tuple[int, datetime]] = []
    for often, until in _periods(now):
        rows = _with_choice(often).filter(used_until__lt=until)
        keys = list(rows.values_list("pk", flat=True))
        used = _used(keys, until)
        found += [(key, until) for key in used]
        unused = CodeNotices.objects.filter(pk__in={*keys} - {*used})
        unused.filter(used_until__lt=until).update(used_until=until)
    return found


def note_told(pk: int, until: datetime) -> Used | None:
    """Note that managers hear what was used until then, and return what that is.

    None if another process has just told them, even of a moment less. The caller writes
    the notice in the same transaction.
    """
    row = for_update(CodeNotices.objects.filter(pk=pk)).first()
    if row is None or row.used_until is None or row.used_until >= until:
        return None
    is_untold = bool(_used([pk], until))
    CodeNotices.objects.filter(pk=pk).update(used_until=until)
    if not is_untold:
        return None
    return Used(CreditCode.objects.get(pk=row.code_id), row.used_until, until)


def _periods(now: datetime) -> Iterator[tuple[str, datetime]]:
    today = timezone.localdate(now, timezone.get_default_timezone())
    yield AT_ONCE, now
    yield DAILY, start_of(today)
    yield WEEKLY, start_of(today - timedelta(days=today.weekday()))


def _begin_by_default(now: datetime) -> None:
    """Note from when on managers hear of uses where only the site has chosen."""
    if settings.USE_NOTICES == OFF:
        return
    new = _managed().filter(notices=None)
    CodeNotices.objects.bulk_create(
        [CodeNotices(code=code, used_until=now) for code in new.iterator()],
        ignore_conflicts=True,
    )


def _managed() -> QuerySet[CreditCode]:
    managed = CodeManager.objects.filter(user__isnull=False).values("code")
    return CreditCode.objects.filter(pk__in=managed, is_test=False)


def _with_choice(often: str) -> QuerySet[CodeNotices]:
    chosen = Case(
        When(used="", then=Value(settings.USE_NOTICES)),
        default=F("used"),
        output_field=CharField(),
    )
    rows = CodeNotices.objects.filter(code__in=_managed(), used_until__isnull=False)
    return rows.annotate(often=chosen).filter(often=often)


def _used(keys: list[int], until: datetime) -> list[int]:
    """Return of which of these codes something was used since managers were told."""
    rows = CodeNotices.objects.filter(pk__in=keys)
    first = rows.aggregate(first=Min("used_until"))["first"]
    if first is None:
        return []
    # The first moment by itself, for the index on it.
    found = Redemption.objects.filter(
        code__notices__in=keys,
        state=Redemption.State.CAPTURED,
        order__date_placed__gte=first,
        order__date_placed__lt=until,
    ).filter(order__date_placed__gte=F("code__notices__used_until"))
    used = found.order_by("code__notices").values_list("code__notices", flat=True)
    return list(used.distinct())
