"""What a child code, or a manager, may allow: nothing that was not allowed before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from ...exceptions import WiderThanParent
from .. import email_domain
from ..models import CreditCode
from .ends import latest_end
from .rules import Purchase, for_learner
from .rules.audience import is_for_some

Check = Callable[[CreditCode, CreditCode], bool]


def refuse_wider(child: CreditCode, fields: Collection[str] | None = None) -> None:
    """Refuse a saved child code that is wider than its parent is today.

    Of `fields`, or of all: what nobody touches stays as it is, even if the parent has
    become narrower.

    Raises:
        WiderThanParent: with the first field that is.
    """
    if child.parent is None:
        return
    for field in _wider(child, child.parent):
        if fields is None or field in fields:
            raise WiderThanParent(field)


def first_wider(
    code: CreditCode, allowed: CreditCode, fields: Collection[str]
) -> str | None:
    """Return the first of these fields in which `code` is wider than `allowed`."""
    return next((field for field in _wider(code, allowed) if field in fields), None)


def _wider(child: CreditCode, parent: CreditCode) -> Iterator[str]:
    return (field for field, is_wider in CHECKS.items() if is_wider(child, parent))


def _starts_earlier(child: CreditCode, parent: CreditCode) -> bool:
    first = parent.starts_at
    return bool(first and (child.starts_at is None or child.starts_at < first))


def _ends_later(child: CreditCode, parent: CreditCode) -> bool:
    last = latest_end(child)
    return bool(last and child.expires_at and child.expires_at > last)


def _has_other_content(child: CreditCode, parent: CreditCode) -> bool:
    # What two ranges contain changes by the day: they can't be compared.
    return parent.content_id not in (None, child.content_id)


def _is_for_everybody(child: CreditCode, parent: CreditCode) -> bool:
    return is_for_some(parent) and not is_for_some(child)


def _has_other_learners(child: CreditCode, parent: CreditCode) -> bool:
    learners = child.learners.all() if is_for_some(parent) else []
    return any(for_learner(parent, Purchase(learner)) for learner in learners)


def _has_other_groups(child: CreditCode, parent: CreditCode) -> bool:
    if not is_for_some(parent):
        return False
    return child.groups.exclude(pk__in=parent.groups.values("pk")).exists()


def _has_other_domains(child: CreditCode, parent: CreditCode) -> bool:
    if not is_for_some(parent):
        return False
    allowed = [email_domain.one_form(each) for each in _domains(parent)]
    below = parent.include_subdomains
    return not all(
        any(email_domain.covers(each, domain, subdomains=below) for each in allowed)
        for domain in map(email_domain.one_form, _domains(child))
    )


def _has_subdomains(child: CreditCode, parent: CreditCode) -> bool:
    more = child.include_subdomains and not parent.include_subdomains
    return is_for_some(parent) and more and bool(_domains(child))


def _domains(code: CreditCode) -> list[str]:
    return email_domain.listed(code.email_domains)


def _has_higher(cap: str) -> Check:
    def is_higher(child: CreditCode, parent: CreditCode) -> bool:
        most, mine = getattr(parent, cap), getattr(child, cap)
        return most is not None and (mine is None or mine > most)

    return is_higher


def _keeps_access(child: CreditCode, parent: CreditCode) -> bool:
    return parent.ends_access and not child.ends_access


CHECKS: dict[str, Check] = {
    "starts_at": _starts_earlier,
    "expires_at": _ends_later,
    "content": _has_other_content,
    "learners": _has_other_learners,
    "groups": _has_other_groups,
    "email_domains": _has_other_domains,
    "include_subdomains": _has_subdomains,
    "named_only": _is_for_everybody,
    "credits_per_learner": _has_higher("credits_per_learner"),
    "redemptions_per_learner": _has_higher("redemptions_per_learner"),
    "ends_access": _keeps_access,
}
"""Whether a child code is wider than its parent, by the name of the field."""
