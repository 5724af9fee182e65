"""The entries of the ledger in the API: every movement of credits, for the books."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.response import Response

from ..credits.models import LedgerEntry, Scope
from .base import ApiView, Moment, NewestFirst, RowSerializer, Text
from .people import PersonField
from .schema import describe

MOST_ROWS = 10**18


class EntrySerializer(RowSerializer):
    """One movement on one grant. It never changes."""

    code = serializers.IntegerField(source="grant.code_id")
    order_number = serializers.CharField(
        source="redemption.order_number", allow_null=True, default=None
    )
    learner = PersonField(source="redemption.learner", default=None)
    by = PersonField(source="change.changed_by", default=None)
    reason = serializers.CharField(
        source="change.reason", allow_null=True, default=None
    )
    note = serializers.CharField(source="change.note", allow_null=True, default=None)

    class Meta:
        model = LedgerEntry
        fields: ClassVar[list[str]] = [
            *("id", "code", "grant", "kind", "credits", "balance", "created_at"),
            *("order_number", "learner", "by", "reason", "note"),
        ]
        read_only_fields = fields
        extra_kwargs: ClassVar[dict[str, Any]] = {
            "balance": {"help_text": "What the grant had left after it."}
        }


class EntryFilters(serializers.Serializer):
    """Which entries are listed, and in which order."""

    code = serializers.IntegerField(required=False, min_value=1, max_value=MOST_ROWS)
    order_number = Text(required=False, max_length=128)
    kind = serializers.ChoiceField(LedgerEntry.Kind.choices, required=False)
    since = Moment(required=False)
    until = Moment(required=False, help_text="Not those of this moment itself.")
    oldest_first = serializers.BooleanField(default=False)

    def entries(self) -> QuerySet[LedgerEntry]:
        columns = {
            "code": "grant__code",
            "order_number": "redemption__order_number",
            "kind": "kind",
            "since": "created_at__gte",
            "until": "created_at__lt",
        }
        asked = self.validated_data
        found = {columns[name]: asked[name] for name in columns if name in asked}
        rows = LedgerEntry.objects.select_related(
            "grant", "redemption__learner", "change__changed_by"
        )
        return rows.filter(**found)


class OldestFirst(NewestFirst):
    ordering = "pk"


class EntriesView(ApiView):
    """The ledger, newest first or oldest first."""

    is_list = True
    needs: ClassVar[dict[str, Any]] = {"GET": (Scope.CODES_READ, "view_creditcode")}

    @describe(
        operation_id="list_entries",
        parameters=[EntryFilters],
        responses={200: EntrySerializer(many=True)},
    )
    def get(self, request: Any) -> Response:
        filters = self.asked(EntryFilters)
        if filters.validated_data["oldest_first"]:
            return self.page_of(filters.entries(), EntrySerializer, OldestFirst)
        return self.page_of(filters.entries(), EntrySerializer)
