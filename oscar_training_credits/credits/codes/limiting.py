"""Limits that a code's managers set, never wider than what the shop's staff have set.

They are written into the code itself, so that every rule sees them. What staff had set
is kept beside them: that far, and no further, managers may widen the code again. Where
staff have changed a limit since, theirs counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

from ...exceptions import WiderThanAllowed
from ..isolation import own_transaction
from ..models import CreditCode, ManagerLimits
from . import history, issuing, narrowing

COLUMNS = {
    "content": "content_id",
    "email_domains": "email_domains",
    "include_subdomains": "include_subdomains",
    "named_only": "named_only",
    "credits_per_learner": "credits_per_learner",
    "redemptions_per_learner": "redemptions_per_learner",
}
"""What managers limit: the fields of a code, and their columns."""


@own_transaction()
def limit_code(code: CreditCode, limits: Mapping[str, Any], *, by: Any) -> bool:
    """Let a manager limit a code, and widen it again as far as staff allow it.

    `limits` are named as the code's fields; an empty one is as staff have set it. What
    differs is on record. Tells whether something did; safe to repeat.

    Raises:
        WiderThanAllowed: staff have set less.
        WiderThanParent: it is a child code, and its parent has less by now.
        CodeClosed: the code is closed.
    """
    locked = history.lock(code)
    history.refuse_closed(locked)
    staff, now = set_by_staff(locked), _columns_of(locked)
    wanted = {**now, **_wanted(locked, limits, staff)}
    if wanted == now:
        return False
    allowed, limited = _as_if(locked, staff), _as_if(locked, wanted)
    changed = {name for name in wanted if wanted[name] != now[name]}
    if field := narrowing.first_wider(limited, allowed, changed):
        raise WiderThanAllowed(field)
    values = {name: getattr(limited, name) for name in changed}
    issuing.edit_code(locked, values, by=by)
    narrowed = {
        name: [staff[name], wanted[name]]
        for name in wanted
        if wanted[name] != staff[name]
    }
    ManagerLimits.objects.update_or_create(code=code, defaults={"narrowed": narrowed})
    return True


def set_by_staff(code: CreditCode) -> dict[str, Any]:
    """Return what staff have set, by the name of the field; ranges by their keys."""
    limits = ManagerLimits.objects.filter(code=code).first()
    narrowed = limits.narrowed if limits else {}
    found = _columns_of(code)
    for name, (by_staff, by_manager) in narrowed.items():
        if found.get(name) == by_manager:
            found[name] = by_staff
    return found


def _wanted(
    code: CreditCode, limits: Mapping[str, Any], staff: Mapping[str, Any]
) -> dict[str, Any]:
    asked = {name: getattr(value, "pk", value) for name, value in limits.items()}
    wanted = {name: value or staff[name] for name, value in asked.items()}
    if "email_domains" in asked:
        is_own = bool(asked["email_domains"])
        of_own = {
            "include_subdomains": bool(asked.get("include_subdomains")),
            "named_only": True,
        }
        wanted |= of_own if is_own else _audience_of_staff(code, staff)
    return wanted


def _audience_of_staff(code: CreditCode, staff: Mapping[str, Any]) -> dict[str, bool]:
    # Whoever staff have named since must not be the last one to keep it closed.
    names_others = code.names_learners() or code.names_groups()
    return {
        "include_subdomains": staff["include_subdomains"],
        "named_only": staff["named_only"] or names_others,
    }


def _columns_of(code: CreditCode) -> dict[str, Any]:
    return {name: getattr(code, column) for name, column in COLUMNS.items()}


def _as_if(code: CreditCode, columns: Mapping[str, Any]) -> CreditCode:
    """Return a copy of a code that is not to be saved, with these columns."""
    other = copy(code)
    for name, value in columns.items():
        setattr(other, COLUMNS[name], value)
    return other
