"""Whom a code is for: named learners, groups and e-mail domains.

Who is any one of them may use it, and everybody if none was ever set: a code whose last
learner or group has been deleted is for nobody. None of it costs a query for a code
that was read with `CreditCodeQuerySet.with_audience` for the learner; read for nobody,
only a code that names learners or groups does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import email_domain
from ...models import CreditCode
from ..refusals import Reason, Refusal
from .asking import Purchase

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


def for_learner(code: CreditCode, purchase: Purchase) -> Refusal | None:
    if not is_for_some(code):
        return None
    learner = purchase.learner
    if learner is None or not learner.is_authenticated:
        return Refusal(Reason.NOT_LOGGED_IN)
    if has_domain(code, learner) or code.names(learner) or code.names_group_of(learner):
        return None
    return Refusal(Reason.NOT_FOR_YOU)


def is_for_some(code: CreditCode) -> bool:
    """Tell whether `code` is for certain learners only, if there still are any."""
    return code.named_only or names_some(code)


def is_for_nobody(code: CreditCode) -> bool:
    """Tell whether all those whom `code` was for are gone."""
    return code.named_only and not names_some(code)


def names_some(code: CreditCode) -> bool:
    """Tell whether `code` names a learner, a group or a domain now."""
    domained = bool(email_domain.listed(code.email_domains))
    return domained or code.names_learners() or code.names_groups()


def has_domain(code: CreditCode, learner: AbstractBaseUser) -> bool:
    """Tell whether the learner's e-mail address is at one of the code's domains."""
    address = getattr(learner, learner.get_email_field_name(), "") or ""
    domain = email_domain.domain_of(address)
    return bool(domain) and any(
        email_domain.covers(
            email_domain.one_form(each), domain, subdomains=code.include_subdomains
        )
        for each in email_domain.listed(code.email_domains)
    )
