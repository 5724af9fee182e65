"""Endpoints: made, switched on and off, and given another secret; messages replayed."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.views.decorators.debug import sensitive_variables

from ...conf import settings
from ..locking import for_update
from ..models import Delivery, WebhookEndpoint

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

SALT = "oscar_training_credits.webhook"
SHOWN_FOR = timedelta(minutes=5)
"""How long whoever made a secret may see it: for as long as a click may come twice."""


def make_endpoint(
    url: str,
    *,
    description: str,
    events: Iterable[str] = (),
    salt: str | None = None,
    by: AbstractBaseUser | None = None,
) -> WebhookEndpoint:
    """Make an endpoint that is told of these events, or of all, from now on.

    Made once per `salt`, 64 random characters, if the caller makes up one: again, it
    returns the first.
    """
    made, _is_new = WebhookEndpoint.objects.get_or_create(
        salt=salt or secrets.token_hex(32),
        defaults={
            "url": url,
            "description": description,
            "events": list(events),
            "created_by_id": by.pk if by else None,
        },
    )
    return made


@sensitive_variables()
def secret_of(endpoint: WebhookEndpoint) -> str:
    """Return the secret of an endpoint, as Standard Webhooks writes it."""
    return _secret(endpoint.salt, settings.CODE_KEYS[0])


@sensitive_variables()
def secrets_of(endpoint: WebhookEndpoint, at: datetime) -> list[str]:
    """Return the secrets that messages are signed with, the newest first.

    For a day after a rotation the former one is among them; and so are those that
    follow from the older secrets of the site.
    """
    keys = settings.CODE_KEYS
    return [_secret(salt, key) for salt in endpoint.salts(at) for key in keys]


@transaction.atomic
def rotate_secret(endpoint: WebhookEndpoint, *, former: str) -> WebhookEndpoint:
    """Give an endpoint another secret; the one it has signs along for a day.

    `former` is its salt as the caller has seen it: a second click changes nothing.
    """
    locked = _lock(endpoint)
    if locked.salt == former:
        now = timezone.now()
        until = (now + locked.FORMER_SECRET_WORKS).timestamp()
        # One that is still in use elsewhere, should the secret be lost once more.
        earlier = locked.valid_former_salts(now)
        locked.former_salts = [(locked.salt, until), *earlier]
        locked.salt, locked.rotated_at = secrets.token_hex(32), now
        locked.save(update_fields=["salt", "former_salts", "rotated_at"])
    return locked


def was_made_by(endpoint: WebhookEndpoint, user: AbstractBaseUser) -> bool:
    """Tell whether this user has made the endpoint just now, and may see its secret."""
    is_new = endpoint.created_at > timezone.now() - SHOWN_FOR
    return is_new and not endpoint.rotated_at and endpoint.created_by_id == user.pk


def was_rotated_from(endpoint: WebhookEndpoint, former: str) -> bool:
    """Tell whether the secret has just followed this former salt, and may be seen."""
    rotated_at, last = endpoint.rotated_at, next(iter(endpoint.former_salts), None)
    if not rotated_at or not last or last[0] != former:
        return False
    return rotated_at > timezone.now() - SHOWN_FOR


def switch(endpoint: WebhookEndpoint, *, on: bool, because: str = "") -> None:
    """Switch an endpoint on or off. While it is off, nothing is written for it."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        is_enabled=on, disabled_because=because
    )


def replay(endpoint: WebhookEndpoint, *, since: datetime) -> int:
    """Let what was written for an endpoint since then be sent again, with its ids.

    Returns how many messages that is. What is on its way is left alone.
    """
    over = Delivery.objects.filter(endpoint=endpoint, created_at__gte=since)
    done = over.exclude(delivered_at=None, dropped_at=None)
    return done.update(
        delivered_at=None,
        dropped_at=None,
        error="",
        attempts=0,
        replayed_at=timezone.now(),
        next_attempt_at=timezone.now(),
    )


def _lock(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return for_update(WebhookEndpoint.objects.order_by("pk")).get(pk=endpoint.pk)


@sensitive_variables()
def _secret(salt: str, key: str) -> str:
    hmac = salted_hmac(SALT, salt, secret=key, algorithm="sha256")
    return "whsec_" + base64.b64encode(hmac.digest()).decode()
