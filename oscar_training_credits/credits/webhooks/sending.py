"""Messages sent to endpoints, signed as Standard Webhooks says, and never inwards.

https://www.standardwebhooks.com/ is where headers and signature are from.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import timezone as zones
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from threading import Event, Timer
from urllib.parse import urlsplit

from django.utils import timezone
from django.utils.encoding import iri_to_uri
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
UNICAST = IPv6Network("2000::/3")


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
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError as error:
        raise DeliveryFailed(_("The address can't be read.")) from error
    is_trusted = f"{host}:{port}" in settings.WEBHOOK_HOSTS
    if not host or parts.username is not None or parts.password is not None:
        raise DeliveryFailed(_("The address can't be read."))
    if parts.scheme != "https" and not (is_trusted and parts.scheme == "http"):
        raise DeliveryFailed(_("The address must begin with https."))
    machines = _machines(host, port)
    if not is_trusted and not all(map(is_public, machines)):
        raise DeliveryFailed(_("The address leads to a machine of an inner network."))
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    return Target(parts.scheme, host, port, iri_to_uri(path), machines[0])


def is_public(machine: str) -> bool:
    """Tell whether an IP address is on the Internet, and stands for no inner one."""
    address = ip_address(machine.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    if stands_for := address.ipv4_mapped or _behind_nat64(address):
        return is_public(str(stands_for))
    inner = [address.sixtofour, *(address.teredo or ())]
    if not all(is_public(str(each)) for each in inner if each):
        return False
    # Python knows of what is reserved there, and not of all that is outside.
    return address in UNICAST and address.is_global


def _behind_nat64(address: IPv6Address) -> IPv4Address | None:
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else None


def _machines(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryFailed(_("Nobody knows the name of the receiver.")) from error
    return [str(each[4][0]) for each in found]


@sensitive_variables()
def _post(endpoint: WebhookEndpoint, delivery: Delivery) -> int:
    """Return the status that the receiver answers; nothing else of it is read."""
    target = target_of(endpoint.url)
    body = json.dumps(delivery.content, separators=(",", ":")).encode()
    headers = _headers(endpoint, delivery, body, target)
    try:
        with _connected(target) as connection:
            connection.request("POST", target.path, body=body, headers=headers)
            return connection.getresponse().status
    except TimeoutError as error:
        raise DeliveryFailed(_("The receiver did not answer in time.")) from error
    except ssl.SSLError as error:
        raise DeliveryFailed(_("The receiver has no valid certificate.")) from error
    except (OSError, HTTPException) as error:
        raise DeliveryFailed(_("The receiver can't be reached.")) from error


@contextmanager
def _connected(target: Target) -> Iterator[HTTPConnection]:
    """Connect to the machine that was looked at: its name may lead elsewhere now."""
    machine = target.machine, target.port
    with (
        socket.create_connection(machine, timeout=CONNECT_SECONDS) as plain,
        _encrypted(plain, target) as ours,
        _cut_off_in_time(ours),
    ):
        ours.settimeout(ANSWER_SECONDS)
        if isinstance(ours, ssl.SSLSocket):
            ours.do_handshake()
        connection = HTTPConnection(target.host, target.port)
        connection.sock = ours
        yield connection


def _encrypted(plain: socket.socket, target: Target) -> socket.socket:
    if target.scheme != "https":
        return plain
    # It asks for a certificate that is valid for this name.
    return ssl.create_default_context().wrap_socket(
        plain, server_hostname=target.host, do_handshake_on_connect=False
    )


@contextmanager
def _cut_off_in_time(ours: socket.socket) -> Iterator[None]:
    # The time-out of a socket is for each piece that comes, however small.
    is_late = Event()

    def cut_off() -> None:
        is_late.set()
        with suppress(OSError):
            # Not the method of an SSL socket, which is for its own thread alone.
            socket.socket.shutdown(ours, socket.SHUT_RDWR)

    timer = Timer(ANSWER_SECONDS, cut_off)
    timer.start()
    try:
        yield
    except (OSError, HTTPException) as error:
        if is_late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()


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
