"""What the cells of a file of codes may hold, read strictly."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from ..terms import MOST_GRANTED, end_of, far_away_text, is_far_away, start_of
from . import code_text

REQUIRED = ("code", "credits", "label")
COLUMNS = (*REQUIRED, "paid", "starts", "expires", "reference", "holder", "notes")
LONGEST = {"label": 200, "reference": 100, "holder": 200, "notes": 2_000}
LONGEST_CELL = max(LONGEST.values()) + 1
"""No more of a cell is kept until it is checked: it is too long then."""

MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(Z|[+-]\d\d:\d\d)?)?"
)
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
CONTROL_IN_NOTES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class WrongCell(Exception):
    """A cell does not hold what its column is for; the message is for staff."""


def storable(value: Any) -> Any:
    """Return a cell as JSON has it, for `restored`; databases keep no NUL."""
    if isinstance(value, str):
        return value.strip()[:LONGEST_CELL].replace("\0", "\x01")
    if isinstance(value, (bool, int, type(None))):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, date):
        kind = "moment" if isinstance(value, datetime) else "day"
        return {kind: value.isoformat()}
    return {}


def restored(stored: Any) -> Any:
    """Return a cell as it was read; a dictionary is none that any column is for."""
    match stored:
        case {"moment": str(text)}:
            return datetime.fromisoformat(text)
        case {"day": str(text)}:
            return date.fromisoformat(text)
    return stored


@sensitive_variables("value", "text")
def code_in(value: Any) -> str:
    """Return the text of a code.

    Raises:
        WrongCell: it can't be one.
    """
    if isinstance(value, (int, float)):
        raise WrongCell(
            _("It is a number: format the column as text, or zeros may be lost.")
        )
    text = _text(value, "code")
    if not text:
        raise WrongCell(_("It is empty."))
    try:
        code_text.refuse_unfit(text)
    except ValueError as error:
        raise WrongCell(
            _("A code has %(fewest)d letters or digits at least, and %(most)d at most.")
            % {"fewest": code_text.SHORTEST_TEXT, "most": code_text.LONGEST_TEXT}
        ) from error
    return text


def _credits(value: Any, column: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, str, type(None))):
        raise WrongCell(_("It is no whole number."))
    text = str(value if value is not None else "").strip()
    if not text:
        raise WrongCell(_("It is empty."))
    if not re.fullmatch("[0-9]{1,10}", text):
        raise WrongCell(_("It is no whole number."))
    if not 1 <= int(text) <= MOST_GRANTED:
        raise WrongCell(_("It must be 1 to %(most)d.") % {"most": MOST_GRANTED})
    return int(text)


def _paid(value: Any, column: str) -> str:
    text = "" if value is None else str(value).strip()
    if text and not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,2})?", text):
        raise WrongCell(_("It is no amount such as 240 or 99.50."))
    return text


def _label(value: Any, column: str) -> str:
    text = _text(value, column)
    if not text:
        raise WrongCell(_("It is empty."))
    return text


def _text(value: Any, column: str) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise WrongCell(_("It is no text."))
    text = str(value).strip()
    if text.startswith("="):
        raise WrongCell(_("It is a formula: paste it as a value."))
    if (CONTROL_IN_NOTES if column == "notes" else CONTROL).search(text):
        raise WrongCell(_("It holds characters that can't be shown."))
    if len(text) > LONGEST.get(column, len(text)):
        raise WrongCell(
            _("It has more than %(most)d letters.") % {"most": LONGEST[column]}
        )
    return text


def _starts(value: Any, column: str) -> datetime | None:
    return _moment(value, is_end=False)


def _expires(value: Any, column: str) -> datetime | None:
    return _moment(value, is_end=True)


def _moment(value: Any, *, is_end: bool) -> datetime | None:
    """Read a day as its beginning or its end, in the site's time zone; or a moment."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    moment = _day_or_moment(value)
    if is_far_away(moment):
        raise WrongCell(far_away_text())
    if not isinstance(moment, datetime):
        return end_of(moment) if is_end else start_of(moment)
    return moment if timezone.is_aware(moment) else _made_aware(moment)


def _day_or_moment(value: Any) -> date | datetime:
    if isinstance(value, datetime):
        # A sheet has no days, only their midnight.
        return value.date() if value.time() == time.min else value
    if isinstance(value, date):
        return value
    found = MOMENT.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        if found and found[2]:
            return datetime.fromisoformat(
                f"{found[1]}T{found[2]}{(found[3] or '').replace('Z', '+00:00')}"
            )
        if found:
            return date.fromisoformat(found[1])
    except ValueError:
        pass
    raise WrongCell(_("Write a day as 2026-01-31, or a moment as 2026-01-31 17:00."))


def _made_aware(moment: datetime) -> datetime:
    zone = timezone.get_default_timezone()
    early, late = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        raise WrongCell(
            _(
                "The clocks are changed then, so this time comes twice or not at all:"
                " write it as 2026-01-31 17:00+00:00."
            )
        )
    return early


READERS: dict[str, Any] = {
    "credits": _credits,
    "label": _label,
    "paid": _paid,
    "starts": _starts,
    "expires": _expires,
    "reference": _text,
    "holder": _text,
    "notes": _text,
}
"""How each column is read but that of the texts, which are not kept to be read."""
