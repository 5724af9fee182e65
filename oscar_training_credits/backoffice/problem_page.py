"""What the address in a problem's `type` leads to, and any that leads to nothing."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import Http404
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from . import problems


class OpenView(APIView):
    """Something for everybody, in JSON."""

    authentication_classes: ClassVar[list[Any]] = []
    permission_classes: ClassVar[list[Any]] = []
    renderer_classes: ClassVar[list[Any]] = [JSONRenderer]
    throttle_classes: ClassVar[list[Any]] = []
    versioning_class = None
    schema = None

    def get_exception_handler(self) -> Any:
        return problems.handle


class NothingView(OpenView):
    """Whatever is asked for that is not there."""

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        raise Http404


class ProblemView(OpenView):
    """A kind of problem in words, for who reads the answer of the API."""

    def get(self, request: Any, name: str) -> Response:
        if not (kind := problems.KINDS.get(name)):
            raise Http404
        return Response({"title": str(kind.title), "status": kind.status})
