"""Who looks after a code on the customer's side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model

from ..isolation import own_transaction
from ..models import CodeChange, CodeManager, CreditCode
from . import history

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


@own_transaction()
def set_managers(
    code: CreditCode, addresses: Iterable[str], *, by: AbstractBaseUser | None = None
) -> None:
    """Let those with these e-mail addresses be the managers of a code, and no others.

    Who has an account is named by it; the others are invited by their address. What
    differs is on record. Safe to repeat.
    """
    history.lock(code)
    wanted = list(dict.fromkeys(each.strip().lower() for each in addresses if each))
    before = addresses_of(code)
    if before == sorted(wanted):
        return
    code.managers.exclude(email__in=wanted).delete()
    for address in sorted(set(wanted) - set(before)):
        CodeManager.objects.create(code=code, email=address, user=_user_with(address))
    details = [("managers", ", ".join(before), ", ".join(sorted(wanted)))]
    history.keep(code, CodeChange.Kind.EDITED, {"by": by}, details=details)


def addresses_of(code: CreditCode) -> list[str]:
    return list(code.managers.order_by("email").values_list("email", flat=True))


def _user_with(address: str) -> Any:
    """Return the one account with an address; None for none, and for several."""
    User = get_user_model()
    field = User.get_email_field_name()
    found = User._default_manager.filter(**{f"{field}__iexact": address})[:2]
    return found[0] if len(found) == 1 else None
