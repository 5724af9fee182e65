"""Orders in the API: what they took in credits, and credits given back."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model
from oscar.views.decorators import check_permissions
from rest_framework import serializers
from rest_framework.response import Response

from ..credits.api_calls import Call
from ..credits.ledger.refunding import Outcome, RefundReason
from ..credits.models import RefundLine, Scope
from ..shop.dashboard.partners import may_change_orders
from ..shop.order import refunds
from ..shop.order.refund_preview import RefundPreview, preview_refund
from ..shop.order.settlements import OrderCredits, credits_of
from .base import ApiView, Moment, RowNumber, Sent
from .describing import describe

MOST_LINES = 1_000


def may_view_orders(user: Any) -> bool:
    """Tell whether a user of the dashboard may look at orders, by Oscar's rights."""
    Permission = get_class("dashboard.permissions", "DashboardPermission")
    return bool(check_permissions(user, Permission.get("order", "view_order")))


class LineCreditsSerializer(serializers.Serializer):
    """The credits that a line took, and how many of them have gone back."""

    line = serializers.IntegerField(source="order_line.pk")
    title = serializers.CharField(source="order_line.title")
    quantity = serializers.IntegerField(source="order_line.quantity")
    credits = serializers.IntegerField()
    given_back = serializers.IntegerField()


class CodeCreditsSerializer(serializers.Serializer):
    """The credits that the order took from a code, and how many have gone back."""

    code = serializers.IntegerField(source="code.pk")
    label = serializers.CharField(source="code.label")
    last_four = serializers.CharField(source="code.last_four")
    credits = serializers.IntegerField()
    given_back = serializers.IntegerField()


class OrderCreditsSerializer(serializers.Serializer):
    """What an order took in credits; nothing for one that was paid in money alone."""

    credits = serializers.IntegerField()
    given_back = serializers.IntegerField()
    lines = LineCreditsSerializer(many=True)
    codes = CodeCreditsSerializer(many=True)


class LineQuantitySerializer(Sent):
    """So many units of a line of the order."""

    line = RowNumber()
    quantity = serializers.IntegerField(min_value=1, max_value=10**6)


class NewRefundSerializer(Sent):
    """What is to be given back. Without lines it is all that is left of the order."""

    lines = LineQuantitySerializer(many=True, required=False, max_length=MOST_LINES)

    def validate_lines(self, lines: list[dict[str, int]]) -> list[dict[str, int]]:
        numbers = [each["line"] for each in lines]
        if not lines or len(set(numbers)) < len(numbers):
            raise serializers.ValidationError(_("Name each line once."))
        return lines


class KeptSerializer(serializers.Serializer):
    """Why credits of a line do not come back."""

    line = serializers.IntegerField(source="order_line_id")
    reason = serializers.ChoiceField(
        [(each.value, each.value) for each in RefundReason], source="obstacle.value"
    )
    left = serializers.IntegerField(help_text="How many units could be given back.")
    moment = Moment(allow_null=True, help_text="When the credits expired.")


class GivenBackSerializer(serializers.Serializer):
    """Credits that went back to a code."""

    code = serializers.IntegerField(source="redemption.code_id")
    credits = serializers.IntegerField()
    lines = serializers.SerializerMethodField()

    def get_lines(self, refund: Any) -> list[int]:
        """The lines of the order that took them."""
        rows = RefundLine.objects.filter(refund=refund)
        line = "redemption_line__settled_line__order_line"
        return sorted(set(rows.values_list(line, flat=True)))


class RefundSerializer(serializers.Serializer):
    """What was given back, and what became of access."""

    refunds = GivenBackSerializer(many=True)
    kept = KeptSerializer(many=True, source="refusals")
    access_ended = serializers.ListField(
        child=serializers.IntegerField(), source="ended"
    )
    never_opens = serializers.ListField(
        child=serializers.IntegerField(), source="dropped"
    )
    places_taken_back = serializers.SerializerMethodField()

    def get_places_taken_back(self, outcome: Outcome) -> dict[str, int]:
        """How many places are gone, by the line of the order."""
        return {str(line): number for line, number in outcome.places}


class LinePreviewSerializer(serializers.Serializer):
    """What would become of a line."""

    line = serializers.IntegerField(source="line.pk")
    quantity = serializers.IntegerField()
    credits = serializers.SerializerMethodField()
    access_ends = serializers.BooleanField()
    never_opens = serializers.BooleanField()
    places = serializers.IntegerField()
    claimed_places = serializers.IntegerField()

    def get_credits(self, line: Any) -> int:
        """The credits of it that would go back."""
        return sum(each.credits for each in line.destinations)


class RefundPreviewSerializer(serializers.Serializer):
    """What giving credits back would do now."""

    credits = serializers.IntegerField()
    lines = LinePreviewSerializer(many=True)
    kept = KeptSerializer(many=True, source="refusals")


class OneOrderView(ApiView):
    """Something about one order."""

    @cached_property
    def order(self) -> Any:
        orders = get_model("order", "Order")._default_manager
        return get_object_or_404(orders, number=self.kwargs["number"])

    def chosen(self, asked: dict[str, Any]) -> list[tuple[Any, int]]:
        """Return the lines that are named, with their quantities; else what is left.

        Raises:
            Http404: the order has no such line.
        """
        lines = {line.pk: line for line in self.order.lines.all()}
        if "lines" not in asked:
            settled = [line for line in lines.values() if hasattr(line, "settled_line")]
            return [(line, line.settled_line.left) for line in settled]
        wanted = {each["line"]: each["quantity"] for each in asked["lines"]}
        if not wanted.keys() <= lines.keys():
            raise Http404
        return [(lines[pk], quantity) for pk, quantity in wanted.items()]


class OrderCreditsView(OneOrderView):
    """The credits that an order took."""

    needs: ClassVar[dict[str, Any]] = {"GET": (Scope.ORDERS_READ, may_view_orders)}

    @describe(operation_id="get_order_credits", responses={200: OrderCreditsSerializer})
    def get(self, request: Any, number: str) -> Response:
        credits: OrderCredits = credits_of(self.order)
        return Response(OrderCreditsSerializer(credits).data)


class RefundPreviewView(OneOrderView):
    """What a refund would do, without doing it."""

    is_done_once = False
    needs: ClassVar[dict[str, Any]] = {"POST": (Scope.ORDERS_READ, may_view_orders)}

    @describe(
        operation_id="preview_refund",
        request=NewRefundSerializer,
        responses={200: RefundPreviewSerializer},
    )
    def post(self, request: Any, number: str) -> Response:
        chosen = self.chosen(self.read(NewRefundSerializer))
        left = [(line, quantity) for line, quantity in chosen if quantity]
        preview = preview_refund(left) if left else RefundPreview((), (), 0)
        return Response(RefundPreviewSerializer(preview).data)


class RefundView(OneOrderView):
    """Credits of an order given back."""

    needs: ClassVar[dict[str, Any]] = {"POST": (Scope.ORDERS_REFUND, may_change_orders)}

    @describe(
        operation_id="give_credits_back",
        request=NewRefundSerializer,
        responses={200: RefundSerializer},
    )
    def post(self, request: Any, number: str) -> Response:
        return self.once(self.give_back)

    def give_back(self, call: Call) -> Any:
        asked = self.read(NewRefundSerializer)
        by, key = self.request.user, call.idempotency_key
        if "lines" in asked:
            chosen = self.chosen(asked)
            outcome = refunds.refund_lines(chosen, idempotency_key=key, by=by)
        else:
            outcome = refunds.refund_order(self.order, idempotency_key=key, by=by)
        return RefundSerializer(outcome).data
