"""Messages sent to endpoints, signed as Standard Webhooks says, and never inwards.

https://www.standardwebhooks.com/ is where headers and signature are from.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import timezone as zones
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from ... import __version__
from ...conf import settings
from ...exceptions import DeliveryDropped, DeliveryFailed
from .. import outbox
from ..models import Delivery, WebhookEndpoint
from . import endpoints

CONNECT_SECONDS = 5
ANSWER_SECONDS = 10
GIVEN_UP_AFTER = timedelta(days=5)
GONE = 410
NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a message goes: what is in the address, and the machine that it names."""

    scheme: str
    host: str
    port: int
    path: str
    machine: str
    """The address on the network that the connection is made to."""


def send(delivery: Delivery) -> None:
    """Send one message.

    Raises:
        DeliveryDropped: the endpoint is off, wants no more, or has not taken it for
            five days.
        DeliveryFailed: it is to be tried again.
    """
    endpoint = delivery.endpoint
    if endpoint is None or not endpoint.is_enabled:
        raise DeliveryDropped(_("The webhook is switched off."))
    try:
        status = _post(endpoint, delivery)
    except DeliveryFailed as failed:
        raise _given_up(delivery, failed) from failed
    if status == GONE:
        because = _("The receiver wants no more (410).")
        endpoints.switch(endpoint, on=False, because=because)
        raise DeliveryDropped(because)
    if not 200 <= status < 300:
        text = _("The receiver answered %(status)d.") % {"status": status}
        raise _given_up(delivery, DeliveryFailed(text))


def is_on() -> bool:
    """Tell whether the site sends webhooks."""
    return bool(settings.WEBHOOKS)


SENDER = outbox.Sender(send, is_on)


def target_of(url: str) -> Target:
    """Return where a message to this address goes.

    Raises:
        DeliveryFailed: it may not be sent there: it is not HTTPS, or the name leads
            to a machine that is not on the Internet; or nobody knows the name now.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise DeliveryFailed(_("The address can't be read.")) from error
    host = parts.hostname or ""
    is_trusted = f"{host}:{port}" in settings.WEBHOOK_HOSTS
    if not host or parts.username is not None or parts.password is not None:
        raise DeliveryFailed(_("The address can't be read."))
    if parts.scheme != "https" and not (is_trusted and parts.scheme == "http"):
        raise DeliveryFailed(_("The address must begin with https."))
    machines = _machines(host, port)
    if not is_trusted and not all(map(is_public, machines)):
        raise DeliveryFailed(_("The address leads to a machine of an inner network."))
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    return Target(parts.scheme, host, port, path, machines[0])


def is_public(machine: str) -> bool:
    """Tell whether an IP address is on the Internet, and stands for no inner one."""
    address = ip_address(machine.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in NAT64:
            inner.append(ip_address(int(address) & 0xFFFFFFFF))
        if not all(is_public(str(each)) for each in inner if each):
            return False
        if address.ipv4_mapped:
            return True
    return address.is_global and not address.is_multicast


def _machines(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryFailed(_("Nobody knows the name of the receiver.")) from error
    return [str(each[4][0]) for each in found]


@sensitive_variables()
def _post(endpoint: WebhookEndpoint, delivery: Delivery) -> int:
    """Return the status that the receiver answers; nothing else of it is read."""
    import urllib3

    target = target_of(endpoint.url)
    body = json.dumps(delivery.content, separators=(",", ":")).encode()
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS)
    options: dict[str, Any] = {"timeout": timeout, "retries": False, "maxsize": 1}
    # To the machine that was looked at: the name might lead elsewhere the next time.
    if target.scheme == "https":
        pool: Any = urllib3.HTTPSConnectionPool(
            target.machine,
            target.port,
            server_hostname=target.host,
            assert_hostname=target.host,
            cert_reqs="CERT_REQUIRED",
            **options,
        )
    else:
        pool = urllib3.HTTPConnectionPool(target.machine, target.port, **options)
    try:
        answer = pool.urlopen(
            "POST",
            target.path,
            body=body,
            headers=_headers(endpoint, delivery, body, target),
            redirect=False,
            preload_content=False,
        )
        return int(answer.status)
    except urllib3.exceptions.NewConnectionError as error:
        # To urllib3 it is a kind of time-out.
        raise DeliveryFailed(_("The receiver can't be reached.")) from error
    except urllib3.exceptions.TimeoutError as error:
        raise DeliveryFailed(_("The receiver did not answer in time.")) from error
    except urllib3.exceptions.SSLError as error:
        raise DeliveryFailed(_("The receiver has no valid certificate.")) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise DeliveryFailed(_("The receiver can't be reached.")) from error
    finally:
        pool.close()


@sensitive_variables()
def _headers(
    endpoint: WebhookEndpoint, delivery: Delivery, body: bytes, target: Target
) -> dict[str, str]:
    from standardwebhooks import Webhook

    # One moment in UTC, as the library refuses its own signature of a local time.
    now = timezone.now().astimezone(zones.utc)
    key, text = f"msg_{delivery.key}", body.decode()
    signatures = [
        Webhook(secret).sign(msg_id=key, timestamp=now, data=text)
        for secret in endpoints.secrets_of(endpoint, now)
    ]
    return {
        "Host": _host(target),
        "Content-Type": "application/json",
        "User-Agent": f"oscar_training_credits/{__version__}",
        "webhook-id": key,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _host(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    is_usual = target.port == {"https": 443, "http": 80}[target.scheme]
    return host if is_usual else f"{host}:{target.port}"


def _given_up(delivery: Delivery, failed: DeliveryFailed) -> Exception:
    began: datetime = delivery.replayed_at or delivery.created_at
    if timezone.now() < began + GIVEN_UP_AFTER:
        return failed
    text = _("Given up after five days. %(error)s") % {"error": failed}
    return DeliveryDropped(text)
