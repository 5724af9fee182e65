"""What the views of the API have in common, whatever the site has set for others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from datetime import timezone as zones
from functools import partial
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.openapi import AutoSchema
from rest_framework import ISO_8601, serializers, status
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from ..converters import number_in
from ..credits import api_calls
from ..credits.api_calls import Call
from ..credits.codes.listing import key_in
from ..credits.isolation import own_transaction
from ..exceptions import TrainingCreditsError
from . import problems
from .tokens import TokenAuthentication, TokenPermission

KEY_HEADER = "Idempotency-Key"
LONGEST_KEY = 255
PAGING = ("cursor", "page_size")
"""What the query of a list has besides its filters."""


RowNumber = partial(serializers.IntegerField, min_value=1, max_value=10**18)
"""The number of a row, as in addresses: of 18 digits at most, which databases hold."""


class Json(JSONParser):
    """A body in JSON, of which nobody can make Python run out of depth."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error


class Moment(serializers.DateTimeField):
    """A moment in UTC, as RFC 3339 writes it, whatever format the site has set."""

    def __init__(self, **options: Any) -> None:
        super().__init__(format=ISO_8601, default_timezone=zones.utc, **options)


def refuse_past(moment: datetime) -> None:
    """Refuse an end that is over, as a field or its serializer."""
    if moment <= timezone.now():
        raise serializers.ValidationError(_("This moment has passed."))


class Coming(Moment):
    """A moment that has not passed yet."""

    def __init__(self, **options: Any) -> None:
        super().__init__(validators=[refuse_past], **options)


class Text(serializers.CharField):
    """A text whose blanks at the ends count for its length, as the schema says."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if isinstance(data, str) and self.max_length and len(data) > self.max_length:
            super().run_validators(data)
        return super().run_validation(data)


class NameField(serializers.SlugRelatedField):
    """A row by a text of its own, as databases can hold it."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(Text().run_validation(data))


class RowSerializer(serializers.ModelSerializer):
    """Fields of a model's row."""

    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: Text,
        models.DateTimeField: Moment,
        models.TextField: Text,
    }


class Sent(serializers.Serializer):
    """What a caller sends, of which nothing is overlooked.

    A refund whose `lines` are misspelt would give all of the order back.
    """

    def to_internal_value(self, data: Any) -> Any:
        names = data if isinstance(data, Mapping) else ()
        if unknown := [name for name in names if name not in self.fields]:
            text = _("There is no such field.")
            raise serializers.ValidationError(dict.fromkeys(unknown, text))
        return super().to_internal_value(data)


class NewestFirst(CursorPagination):
    """Pages that neither lose nor repeat a row while others are written.

    They are ordered by the primary key alone: rows of one moment would get lost.
    """

    ordering = "-pk"
    page_size = 100
    max_page_size = 500
    page_size_query_param = "page_size"

    def decode_cursor(self, request: Any) -> Any:
        cursor = super().decode_cursor(request)
        if cursor and cursor.position and number_in(cursor.position) is None:
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        described: dict[str, Any] = super().get_paginated_response_schema(schema)
        described["required"] = ["next", "previous", "results"]
        return described


class KeysFirst(NewestFirst):
    """Pages whose keys are found before the rows are read.

    A database that walked along the primary key would look at each row until it had met
    enough of those that are asked for.
    """

    def first_keys(self, rows: Any, cursor: Any, most: int) -> list[int]:
        """Return the first keys of the rows after a cursor, in the order of its pages.

        With `cursor.reverse` that is the other order.
        """
        raise NotImplementedError

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        cursor = self.decode_cursor(request)
        most = self.get_page_size(request) + 1 + (cursor.offset if cursor else 0)
        keys = self.first_keys(queryset, cursor, most)
        found = queryset.filter(key_in("pk", keys))
        return super().paginate_queryset(found, request, view)


@method_decorator(never_cache, name="dispatch")
class ApiView(APIView):
    """A view that answers in JSON to tokens, and describes itself in the schema."""

    authentication_classes: Any = [TokenAuthentication]
    permission_classes: Any = [TokenPermission]
    parser_classes: Any = [Json]
    renderer_classes: Any = [JSONRenderer]
    throttle_classes: Any = []
    versioning_class: Any = None
    schema = AutoSchema()

    needs: ClassVar[dict[str, tuple[str, Any]]] = {}
    """By method: the scope, and the permission or what asks the user for it."""
    is_done_once: ClassVar[bool] = True
    """What it does with a POST needs an idempotency key."""
    is_list: ClassVar[bool] = False
    """It answers a GET in pages."""
    problems: ClassVar[tuple[int, ...]] = ()
    """What else may go wrong, for the schema: statuses."""

    @property
    def pagination_class(self) -> Any:
        return NewestFirst if self.is_list else None

    def get_exception_handler(self) -> Any:
        return problems.handle

    @sensitive_variables()
    def read(self, serializer_class: Any, **options: Any) -> dict[str, Any]:
        """Return what was sent in the body, checked."""
        serializer = serializer_class(
            data=self.request.data, context={"view": self}, **options
        )
        serializer.is_valid(raise_exception=True)
        data: dict[str, Any] = serializer.validated_data
        return data

    def asked(self, serializer_class: Any) -> Any:
        """Return the filters that the query asks for, checked."""
        # Not as a form, which leaves out what is empty.
        query = self.request.query_params.dict()
        named = {name: query[name] for name in query if name not in PAGING}
        filters = serializer_class(data=named)
        filters.is_valid(raise_exception=True)
        return filters

    def page_of(
        self, rows: Any, serializer_class: Any, paginator_class: Any = NewestFirst
    ) -> Response:
        """Return one page of a list."""
        paginator = paginator_class()
        page = paginator.paginate_queryset(rows, self.request, view=self)
        serializer = serializer_class(page, many=True, context={"view": self})
        response: Response = paginator.get_paginated_response(serializer.data)
        return response

    @sensitive_variables()
    def once(
        self,
        act: Callable[[Call], Any],
        *,
        answered: int = status.HTTP_200_OK,
        complete: Callable[[Any, Call], Any] = lambda body, call: body,
    ) -> Response:
        """Do what changes something, once for the idempotency key of the request.

        `act` reads what was sent, and returns what is answered and kept; `complete`
        adds to it what must not be kept. What fails is not kept, and can be tried again
        with the same key. The same again is not read: a name in it may be gone by now.
        """
        key = self._key()
        with own_transaction():
            call = api_calls.begin(self.request.auth, key, request=self._asked_for())
            if not call.is_repeated:
                body = json.loads(JSONRenderer().render(_done(act, call)))
                api_calls.finish(call, status=answered, body=body)
        body = complete(call.row.body, call)
        return Response(body, call.row.status)

    @sensitive_variables()
    def _key(self) -> str:
        # The draft writes it as a structured field: in quotes, which many leave out.
        key = self.request.headers.get(KEY_HEADER, "").strip().strip('"')
        if not key:
            raise problems.KeyMissing
        if len(key) > LONGEST_KEY:
            text = f"{KEY_HEADER} has {LONGEST_KEY} characters at most."
            raise serializers.ValidationError(text)
        return key

    @sensitive_variables()
    def _asked_for(self) -> bytes:
        # What means the same, such as other spaces, is the same request.
        body = json.dumps(self.request.data, sort_keys=True)
        return f"{self.request.method} {self.request.path}\n{body}".encode()


@sensitive_variables()
def _done(act: Callable[[Call], Any], call: Call) -> Any:
    try:
        return act(call)
    except TrainingCreditsError:
        raise
    except ValueError as error:
        # As the services refuse what makes no sense.
        raise serializers.ValidationError(str(error)) from error
