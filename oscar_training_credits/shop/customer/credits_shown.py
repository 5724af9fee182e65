"""What a manager reads of a code itself: its balance, and what was put on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from ...credits import wording
from ...credits.codes import managing
from ...credits.codes.finding import Condition, condition_of, with_condition
from ...credits.ledger import packs
from ...credits.ledger.balances import balances_over_time
from ...credits.ledger.forecast import Forecast, forecasts
from ...credits.models import CreditCode, CreditGrant
from ..balance_chart import Chart, chart_of

MOST_MOVES = 500
MOST_CHILDREN = 100
"""How many of the latest child codes are listed."""


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A code as its manager sees it in the list."""

    code: CreditCode
    condition: Condition
    credits: int
    """What is left, in whole credits."""
    is_unseen: bool
    """It was bought, and its buyer, who asks, has not looked at its text yet."""
    runs_dry: str
    """Until when the credits last at today's rate, in words; empty if not known."""


@dataclass(frozen=True, slots=True)
class GrantRow:
    grant: CreditGrant
    has_expired: bool


@dataclass(frozen=True, slots=True)
class ChildRow:
    """A child code as the manager of its parent sees it."""

    row: CodeRow
    is_own: bool
    """Whoever asks looks after it as well."""


def code_rows(codes: Any, manager: Any) -> list[CodeRow]:
    """Return codes that `manager` looks after, those that can be used first."""
    now = timezone.now()
    found: list[Any] = list(with_condition(codes, now).order_by("-pk"))
    ahead = forecasts(found, at=now)
    waiting = packs.waiting_for(manager).values_list("grant__code", flat=True)
    unseen = set(waiting)
    rows = [
        CodeRow(
            code=code,
            condition=condition_of(code, now),
            credits=code.credits_left,
            is_unseen=code.pk in unseen,
            runs_dry=_runs_dry(ahead[code.pk]),
        )
        for code in found
    ]
    return sorted(rows, key=lambda row: row.condition != Condition.ACTIVE)


def child_rows(code: CreditCode, manager: Any) -> list[ChildRow]:
    keys = code.children.order_by("-pk").values_list("pk", flat=True)[:MOST_CHILDREN]
    children = CreditCode.objects.filter(pk__in=list(keys))
    own = set(
        managing.codes_of(manager).filter(parent=code).values_list("pk", flat=True)
    )
    return [ChildRow(row, row.code.pk in own) for row in code_rows(children, manager)]


def may_be_cut(code: CreditCode) -> bool:
    is_parent = code.parent_id is None and not code.one_order_only
    return code.state == CreditCode.State.ACTIVE and is_parent


def grant_rows(grants: Iterable[CreditGrant], at: datetime) -> list[GrantRow]:
    return [
        GrantRow(grant, bool(grant.expires_at and grant.expires_at <= at))
        for grant in grants
    ]


def balance_chart(grants: Iterable[CreditGrant], at: datetime) -> Chart | None:
    return chart_of(balances_over_time(grants, at=at, most=MOST_MOVES))


def _runs_dry(ahead: Forecast) -> str:
    if not (ahead.balance and ahead.per_day and ahead.lasts_until):
        return ""
    return wording.last_day(ahead.lasts_until)
