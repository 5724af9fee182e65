"""Error reports show nothing of a request to an address that takes a code.

Marks on a view do not reach far enough. A middleware may fail before the view is
called, and the frames of Django, Oscar and a site hold the text as well.
"""

from __future__ import annotations

from copy import copy
from typing import Any, cast

from django.http import QueryDict
from django.urls import ResolverMatch, resolve
from django.utils import translation
from django.utils.translation import get_language, get_language_from_path
from django.views.debug import (
    SafeExceptionReporterFilter,
    get_exception_reporter_filter,
)

from ..aliases import Request
from ..mixins import Extension
from .loading import with_mixin

STARS = SafeExceptionReporterFilter.cleansed_substitute
OWNERS = ("view_class", "cls", "model_admin")
"""Where Django, the REST framework and Django's admin keep what a view belongs to."""
TYPED = ("QUERY_STRING", "REQUEST_URI", "RAW_URI", "HTTP_REFERER")


class ErrorReportFilterMixin(Extension):
    """For a site's own filter of error reports: no code is in them.

    A view takes a code if it, its class or its model admin says `takes_code = True`;
    `secrets_in_address` names the parts of its address that are secrets themselves.
    """

    def get_post_parameters(self, request: Request) -> Any:
        if request is None or not self.hides_all_of(request):
            return super().get_post_parameters(request)
        return dict.fromkeys(request.POST, STARS)

    def get_safe_request_meta(self, request: Request) -> Any:
        meta = super().get_safe_request_meta(request)
        if request is None or not self.hides_all_of(request):
            return meta
        return {**meta, **{name: STARS for name in TYPED if name in meta}}

    def get_traceback_frame_variables(self, request: Request, tb_frame: Any) -> Any:
        variables = super().get_traceback_frame_variables(request, tb_frame)
        if request is None or not self.hides_all_of(request):
            return variables
        return [(name, STARS) for name, _value in variables]

    def hides_all_of(self, request: Request) -> bool:
        return self.is_active(request) and takes_code(request)


class ErrorReportFilter(ErrorReportFilterMixin, SafeExceptionReporterFilter):
    """Django's filter of error reports, and no code in them."""


def hide_codes(sender: Any, *, request: Request = None, **kwargs: Any) -> None:
    """Receive Django's `got_request_exception`, which is sent before any report."""
    if request is None:
        return
    known: Any = get_exception_reporter_filter(request)
    if known.is_active(request) and takes_code(request):
        hiding = copy(known)
        base: type = type(known)
        hiding.__class__ = with_mixin(base, ErrorReportFilterMixin)
        request.exception_reporter_filter = hiding
        forget_typed(request)


def takes_code(request: Request) -> bool:
    """Tell whether the address of a request takes a code, or may take one."""
    match = match_of(request)
    return match is None or bool(said_by(match.func, "takes_code"))


def match_of(request: Request) -> ResolverMatch | None:
    """Return the view of a request, also before Django has looked for it."""
    if known := request.resolver_match:
        return cast("ResolverMatch", known)
    path = request.path_info
    try:
        # Nobody may have looked at the language of the address yet, either.
        with translation.override(get_language_from_path(path) or get_language()):
            return resolve(path, getattr(request, "urlconf", None))
    except Exception:  # whatever a site's addresses fail with, it is reported already
        return None


def said_by(view: Any, name: str) -> Any:
    """Return what a view, its class or its model admin says of itself."""
    owners = (getattr(view, owner, None) for owner in OWNERS)
    said = (getattr(each, name, None) for each in (view, *owners))
    return next(filter(None, said), None)


def forget_typed(request: Request) -> None:
    """Take what was typed from a request that has failed.

    Others read it as well: what collects errors, and the line in the log.
    """
    request.POST = request.GET = QueryDict()
    request._body = b""
    request.META.update({name: "" for name in TYPED if name in request.META})
    if match := match_of(request):
        for name in said_by(match.func, "secrets_in_address") or ():
            forget_in_path(request, match.kwargs[name])


def forget_in_path(request: Request, secret: str) -> None:
    request.path = request.path.replace(secret, STARS)
    request.path_info = request.path_info.replace(secret, STARS)
    request.META["PATH_INFO"] = request.path_info
