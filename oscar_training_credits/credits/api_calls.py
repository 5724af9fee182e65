"""Calls of the API that change something, made once for each idempotency key.

As in the draft of the IETF for the header `Idempotency-Key`
(draft-ietf-httpapi-idempotency-key-header-07): the same key with the same request
gets the first answer, with another request it is refused.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.views.decorators.debug import sensitive_variables

from ..conf import settings
from ..exceptions import IdempotencyKeyReused
from .locking import for_update
from .models import ApiCall, ApiToken

KEPT = timedelta(days=7)
"""How long an answer is kept. A key that is used after that may be refused."""
MOST_FORGOTTEN = 100
"""How many old answers are deleted at once."""
SALT = "oscar_training_credits.api"


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """A call that is being made, or was made before, with its key."""

    row: ApiCall
    key: str
    is_repeated: bool = False

    @property
    def idempotency_key(self) -> str:
        """The key by which the services know it, of 64 characters."""
        return f"api:{self.row.key_digest}"[:64]

    @sensitive_variables()
    def secrets(self) -> list[bytes]:
        """Return what the text of a code is derived from: by the site's newest secret.

        By its older ones after that. Without the key itself nobody can tell them.
        """
        salt = f"{SALT}.{self.row.salt}"
        hmacs = (
            salted_hmac(salt, self.key, secret=secret, algorithm="sha256")
            for secret in settings.CODE_KEYS
        )
        return [each.digest() for each in hmacs]


@sensitive_variables("key")
def begin(token: ApiToken, key: str, *, request: bytes) -> Call:
    """Return the call with this key: a new one, or the one that was made before.

    Call it in the transaction of what is done. A second call waits for the first.
    `request` is all that was asked for.

    Raises:
        IdempotencyKeyReused: the key stands for another request.
    """
    row = ApiCall(
        token=token,
        key_digest=hashlib.sha256(f"{token.pk}:{key}".encode()).hexdigest(),
        fingerprint=hashlib.sha256(request).hexdigest(),
        salt=secrets.token_hex(32),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
        return Call(row, key)
    except IntegrityError:
        # A locking read: a plain one may see the moment before the wait.
        rows = for_update(ApiCall.objects.order_by("pk"))
        earlier = rows.get(token=token, key_digest=row.key_digest)
    if earlier.fingerprint != row.fingerprint:
        raise IdempotencyKeyReused(key)
    return Call(earlier, key, is_repeated=True)


def finish(call: Call, *, status: int, body: Any) -> None:
    """Keep what a new call is answered, without secrets, and no longer the old ones."""
    call.row.status, call.row.body = status, body
    call.row.save(update_fields=["status", "body"])
    _forget_old(call.row.token.calls.all())


def prune() -> None:
    """Delete answers that are kept no longer, also of tokens that nobody uses now.

    Some at a time. Safe to run at any time.
    """
    _forget_old(ApiCall.objects.all())


def _forget_old(calls: QuerySet[ApiCall]) -> None:
    # Found without a lock, then deleted by their keys: MariaDB would lock all that it
    # looks through, and wait for calls that wait for this one.
    old = calls.filter(created_at__lt=timezone.now() - KEPT)
    if keys := list(old.values_list("pk", flat=True)[:MOST_FORGOTTEN]):
        ApiCall.objects.filter(pk__in=keys).delete()
