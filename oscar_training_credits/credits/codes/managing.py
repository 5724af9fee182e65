"""Who looks after a code on the customer's side."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.signing import BadSignature, TimestampSigner
from django.db.models import QuerySet
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from ...conf import settings
from ...exceptions import TooManyInvitations
from ..isolation import own_transaction
from ..models import CodeChange, CodeManager, CreditCode
from . import history, issuing

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


LIFETIME = timedelta(days=30)
"""How long the link of an invitation works."""


@own_transaction()
def set_managers(
    code: CreditCode, addresses: Iterable[str], *, by: AbstractBaseUser | None = None
) -> list[CodeManager]:
    """Let those with these e-mail addresses be the managers of a code, and no others.

    Returns the new ones, who are to be invited: nobody sees a code before they have
    opened the link in the mail, as anybody can open an account with any address. What
    differs is on record. Safe to repeat.
    """
    history.lock(code)
    wanted = list(dict.fromkeys(each.strip().lower() for each in addresses if each))
    before = addresses_of(code)
    if before == sorted(wanted):
        return []
    code.managers.exclude(email__in=wanted).delete()
    invited = [
        CodeManager.objects.create(code=code, email=address)
        for address in sorted(set(wanted) - set(before))
    ]
    details = [("managers", ", ".join(before), ", ".join(sorted(wanted)))]
    history.keep(code, CodeChange.Kind.EDITED, {"by": by}, details=details)
    return invited


def refuse_too_many(code: CreditCode, addresses: Iterable[str], *, by: Any) -> None:
    """Refuse to let a manager invite more people than they may in 24 hours.

    What counts is on record: whom they named on any code, removed again or not. Staff
    are not asked this.

    Raises:
        TooManyInvitations: it would be more than `TRAINING_CREDITS_INVITATIONS_A_DAY`.
    """
    known = {*addresses_of(code)}
    new = {each.strip().lower() for each in addresses if each} - known
    edits = CodeChange.objects.filter(
        changed_by=by,
        kind=CodeChange.Kind.EDITED,
        changed_at__gt=timezone.now() - timedelta(days=1),
    )
    named = sum(map(_newly_named, edits.values_list("details", flat=True)))
    if new and named + len(new) > settings.INVITATIONS_A_DAY:
        raise TooManyInvitations("So many people can't be invited in one day.")


def _newly_named(details: list[list[str]]) -> int:
    """Return how many people one change of a code has named as its managers."""
    return sum(
        len({*after.split(", ")} - {*before.split(", "), ""})
        for field, before, after in details
        if field == "managers"
    )


@sensitive_variables()
def invitation_to(manager: CodeManager) -> str:
    """Return what the link of an invitation ends with: nobody can make it up."""
    return _signer().sign(str(manager.pk))


@sensitive_variables()
def find_invitation(text: str) -> CodeManager | None:
    """Return whom the link with this text invites; None for one that works no longer.

    It works for 30 days, until somebody has accepted it or the manager is removed.
    """
    try:
        key = _signer().unsign(text, max_age=LIFETIME)
    except BadSignature:
        return None
    waiting = CodeManager.objects.filter(pk=key, user=None)
    return waiting.select_related("code").first()


@own_transaction()
@sensitive_variables()
def accept_invitation(text: str, user: Any) -> CodeManager | None:
    """Let `user` look after the code that the link invites to; None if it can't be."""
    if not (manager := find_invitation(text)):
        return None
    history.lock(manager.code)
    if manager.code.managers.filter(user=user).exists():
        return None
    waiting = CodeManager.objects.filter(pk=manager.pk, user=None)
    if not waiting.update(user=user):
        return None
    return manager


def _signer() -> TimestampSigner:
    return TimestampSigner(salt="training_credits.manager")


@own_transaction()
def add_manager(code: CreditCode, user: Any) -> None:
    """Let a user who has an account look after a code. Safe to repeat."""
    history.lock(code)
    if code.managers.filter(user=user).exists():
        return
    address = _address_of(user)
    CodeManager.objects.update_or_create(
        code=code, email=address, defaults={"user": user}
    )


def share_managers(code: CreditCode, other: CreditCode) -> None:
    """Let those who look after a code look after another one, too. Safe to repeat."""
    CodeManager.objects.bulk_create(
        [
            CodeManager(code=other, email=each.email, user=each.user)
            for each in code.managers.filter(user__isnull=False).select_related("user")
        ],
        ignore_conflicts=True,
    )


def codes_of(manager: Any) -> QuerySet[CreditCode]:
    """Return the codes that a user looks after. Nobody else may see them."""
    own = CodeManager.objects.filter(user=manager).values("code")
    return CreditCode.objects.filter(pk__in=own)


def was_paused(code: CreditCode) -> bool:
    """Tell whether it is a manager who disabled a code, and not the shop's staff."""
    if code.state != CreditCode.State.DISABLED:
        return False
    disabled = code.changes.filter(kind=CodeChange.Kind.DISABLED)
    latest = disabled.order_by("-pk").values_list("changed_by", flat=True).first()
    return latest is not None and code.managers.filter(user=latest).exists()


@own_transaction()
def set_paused(code: CreditCode, is_paused: bool, *, by: Any) -> bool:
    """Let a manager pause a code, or undo what a manager has paused.

    What the shop's staff have disabled stays so. Tells whether it is done. Repeatable.

    Raises:
        CodeClosed: the code is closed.
    """
    locked = history.lock(code)
    if not is_paused and not was_paused(locked):
        return locked.state == CreditCode.State.ACTIVE
    state = CreditCode.State.DISABLED if is_paused else CreditCode.State.ACTIVE
    issuing.set_state(code, state, by=by)
    return True


def addresses_of(code: CreditCode) -> list[str]:
    return list(code.managers.order_by("email").values_list("email", flat=True))


def _address_of(user: Any) -> str:
    address = getattr(user, user.get_email_field_name(), "") or ""
    # Accounts without an address have a row of their own all the same.
    return str(address).lower() or f"account-{user.pk}@invalid"
