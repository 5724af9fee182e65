"""What the managers of a code hear of it: chosen by them, or by staff."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.utils import timezone

from ...conf import ABOUT_CODES, USE_NOTICES, settings
from ..isolation import own_transaction
from ..models import CodeChange, CodeManager, CodeNotices, CreditCode
from . import history

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


@dataclass(frozen=True, slots=True)
class Choices:
    """What is chosen for one code. What is left out is as the site has set it."""

    low_credits: int | None = None
    """So many credits are few: for each code either this or `low_percent`."""
    low_percent: int | None = None
    used: str = ""
    """One of `conf.USE_NOTICES`: how often managers hear what was used."""
    off: tuple[str, ...] = ()
    """The communication events, of `conf.ABOUT_CODES`, whose mails are not sent."""


def choices_of(code: CreditCode) -> Choices:
    """Return what is chosen for a code."""
    row = CodeNotices.objects.filter(code=code).first()
    return _choices(row) if row else Choices()


@own_transaction()
def choose(
    code: CreditCode, choices: Choices, *, by: AbstractBaseUser | None = None
) -> bool:
    """Set which mails a code's managers get; tell whether that is new.

    It is on record. Managers who want to hear of uses hear of those from now on.
    Repeatable.

    Raises:
        ValueError: both thresholds are set, or one is out of range, or a name of a
            mail or of how often is none of those known.
    """
    _refuse(choices)
    history.lock(code)
    row, _is_new = CodeNotices.objects.get_or_create(code=code)
    before = _choices(row)
    if choices == before:
        return False
    if row.used_until is None or (_is_never(before) and not _is_never(choices)):
        row.used_until = timezone.now()
    row.low_credits, row.low_percent = choices.low_credits, choices.low_percent
    row.used, row.off = choices.used, list(choices.off)
    row.save()
    details = [("notices", _text_of(before), _text_of(choices))]
    history.keep(code, CodeChange.Kind.EDITED, {"by": by}, details=details)
    return True


def is_wanted(code: CreditCode, event: str) -> bool:
    """Tell whether a code's managers get the mail of an event."""
    return event not in choices_of(code).off


def managers_who_hear(code: CreditCode, *, but: Any = None) -> QuerySet[CodeManager]:
    """Return the managers with an account, without the one whose own doing it is."""
    managers = code.managers.filter(user__isnull=False).select_related("user")
    if but is not None:
        managers = managers.exclude(user=but)
    return managers.order_by("pk")


def _refuse(choices: Choices) -> None:
    if choices.low_credits is not None and choices.low_percent is not None:
        raise ValueError("Few are so many credits, or so many percent, not both.")
    if choices.low_credits is not None and choices.low_credits < 1:
        raise ValueError("Few credits are 1 at least.")
    if choices.low_percent is not None and not 1 <= choices.low_percent <= 100:
        raise ValueError("A share is 1 to 100 percent.")
    if choices.used and choices.used not in USE_NOTICES:
        raise ValueError(f"{choices.used!r} is none of {USE_NOTICES}.")
    if unknown := {*choices.off} - {*ABOUT_CODES}:
        raise ValueError(f"{sorted(unknown)} can't be turned off for a code.")


def _choices(row: CodeNotices) -> Choices:
    return Choices(row.low_credits, row.low_percent, row.used, _sorted(row.off))


def _sorted(events: Iterable[str]) -> tuple[str, ...]:
    return tuple(event for event in ABOUT_CODES if event in events)


def _is_never(choices: Choices) -> bool:
    return (choices.used or settings.USE_NOTICES) == CodeNotices.Often.NEVER


def _text_of(choices: Choices) -> str:
    """Return choices as the record of changes keeps them."""
    parts = [
        f"{choices.low_credits} credits" if choices.low_credits else "",
        f"{choices.low_percent} %" if choices.low_percent else "",
        choices.used,
        *(f"no {event}" for event in choices.off),
    ]
    return ", ".join(filter(None, parts))
