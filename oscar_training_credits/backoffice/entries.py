"""The entries of the ledger in the API: every movement of credits, for the books."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.db.models import F, Max, Min, Q, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from ..credits.models import CreditGrant, LedgerEntry, Redemption, Refund, Scope
from .base import (
    ApiView,
    KeysFirst,
    Moment,
    NewestFirst,
    RowNumber,
    RowSerializer,
    Sent,
    Text,
)
from .describing import describe
from .people import PersonField, person


class EntrySerializer(RowSerializer):
    """One movement on one grant. It never changes."""

    code = serializers.IntegerField(source="grant.code_id")
    order_number = serializers.SerializerMethodField()
    learner = serializers.SerializerMethodField()
    by = serializers.SerializerMethodField()
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

    def get_order_number(self, entry: LedgerEntry) -> str | None:
        """The order that it is about, if it is about one."""
        redemption = redemption_of(entry)
        return redemption.order_number if redemption else None

    @extend_schema_field(PersonField)
    def get_learner(self, entry: LedgerEntry) -> Any:
        redemption = redemption_of(entry)
        return person(redemption.learner if redemption else None)

    @extend_schema_field(PersonField)
    def get_by(self, entry: LedgerEntry) -> Any:
        change, refund = entry.change, entry.refund
        user = change.changed_by if change else refund.created_by if refund else None
        return person(user)


def redemption_of(entry: LedgerEntry) -> Redemption | None:
    """Return what an entry took credits for, or gave them back from."""
    return entry.refund.redemption if entry.refund else entry.redemption


class EntryFilters(Sent):
    """Which entries are listed, and in which order."""

    code = RowNumber(required=False)
    order_number = Text(required=False, max_length=128)
    kind = serializers.ChoiceField(LedgerEntry.Kind.choices, required=False)
    since = Moment(required=False)
    until = Moment(required=False, help_text="Not those of this moment itself.")
    oldest_first = serializers.BooleanField(default=False)

    @property
    def are_refunds(self) -> bool:
        """Tell whether all refunds are asked for, and not those of one order."""
        asked = self.validated_data
        return (
            asked.get("kind") == LedgerEntry.Kind.REFUND and "order_number" not in asked
        )

    def entries(self) -> QuerySet[LedgerEntry]:
        columns = {
            "kind": "kind",
            "since": "created_at__gte",
            "until": "created_at__lt",
        }
        asked = self.validated_data
        found = {columns[name]: asked[name] for name in columns if name in asked}
        rows = LedgerEntry.objects.filter(**found).select_related(
            "grant",
            "redemption__learner",
            "refund__redemption__learner",
            "refund__created_by",
            "change__changed_by",
        )
        if "code" in asked:
            grants = CreditGrant.objects.filter(code=asked["code"])
            rows = rows.filter(grant__in=list(grants.values_list("pk", flat=True)))
        if "order_number" in asked:
            return rows.filter(_of_order(asked["order_number"]))
        return rows


def _of_order(number: str) -> Q:
    # Read ahead: a condition on two joined tables would read all entries.
    redemptions = Redemption.objects.filter(order_number=number)
    keys = list(redemptions.values_list("pk", flat=True))
    refunds = Refund.objects.filter(redemption__in=keys).values_list("pk", flat=True)
    return Q(redemption__in=keys) | Q(refund__in=list(refunds))


class OldestFirst(NewestFirst):
    ordering = "pk"


class Together(KeysFirst):
    """Pages of entries that an index has together, as those of one code."""

    def __init__(self, ordering: str) -> None:
        self.ordering = ordering

    def first_keys(self, rows: Any, cursor: Any, most: int) -> list[int]:
        is_newest_first = self.is_newest_first(cursor)
        key = F("pk") + 0
        rows = rows.order_by(key.desc() if is_newest_first else key.asc())
        if cursor and cursor.position:
            beyond = "pk__lt" if is_newest_first else "pk__gt"
            rows = rows.filter(**{beyond: int(cursor.position)})
        return list(rows.values_list("pk", flat=True)[:most])

    def is_newest_first(self, cursor: Any) -> bool:
        return self.ordering.startswith("-") != bool(cursor and cursor.reverse)


class Refunds(Together):
    """Pages of refunds, which may be one entry in a hundred, or in a million."""

    NEAR = 20_000
    """Among so many entries the first page is looked for, before the index is read."""

    def first_keys(self, rows: Any, cursor: Any, most: int) -> list[int]:
        near = rows.filter(pk__range=self.near(cursor))
        found = super().first_keys(near, cursor, most)
        if len(found) == most:
            return found
        return super().first_keys(rows.filter(refund__isnull=False), cursor, most)

    def near(self, cursor: Any) -> tuple[int, int]:
        """Return the keys that come next, from one to another."""
        is_newest_first = self.is_newest_first(cursor)
        if cursor and cursor.position:
            start = int(cursor.position)
        else:
            end = Max("pk") if is_newest_first else Min("pk")
            start = LedgerEntry.objects.aggregate(end=end)["end"] or 0
        if is_newest_first:
            return start - self.NEAR, start
        return start, start + self.NEAR


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
        asked = filters.validated_data
        pages: Any = OldestFirst if asked["oldest_first"] else NewestFirst
        if "code" in asked:
            pages = partial(Together, pages.ordering)
        elif filters.are_refunds:
            pages = partial(Refunds, pages.ordering)
        return self.page_of(filters.entries(), EntrySerializer, pages)
