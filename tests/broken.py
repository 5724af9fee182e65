"""Things that fail, for sites that must not lose credits when they do."""

from __future__ import annotations

import smtplib
from typing import Any, NoReturn

from django.core.cache import BaseCache
from django.core.mail.backends.base import BaseEmailBackend


class EmailBackend(BaseEmailBackend):
    def send_messages(self, email_messages: object) -> NoReturn:
        raise smtplib.SMTPServerDisconnected("The mail server is away.")


class Cache(BaseCache):
    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def add(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ConnectionRefusedError("The cache is away.")


def rule(code: object, purchase: object) -> NoReturn:
    raise RuntimeError("A rule of the site has a mistake.")
