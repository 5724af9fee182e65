"""Who is asking, from a request."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from ..aliases import Request
from ..conf import settings
from ..credits.codes.throttling import Requester

IPV6_PREFIX = 64  # what one customer gets, and can take any address from
NO_ADDRESS = "unknown"


def requester_of(request: Request) -> Requester:
    """Return who makes this request, as wrong codes are counted."""
    user: Any = getattr(request, "user", None)
    is_known = bool(user and user.is_authenticated)
    return Requester(
        learner_id=user.pk if is_known else None,
        session_key=_session_key(request, is_known=is_known),
        network=network_of(settings.load("CLIENT_ADDRESS")(request)),
    )


def _session_key(request: Request, *, is_known: bool) -> str | None:
    session = getattr(request, "session", None)
    if session is not None and not session.session_key and not is_known:
        # Or a visitor's first try would count towards nobody's limit.
        session.create()
    return session.session_key if session is not None else None


def client_address(request: Request) -> str:
    """Return the visitor's address, or that of the nearest thing that is trusted.

    `TRAINING_CREDITS_PROXY_COUNT` proxies are believed, and nothing that the visitor
    can write: each proxy appends the address that it sees to X-Forwarded-For.
    """
    remote = str(request.META.get("REMOTE_ADDR", ""))
    if not (trusted := settings.PROXY_COUNT):
        return remote
    header = str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
    seen = [address.strip() for address in header.split(",") if address.strip()]
    # Fewer than there are proxies: this request came past one of them.
    return seen[-trusted] if len(seen) >= trusted else remote


def network_of(address: str) -> str:
    """Return what an address is counted as: an IPv4 address, an IPv6 network.

    All that are no addresses are counted together.
    """
    try:
        parsed = ip_address(without_port(address))
    except ValueError:
        return NO_ADDRESS
    if isinstance(parsed, IPv6Address):
        if not parsed.ipv4_mapped:
            return str(ip_network((int(parsed), IPV6_PREFIX), strict=False))
        parsed = parsed.ipv4_mapped
    return str(parsed)


def without_port(address: str) -> str:
    """Leave out what some proxies add: `192.0.2.1:8080`, `[2001:db8::1]:8080`."""
    address = address.strip()
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, _, port = address.partition(":")
    return address if ":" in port else host
