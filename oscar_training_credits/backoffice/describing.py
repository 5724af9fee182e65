"""How a view of the API is described: what each has, said once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from ..mixins import Extension
from .base import Sent

F = TypeVar("F", bound=Callable[..., Any])

KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description=(
        "What the caller makes up for this one change, such as a UUID. The same again"
        " gets the first answer."
    ),
)
ALWAYS = (401, 403, 406)
OF_BODIES = (400, 415)
OF_CHANGES = (409, 422, 503)


class PointedErrorSerializer(serializers.Serializer):
    """What is wrong in one place of what was sent."""

    pointer = serializers.CharField(help_text="A JSON pointer to the place.")
    detail = serializers.CharField()


class RefusedLineSerializer(serializers.Serializer):
    """Why credits of a line of an order are not given back."""

    line = serializers.IntegerField()
    reason = serializers.CharField()
    left = serializers.IntegerField(help_text="How many units could be given back.")


class ProblemSerializer(serializers.Serializer):
    """Problem details, as in RFC 9457."""

    type = serializers.URLField(help_text="It leads to a description.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(required=False)
    errors = PointedErrorSerializer(many=True, required=False)
    refusals = RefusedLineSerializer(many=True, required=False)


class SentExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """How the schema says that nothing else may be sent."""

    target_class = Sent
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        described: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        return {**described, "additionalProperties": False}


class SharedMixin(Extension):
    """Adds what each view of the API has: problems, and the key of a change."""

    view: Any
    method: str

    def get_override_parameters(self) -> list[Any]:
        own = list(super().get_override_parameters())
        return [*own, KEY] if self._changes() else own

    def get_response_serializers(self) -> Any:
        answers = super().get_response_serializers()
        statuses = [*ALWAYS, *self.view.problems]
        if self.method in ("POST", "PATCH"):
            statuses += [*OF_BODIES, *OF_CHANGES]
        elif self._is_filtered():
            statuses.append(400)
        if "{" in self.path:
            statuses.append(404)
        problem = OpenApiResponse(ProblemSerializer)
        media = "application/problem+json"
        return {
            **{str(status): answer for status, answer in answers.items()},
            **{(str(status), media): problem for status in sorted(set(statuses))},
        }

    def get_tags(self) -> list[str]:
        return [self.path.strip("/").split("/")[0]]

    def _changes(self) -> bool:
        return self.method == "POST" and self.view.is_done_once

    def _is_filtered(self) -> bool:
        return bool(super().get_override_parameters()) or self.view.is_list


def describe(**options: Any) -> Callable[[F], F]:
    """Describe a method of a view, as `extend_schema` does.

    That one builds upon whatever class the site has set for its own schema.
    """

    def decorate(method: Any) -> Any:
        method.kwargs = {"schema": AutoSchema}
        described: Any = extend_schema(**options)(method)
        bases = (SharedMixin, described.kwargs["schema"])
        described.kwargs["schema"] = type("ApiSchema", bases, {})
        return described

    return decorate
