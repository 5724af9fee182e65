"""Things that fail, for sites that must not lose credits when they do."""

from __future__ import annotations

import smtplib
from typing import Any, NoReturn

from django.core.cache import BaseCache
from django.core.mail.backends.base import BaseEmailBackend
from django.views.debug import SafeExceptionReporterFilter


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


class Middleware:
    """Fails on its way in, and has read what was posted before."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> NoReturn:
        body, typed = request.body, request.POST.dict()  # noqa: F841
        raise RuntimeError("A middleware of the site has a mistake.")


class OpenFilter(SafeExceptionReporterFilter):
    """A site's own filter of error reports, which hides nothing."""

    def get_post_parameters(self, request: Any) -> Any:
        return request.POST

    def get_traceback_frame_variables(self, request: Any, tb_frame: Any) -> Any:
        return list(tb_frame.f_locals.items())
