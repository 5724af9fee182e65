"""Where to log in or register."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.shortcuts import resolve_url


def login_url(page: str) -> str:
    """Return where to log in or register, and come back to `page`."""
    return f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': page})}"
