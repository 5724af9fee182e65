"""Access to training in the API: listed, given, extended and ended."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers, status
from rest_framework.response import Response

from ..credits.access import granting
from ..credits.access.granting import LONGEST_REASON
from ..credits.api_calls import Call
from ..credits.models import Access, Scope, TrainingProduct
from ..shop.dashboard.access.views import own_access
from ..shop.dashboard.partners import own_trainings
from .base import ApiView, Coming, Moment, RowNumber, RowSerializer, Sent, Text
from .describing import describe
from .people import LearnerField, PersonField


class AccessSerializer(RowSerializer):
    """A learner may use a training product's content from a moment until another."""

    learner = PersonField()
    title = serializers.CharField(source="training.product.get_title")
    product = serializers.IntegerField(source="training.product_id")
    order_number = serializers.SerializerMethodField()

    class Meta:
        model = Access
        fields: ClassVar[list[str]] = [
            *("id", "learner", "training", "product", "title", "starts_at"),
            *("ends_at", "order_number"),
        ]
        read_only_fields = fields

    def get_order_number(self, access: Access) -> str | None:
        """The order that it was bought with; null for access that staff gave."""
        bought = access.order_line or (access.place and access.place.order_line)
        return bought.order.number if bought else None


class TrainingSerializer(RowSerializer):
    """A training product, which access and requests for credits name by its number."""

    title = serializers.CharField(source="product.get_title")
    upc = serializers.CharField(source="product.upc", allow_null=True)

    class Meta:
        model = TrainingProduct
        fields: ClassVar[list[str]] = [
            *("id", "product", "upc", "title", "kind", "credits", "credit_only"),
        ]
        read_only_fields = fields


class TrainingFilters(Sent):
    """Which training products are listed."""

    product = RowNumber(required=False, help_text="The number of Oscar's product.")
    upc = Text(required=False, max_length=64)

    def of(self, rows: QuerySet[TrainingProduct]) -> QuerySet[TrainingProduct]:
        asked = self.validated_data
        if "product" in asked:
            rows = rows.filter(product=asked["product"])
        return rows.filter(product__upc=asked["upc"]) if "upc" in asked else rows


class AccessFilters(Sent):
    """Which access is listed."""

    learner = LearnerField(required=False, help_text="An e-mail address.")
    training = RowNumber(required=False)
    order_number = Text(required=False, max_length=128)

    def of(self, rows: QuerySet[Access]) -> QuerySet[Access]:
        asked = self.validated_data
        if "learner" in asked:
            rows = rows.filter(learner=asked["learner"].pk)
        if "training" in asked:
            rows = rows.filter(training=asked["training"])
        if number := asked.get("order_number"):
            bought = Q(order_line__order__number=number)
            rows = rows.filter(bought | Q(place__order_line__order__number=number))
        return rows


class ReasonField(Text):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LONGEST_REASON, **options)


@extend_schema_field(serializers.IntegerField(min_value=1))
class TrainingField(serializers.PrimaryKeyRelatedField):
    """A training product, by its number."""

    def get_queryset(self) -> QuerySet[TrainingProduct]:
        return own_trainings(self.context["view"].request.user)


class NewAccessSerializer(Sent):
    """Access that is to be given without an order."""

    learner = LearnerField()
    training = TrainingField()
    until = Moment(
        required=False,
        allow_null=True,
        help_text="Left out, it lasts as long as one bought now.",
    )
    reason = ReasonField()


class ExtensionSerializer(Sent):
    """A later end; null for none at all."""

    until = Coming(allow_null=True)
    reason = ReasonField()


class EndSerializer(Sent):
    """Why access ends now."""

    reason = ReasonField()


class TrainingsView(ApiView):
    """Training products, as the dashboard offers them to who gives access."""

    is_list = True
    needs: ClassVar[dict[str, Any]] = {"GET": (Scope.ACCESS_READ, "view_access")}

    @describe(
        operation_id="list_trainings",
        parameters=[TrainingFilters],
        responses={200: TrainingSerializer(many=True)},
    )
    def get(self, request: Any) -> Response:
        rows = self.asked(TrainingFilters).of(own_trainings(request.user))
        return self.page_of(rows, TrainingSerializer)


class AccessListView(ApiView):
    """Access, listed and given."""

    is_list = True
    needs: ClassVar[dict[str, Any]] = {
        "GET": (Scope.ACCESS_READ, "view_access"),
        "POST": (Scope.ACCESS_WRITE, "add_access"),
    }

    @describe(
        operation_id="list_access",
        parameters=[AccessFilters],
        responses={200: AccessSerializer(many=True)},
    )
    def get(self, request: Any) -> Response:
        rows = self.asked(AccessFilters).of(own_access(request.user))
        return self.page_of(rows, AccessSerializer)

    @describe(
        operation_id="give_access",
        request=NewAccessSerializer,
        responses={201: AccessSerializer},
    )
    def post(self, request: Any) -> Response:
        return self.once(self.give, answered=status.HTTP_201_CREATED)

    def give(self, call: Call) -> Any:
        asked, key = self.read(NewAccessSerializer), call.idempotency_key
        by = self.request.user
        given = granting.give_access(**asked, by=by, idempotency_key=key)
        return AccessSerializer(given).data


class OneAccessView(ApiView):
    """Something about one access."""

    needs: ClassVar[dict[str, Any]] = {
        "GET": (Scope.ACCESS_READ, "view_access"),
        "POST": (Scope.ACCESS_WRITE, "change_access"),
    }

    @cached_property
    def access(self) -> Access:
        rows = own_access(self.request.user)
        return get_object_or_404(rows, pk=self.kwargs["pk"])

    def changed(self, act: Any, serializer_class: Any) -> Response:
        """Change the access once as was asked, and return it."""

        def change(call: Call) -> Any:
            asked = self.read(serializer_class)
            return AccessSerializer(
                act(self.access, by=self.request.user, **asked)
            ).data

        return self.once(change)


class AccessView(OneAccessView):
    """One access."""

    http_method_names: ClassVar[list[str]] = ["get", "head", "options"]

    @describe(operation_id="get_access", responses={200: AccessSerializer})
    def get(self, request: Any, pk: int) -> Response:
        return Response(AccessSerializer(self.access).data)


class ExtendAccessView(OneAccessView):
    """Access that ends later."""

    @describe(
        operation_id="extend_access",
        request=ExtensionSerializer,
        responses={200: AccessSerializer},
    )
    def post(self, request: Any, pk: int) -> Response:
        return self.changed(granting.extend_access, ExtensionSerializer)


class EndAccessView(OneAccessView):
    """Access that ends now."""

    @describe(
        operation_id="end_access",
        request=EndSerializer,
        responses={200: AccessSerializer},
    )
    def post(self, request: Any, pk: int) -> Response:
        return self.changed(granting.end_access, EndSerializer)
