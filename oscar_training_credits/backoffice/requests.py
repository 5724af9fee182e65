"""Requests for credits in the API: made for a learner, listed and answered."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers, status
from rest_framework.response import Response

from ..credits.api_calls import Call
from ..credits.ledger.credit_requests import with_content
from ..credits.models import CreditCode, CreditRequest, CreditRequestLine, Scope
from ..credits.models.requests import LONGEST_NOTE
from ..shop.communication import requests
from ..shop.dashboard.requests.views import APPROVE, DECLINE
from .access import TrainingField
from .base import ApiView, RowNumber, RowSerializer, Sent, Text
from .describing import describe
from .people import LearnerField, PersonField

VIEW = "view_creditrequest"
MOST_LINES = 50


class WantedSerializer(RowSerializer):
    """So many units of training."""

    title = serializers.CharField(source="training.product.get_title")

    class Meta:
        model = CreditRequestLine
        fields: ClassVar[list[str]] = ["training", "title", "quantity"]
        read_only_fields = fields


class RequestSerializer(RowSerializer):
    """A learner's question for the credits that a purchase lacks."""

    learner = PersonField()
    decided_by = PersonField()
    content = WantedSerializer(source="lines", many=True)

    class Meta:
        model = CreditRequest
        fields: ClassVar[list[str]] = [
            *("id", "learner", "code", "credits", "content", "note", "state"),
            *("child", "reason", "created_at", "decided_at", "decided_by"),
        ]
        read_only_fields = fields


class RequestFilters(Sent):
    """Which requests are listed."""

    state = serializers.ChoiceField(CreditRequest.State.choices, required=False)
    learner = LearnerField(required=False, help_text="An e-mail address.")
    code = RowNumber(required=False)

    def of(self, rows: QuerySet[CreditRequest]) -> QuerySet[CreditRequest]:
        asked = self.validated_data
        if "learner" in asked:
            rows = rows.filter(learner=asked["learner"].pk)
        exact = {name: asked[name] for name in ("state", "code") if name in asked}
        return rows.filter(**exact)


class AskedForSerializer(Sent):
    training = TrainingField()
    quantity = serializers.IntegerField(min_value=1, max_value=10_000, default=1)


@extend_schema_field(serializers.IntegerField(min_value=1))
class CodeField(serializers.PrimaryKeyRelatedField):
    """A code, by its number."""

    def get_queryset(self) -> QuerySet[CreditCode]:
        return CreditCode.objects.all()


class AskSerializer(Sent):
    """What is asked for in the name of a learner."""

    learner = LearnerField()
    content = AskedForSerializer(many=True, min_length=1, max_length=MOST_LINES)
    code = CodeField(
        required=False, allow_null=True, help_text="The code that was too small."
    )
    note = Text(max_length=LONGEST_NOTE, default="", allow_blank=True)

    def validate_content(self, content: list[dict[str, Any]]) -> Any:
        wanted = {each["training"]: each["quantity"] for each in content}
        if len(wanted) < len(content):
            raise serializers.ValidationError(_("Name each training once."))
        return wanted


class ApprovalSerializer(Sent):
    """The code that the credits come from."""

    code = CodeField(source="parent")


class DeclineSerializer(Sent):
    reason = Text(max_length=LONGEST_NOTE, help_text="The learner reads it.")


def all_requests() -> QuerySet[CreditRequest]:
    return with_content(CreditRequest.objects.all())


def shown(request: CreditRequest) -> Any:
    """Return a request as it is stored now."""
    return RequestSerializer(all_requests().get(pk=request.pk)).data


class RequestsView(ApiView):
    """Requests, listed and made."""

    is_list = True
    needs: ClassVar[dict[str, Any]] = {
        "GET": (Scope.REQUESTS_READ, VIEW),
        "POST": (Scope.REQUESTS_WRITE, DECLINE),
    }

    @describe(
        operation_id="list_requests",
        parameters=[RequestFilters],
        responses={200: RequestSerializer(many=True)},
    )
    def get(self, request: Any) -> Response:
        rows = self.asked(RequestFilters).of(all_requests())
        return self.page_of(rows, RequestSerializer)

    @describe(
        operation_id="ask_for_credits",
        request=AskSerializer,
        responses={201: RequestSerializer},
    )
    def post(self, request: Any) -> Response:
        return self.once(self.ask, answered=status.HTTP_201_CREATED)

    def ask(self, call: Call) -> Any:
        asked = self.read(AskSerializer)
        learner, content = asked.pop("learner"), asked.pop("content")
        made, _is_new = requests.ask(learner, content, **asked)
        return shown(made)


class OneRequestView(ApiView):
    """Something about one request."""

    needs: ClassVar[dict[str, Any]] = {"GET": (Scope.REQUESTS_READ, VIEW)}

    @cached_property
    def asked_for(self) -> CreditRequest:
        return get_object_or_404(all_requests(), pk=self.kwargs["pk"])

    def answer(self, act: Any, serializer_class: Any) -> Response:
        """Answer it once as was asked, and return it."""

        def answer(call: Call) -> Any:
            asked = self.read(serializer_class)
            return shown(act(self.asked_for, by=self.request.user, **asked))

        return self.once(answer)


class RequestView(OneRequestView):
    """One request."""

    @describe(operation_id="get_request", responses={200: RequestSerializer})
    def get(self, request: Any, pk: int) -> Response:
        return Response(RequestSerializer(self.asked_for).data)


class ApproveView(OneRequestView):
    """Credits given to the learner who asked, on a code of their own."""

    needs: ClassVar[dict[str, Any]] = {"POST": (Scope.REQUESTS_WRITE, APPROVE)}

    @describe(
        operation_id="approve_request",
        request=ApprovalSerializer,
        responses={200: RequestSerializer},
    )
    def post(self, request: Any, pk: int) -> Response:
        return self.answer(requests.approve, ApprovalSerializer)


class DeclineView(OneRequestView):
    """A request that is declined."""

    needs: ClassVar[dict[str, Any]] = {"POST": (Scope.REQUESTS_WRITE, DECLINE)}

    @describe(
        operation_id="decline_request",
        request=DeclineSerializer,
        responses={200: RequestSerializer},
    )
    def post(self, request: Any, pk: int) -> Response:
        return self.answer(requests.decline, DeclineSerializer)
