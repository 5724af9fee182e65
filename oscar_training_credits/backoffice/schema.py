"""The API's own description, in OpenAPI 3.1."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any, ClassVar

from django.urls import reverse
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from drf_spectacular.settings import patched_settings
from rest_framework.response import Response

from .. import __version__
from .problem_page import OpenView

SETTINGS = {
    "TITLE": "Training credits",
    "VERSION": __version__,
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": True,
    "SCHEMA_PATH_PREFIX": "/",
    "ENUM_NAME_OVERRIDES": {},
    "POSTPROCESSING_HOOKS": [],
    "PREPROCESSING_HOOKS": [],
    "APPEND_COMPONENTS": {},
    "SECURITY": [],
}
"""What the description does not take from the site's own settings."""

_lock = Lock()


class SchemaView(OpenView):
    """The description of the API, for everybody: it says nothing about the shop."""

    renderer_classes: ClassVar[list[Any]] = [OpenApiJsonRenderer, OpenApiJsonRenderer2]

    def get(self, request: Any) -> Response:
        own = reverse("training_credits_backoffice:schema")
        url = request.build_absolute_uri(own).rsplit("/", 2)[0]
        return Response({**description(), "servers": [{"url": url}]})


@cache
def _described() -> dict[str, Any]:
    make: Any = SchemaGenerator
    generator = make(urlconf="oscar_training_credits.backoffice.urls")
    with patched_settings(SETTINGS), translation.override("en"):
        schema: dict[str, Any] = generator.get_schema(request=None, public=True)
    return schema


def description() -> dict[str, Any]:
    """Return the API's description, without the address of the server."""
    # drf-spectacular keeps the settings in one place for all threads.
    with _lock:
        return _described()
