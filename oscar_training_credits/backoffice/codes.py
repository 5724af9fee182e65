"""Codes in the API: issued, listed, changed and checked, with the same services and
rights as in the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from oscar.core.loading import get_model
from rest_framework import serializers, status
from rest_framework.exceptions import Throttled
from rest_framework.response import Response

from ..credits import email_domain
from ..credits.api_calls import Call
from ..credits.codes import (
    checking,
    code_text,
    deriving,
    finding,
    history,
    issuing,
    listing,
)
from ..credits.codes.finding import Condition, condition_of
from ..credits.codes.history import LONGEST_NOTE, missing_note
from ..credits.codes.refusals import BaseReason, Reason, public_text
from ..credits.isolation import own_transaction
from ..credits.ledger import adjusting, extending
from ..credits.models import CodeChange, CreditCode, CreditGrant, Scope
from ..credits.models.codes import CreditCodeQuerySet
from ..credits.terms import MOST_GRANTED, Paid
from ..exceptions import CreditCodeRefused
from ..shop.communication import invitations
from ..shop.dashboard.codes.forms import CodeSearchForm
from ..shop.requesters import requester_of
from .base import (
    ApiView,
    Coming,
    KeysFirst,
    Moment,
    NameField,
    NewestFirst,
    RowSerializer,
    Sent,
    Text,
    refuse_past,
)
from .describing import describe
from .people import LearnerField
from .tokens import require

VIEW = "view_creditcode"
MOST_NAMED = 1_000
"""How many learners or managers one call may name."""

CreditsField = partial(serializers.IntegerField, min_value=1, max_value=MOST_GRANTED)


class ContentField(NameField):
    """An Oscar range, by its slug."""

    def __init__(self, **options: Any) -> None:
        super().__init__(slug_field="slug", **options)

    def get_queryset(self) -> Any:
        return get_model("offer", "Range")._default_manager.all()

    def use_pk_only_optimization(self) -> bool:
        return False


class DomainsField(serializers.ListField):
    """Domains of e-mail addresses, which a code keeps one on each line."""

    child = Text(max_length=255)

    def to_internal_value(self, data: Any) -> list[str]:
        try:
            return list(email_domain.tidied(super().to_internal_value(data)))
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error

    def to_representation(self, value: str) -> list[str]:
        return email_domain.listed(value)


class CodeSerializer(RowSerializer):
    """A code, without its text, which nobody can read again."""

    content = ContentField(read_only=True, allow_null=True)
    condition = serializers.SerializerMethodField()
    balance = serializers.SerializerMethodField()
    email_domains = DomainsField(read_only=True)

    class Meta:
        model = CreditCode
        fields: ClassVar[list[str]] = [
            *("id", "label", "reference", "holder", "last_four", "parent"),
            *("state", "condition", "balance", "starts_at", "expires_at", "content"),
            *("email_domains", "include_subdomains", "named_only"),
            *("credits_per_learner", "redemptions_per_learner", "one_order_only"),
            *("ends_access", "is_test", "created_at"),
        ]
        read_only_fields = fields

    def get_condition(self, code: CreditCode) -> Condition:
        """Its state as it really is: by its dates, credits and orders, too."""
        return condition_of(code)

    def get_balance(self, code: CreditCode) -> int:
        """The credits that its unexpired grants still hold."""
        known: int | None = getattr(code, "credits_left", None)
        return code.balance() if known is None else known


class CodeDetailSerializer(CodeSerializer):
    """A code with all that staff set on it."""

    learners = serializers.ListSerializer(child=LearnerField(), read_only=True)
    groups = serializers.SlugRelatedField("name", many=True, read_only=True)
    managers = serializers.SerializerMethodField()

    class Meta(CodeSerializer.Meta):
        fields: ClassVar[list[str]] = [
            *CodeSerializer.Meta.fields,
            *("notes", "learners", "groups", "managers"),
        ]
        read_only_fields = fields

    def get_managers(self, code: CreditCode) -> list[str]:
        """The e-mail addresses of its managers."""
        return sorted(manager.email for manager in code.managers.all())


class ChangedCodeSerializer(Sent, RowSerializer):
    """What staff set on a code."""

    content = ContentField(required=False, allow_null=True)
    email_domains = DomainsField(required=False, max_length=MOST_NAMED)
    learners = serializers.ListField(
        child=LearnerField(), required=False, max_length=MOST_NAMED
    )
    groups: Any = NameField(
        "name", many=True, required=False, queryset=Group.objects.all()
    )
    managers = serializers.ListField(
        child=serializers.EmailField(max_length=254),
        required=False,
        max_length=MOST_NAMED,
        help_text="Their e-mail addresses. New ones are invited by mail.",
    )

    class Meta:
        model = CreditCode
        fields: ClassVar[list[str]] = [
            *("label", "reference", "holder", "notes", "starts_at", "expires_at"),
            *("content", "learners", "groups", "email_domains", "include_subdomains"),
            *("named_only", "credits_per_learner", "redemptions_per_learner"),
            *("one_order_only", "ends_access", "managers"),
        ]

    def validate_expires_at(self, end: datetime | None) -> datetime | None:
        if end and not (self.instance and end == self.instance.expires_at):
            refuse_past(end)
        return end

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check what belongs together, by the model's own rules."""
        draft = copy(self.instance) if self.instance else CreditCode()
        for name, value in attrs.items():
            if name in OWN_COLUMNS:
                setattr(draft, name, value)
        if "email_domains" in attrs:
            draft.email_domains = "\n".join(attrs["email_domains"])
        try:
            draft.clean()
            draft.validate_constraints(exclude={"digest", "last_four"})
        except ValidationError as error:
            raise serializers.ValidationError(
                serializers.as_serializer_error(error)
            ) from error
        return attrs


OWN_COLUMNS = frozenset(ChangedCodeSerializer.Meta.fields) - {
    *("learners", "groups", "managers", "email_domains")
}
"""What is a column of the code, as it was sent."""


class PaidSerializer(Sent):
    """The money that the customer pays for all of the credits, without tax."""

    amount = serializers.DecimalField(12, 2, min_value=Decimal(0))
    currency = serializers.RegexField("^[A-Z]{3}$", required=False)

    def validate(self, attrs: Any) -> Paid:
        currency = attrs.get("currency") or django_settings.OSCAR_DEFAULT_CURRENCY
        return Paid(attrs["amount"], currency)


class PutCreditsSerializer(Sent):
    """Credits that are put on a code, new or not."""

    credits = CreditsField()
    origin = serializers.ChoiceField(
        CreditGrant.Origin.choices, default=CreditGrant.Origin.SALE
    )
    note = Text(max_length=LONGEST_NOTE, default="", allow_blank=True)
    paid = PaidSerializer(required=False, allow_null=True)


class NewGrantSerializer(PutCreditsSerializer):
    """Credits that are put on a code, with an end of their own."""

    expires_at = Coming(required=False, allow_null=True)


class CodeTextField(Text):
    def __init__(self, **options: Any) -> None:
        lengths = (code_text.SHORTEST_TEXT, code_text.LONGEST_TEXT)
        super().__init__(min_length=lengths[0], max_length=lengths[1], **options)

    @sensitive_variables("data", "text")
    def to_internal_value(self, data: Any) -> str:
        text: str = super().to_internal_value(data)
        if len(code_text.canonical(text)) < code_text.SHORTEST_TEXT:
            needs = _("A code needs %(number)d letters or digits at least.")
            raise serializers.ValidationError(
                needs % {"number": code_text.SHORTEST_TEXT}
            )
        return text


class NewCodeSerializer(PutCreditsSerializer, ChangedCodeSerializer):
    """A code that is to be issued, with its first credits."""

    text = CodeTextField(
        required=False, allow_null=True, help_text="Left out, it is generated."
    )
    credits_expire_at = Coming(required=False, allow_null=True)

    class Meta(ChangedCodeSerializer.Meta):
        fields: ClassVar[list[str]] = [
            *ChangedCodeSerializer.Meta.fields,
            *("is_test", "text", "credits", "origin", "note", "paid"),
            "credits_expire_at",
        ]


class GrantSerializer(RowSerializer):
    """Credits put on a code at one time."""

    paid = serializers.SerializerMethodField()

    class Meta:
        model = CreditGrant
        fields: ClassVar[list[str]] = [
            *("id", "credits", "remaining", "origin", "note", "paid"),
            *("expires_at", "created_at"),
        ]
        read_only_fields = fields

    def get_paid(self, grant: CreditGrant) -> dict[str, str] | None:
        """The money that all of them were sold for; null if it is not known."""
        if grant.paid_amount is None:
            return None
        return {"amount": str(grant.paid_amount), "currency": grant.paid_currency}


class ShownTextSerializer(serializers.Serializer):
    """A code with its new text, which only this answer shows."""

    code = CodeDetailSerializer()
    text = serializers.CharField(
        allow_null=True,
        help_text="Null where the call is repeated and the text is another by now.",
    )


class ReasonSerializer(Sent):
    """Why something is changed, for the record."""

    reason = serializers.ChoiceField(CodeChange.Reason.choices, required=False)
    note = Text(max_length=LONGEST_NOTE, default="", allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if text := missing_note(attrs.get("reason"), attrs["note"]):
            raise serializers.ValidationError({"note": [text]})
        return attrs


class RotationSerializer(ReasonSerializer):
    text = CodeTextField(
        required=False, allow_null=True, help_text="Left out, it is generated."
    )


class AdjustmentSerializer(ReasonSerializer):
    """Credits to be put on a code, or taken from it where they are negative."""

    credits = serializers.IntegerField(min_value=-MOST_GRANTED, max_value=MOST_GRANTED)
    reason = serializers.ChoiceField(CodeChange.Reason.choices)
    expires_at = Coming(
        required=False, allow_null=True, help_text="Of credits that are put on it."
    )

    def validate_credits(self, credits: int) -> int:
        if not credits:
            raise serializers.ValidationError(_("Nothing is to be adjusted."))
        return credits


class NewStateSerializer(ReasonSerializer):
    state = serializers.ChoiceField(
        CreditCode.State.choices,
        help_text="Closing is for good: what is left on the code lapses.",
    )


class NewEndSerializer(ReasonSerializer):
    """A later end."""

    until = Coming()
    with_credits = serializers.BooleanField(
        default=False, help_text="Credits on it that end before end then, too."
    )
    with_access = serializers.BooleanField(
        default=False, help_text="So does access that ended with the code."
    )


class TypedTextSerializer(Sent):
    """The text of a code, as somebody has typed it."""

    text = Text(max_length=code_text.LONGEST_TEXT)
    learner = LearnerField(
        required=False, allow_null=True, help_text="Who would use it."
    )


class CheckedCodeSerializer(serializers.Serializer):
    """What a code has for a learner, or why it can't be used."""

    usable = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True)
    message = serializers.CharField(help_text="For the learner.")
    credits = serializers.IntegerField()
    ends_at = Moment(allow_null=True, help_text="When the first of them expire.")
    ending = serializers.IntegerField(help_text="How many of them expire then.")


class CodeFilters(Sent):
    """Which codes are listed."""

    q = Text(
        required=False,
        max_length=200,
        help_text=(
            "Words of label, reference or holder, last characters, an order's number or"
            " a learner's whole e-mail address. The text of a code finds nothing."
        ),
    )
    condition = serializers.ChoiceField(Condition.choices, required=False)
    holder = Text(required=False, max_length=200)
    under = CreditsField(required=False, help_text="With fewer credits than that.")
    is_test = serializers.BooleanField(required=False)

    def pages(self) -> NewestFirst:
        """Return what pages the codes that the dashboard's search finds."""
        asked = dict(self.validated_data)
        is_test = asked.pop("is_test", None)
        form = CodeSearchForm(
            {
                **asked,
                "state": asked.pop("condition", ""),
                "test": {None: "", True: "only", False: "no"}[is_test],
            }
        )
        if not form.is_valid():
            return FoundCodes(CreditCodeQuerySet.none)
        return FoundCodes(form.filtered) if form.asks() else NewestFirst()


class FoundCodes(KeysFirst):
    """Pages of codes that are searched for."""

    def __init__(self, find: Callable[[CreditCodeQuerySet], Any]) -> None:
        self.find = find

    def first_keys(self, rows: Any, cursor: Any, most: int) -> list[int]:
        return listing.first_keys(self.find, keys_from(cursor), most)


def keys_from(cursor: Any) -> range:
    """Return the keys of the codes after a cursor, in the order of its pages."""
    last = listing.last_key()
    place = int(cursor.position) if cursor and cursor.position else None
    if cursor and cursor.reverse:
        return range(1 if place is None else place + 1, last + 1)
    return range(last if place is None else min(place - 1, last), 0, -1)


class NewTextMixin:
    """For views that make the text of a code, and show it to who calls, once or again.

    It is derived from the call, so that nothing of it is kept. A generator of a site's
    own that can't do that makes a text which only the first answer has.
    """

    request: Any
    made: str | None = None

    @sensitive_variables()
    def new_text(self, chosen: str | None, call: Call) -> str:
        self.made = chosen or next(_derived(call), None) or issuing.new_text()
        return self.made

    @sensitive_variables()
    def with_text(self, body: dict[str, Any], call: Call) -> Any:
        """Return what is answered with the text of the code, while it has that text."""
        code = CreditCode.objects.filter(pk=body["code"]["id"]).first()
        chosen = self.made or self.request.data.get("text")
        texts = [str(chosen).strip()] if chosen else _derived(call)
        known = (
            text
            for text in texts
            if text and code and code.digest in code_text.digests(text)
        )
        return {**body, "text": next(known, None)}


@sensitive_variables()
def _derived(call: Call) -> Iterator[str]:
    """Return the text that a call makes, by the newest secret of the site, then others.

    None where the generator of the site can't make the same again.
    """
    for secret in call.secrets() if deriving.can_derive() else ():
        yield from deriving.derived_texts(secret)


class CodesView(NewTextMixin, ApiView):
    """Codes, listed and issued."""

    takes_code = True
    is_list = True
    needs: ClassVar[dict[str, Any]] = {
        "GET": (Scope.CODES_READ, VIEW),
        "POST": (Scope.CODES_WRITE, "add_creditcode"),
    }

    @describe(
        operation_id="list_codes",
        parameters=[CodeFilters],
        responses={200: CodeSerializer(many=True)},
    )
    def get(self, request: Any) -> Response:
        codes = finding.with_condition(CreditCode.objects.select_related("content"))
        pages = self.asked(CodeFilters).pages
        return self.page_of(codes, CodeSerializer, pages)

    @describe(
        operation_id="issue_code",
        request=NewCodeSerializer,
        responses={201: ShownTextSerializer},
    )
    @sensitive_variables()
    def post(self, request: Any) -> Response:
        return self.once(
            self.issue, answered=status.HTTP_201_CREATED, complete=self.with_text
        )

    @sensitive_variables()
    def issue(self, call: Call) -> Any:
        asked = self.read(NewCodeSerializer)
        text = self.new_text(asked.pop("text", None), call)
        managers, by = asked.pop("managers", ()), self.request.user
        key = call.idempotency_key
        # The service knows a key for longer than the answer is kept.
        is_new = not issuing.issued_before(key, text=text, credits=asked["credits"])
        issued = issuing.issue_code(
            text=text,
            grant_expires_at=asked.pop("credits_expire_at", None),
            by=by,
            idempotency_key=key,
            **asked,
        )
        if is_new and managers:
            invitations.set_managers(issued.code, managers, by=by)
        return {"code": CodeDetailSerializer(issued.code).data}


class OneCodeView(ApiView):
    """Something about one code."""

    needs: ClassVar[dict[str, Any]] = {"GET": (Scope.CODES_READ, VIEW)}

    @cached_property
    def code(self) -> CreditCode:
        codes = CreditCode.objects.select_related("content")
        return get_object_or_404(codes, pk=self.kwargs["pk"])

    def as_it_is(self) -> Any:
        """Return the code as it is stored now."""
        code = CreditCode.objects.select_related("content").get(pk=self.code.pk)
        return CodeDetailSerializer(code).data

    def changed(self, act: Any, serializer_class: Any) -> Response:
        """Change the code once as was asked, and return it."""

        def change(call: Call) -> Any:
            asked = self.read(serializer_class)
            key = call.idempotency_key
            act(self.code, by=self.request.user, idempotency_key=key, **asked)
            return self.as_it_is()

        return self.once(change)


class CodeView(OneCodeView):
    """One code, shown and changed."""

    needs: ClassVar[dict[str, Any]] = {
        "GET": (Scope.CODES_READ, VIEW),
        "PATCH": (Scope.CODES_WRITE, "change_creditcode"),
    }

    @describe(operation_id="get_code", responses={200: CodeDetailSerializer})
    def get(self, request: Any, pk: int) -> Response:
        return Response(self.as_it_is())

    @describe(
        operation_id="change_code",
        request=ChangedCodeSerializer,
        responses={200: CodeDetailSerializer},
    )
    def patch(self, request: Any, pk: int) -> Response:
        with own_transaction():
            # What is asked for has to suit the code as it is by then.
            self.edit(history.lock(self.code))
        return Response(self.as_it_is())

    def edit(self, code: CreditCode) -> None:
        by = self.request.user
        asked = self.read(ChangedCodeSerializer, instance=code, partial=True)
        managers = asked.pop("managers", None)
        if "email_domains" in asked:
            asked["email_domains"] = "\n".join(asked["email_domains"])
        issuing.edit_code(code, asked, by=by)
        if managers is not None:
            invitations.set_managers(code, managers, by=by)


class RotateCodeView(NewTextMixin, OneCodeView):
    """A new text for a code that was lost or has leaked."""

    takes_code = True
    needs: ClassVar[dict[str, Any]] = {"POST": (Scope.CODES_WRITE, "rotate_creditcode")}

    @describe(
        operation_id="rotate_code",
        request=RotationSerializer,
        responses={200: ShownTextSerializer},
    )
    @sensitive_variables()
    def post(self, request: Any, pk: int) -> Response:
        return self.once(self.rotate, complete=self.with_text)

    @sensitive_variables()
    def rotate(self, call: Call) -> Any:
        asked = self.read(RotationSerializer)
        issuing.rotate_code(
            self.code,
            text=self.new_text(asked.pop("text", None), call),
            by=self.request.user,
            idempotency_key=call.idempotency_key,
            **asked,
        )
        return {"code": self.as_it_is()}


class GrantsView(OneCodeView):
    """The credits on a code, and more of them."""

    is_list = True
    needs: ClassVar[dict[str, Any]] = {
        "GET": (Scope.CODES_READ, VIEW),
        "POST": (Scope.CODES_WRITE, "add_creditgrant"),
    }

    @describe(operation_id="list_grants", responses={200: GrantSerializer(many=True)})
    def get(self, request: Any, pk: int) -> Response:
        return self.page_of(self.code.grants.all(), GrantSerializer)

    @describe(
        operation_id="add_grant",
        request=NewGrantSerializer,
        responses={201: GrantSerializer},
    )
    def post(self, request: Any, pk: int) -> Response:
        return self.once(self.add, answered=status.HTTP_201_CREATED)

    def add(self, call: Call) -> Any:
        asked, key = self.read(NewGrantSerializer), call.idempotency_key
        by = self.request.user
        grant = issuing.add_grant(self.code, by=by, idempotency_key=key, **asked)
        return GrantSerializer(grant).data


class AdjustCodeView(OneCodeView):
    """A balance that is put right."""

    needs: ClassVar[dict[str, Any]] = {"POST": (Scope.CODES_WRITE, "adjust_creditcode")}

    @describe(
        operation_id="adjust_code",
        request=AdjustmentSerializer,
        responses={200: CodeDetailSerializer},
    )
    def post(self, request: Any, pk: int) -> Response:
        return self.changed(adjusting.adjust_credits, AdjustmentSerializer)


class CodeStateView(OneCodeView):
    """A code that is disabled, made active again, or closed."""

    needs: ClassVar[dict[str, Any]] = {"POST": (Scope.CODES_WRITE, "change_creditcode")}

    @describe(
        operation_id="set_code_state",
        request=NewStateSerializer,
        responses={200: CodeDetailSerializer},
    )
    def post(self, request: Any, pk: int) -> Response:
        return self.changed(self.set_state, NewStateSerializer)

    def set_state(self, code: CreditCode, *, state: str, **record: Any) -> None:
        if state == CreditCode.State.CLOSED:
            require(self.request, Scope.CODES_WRITE, "adjust_creditcode")
            adjusting.close_code(code, **record)
        else:
            issuing.set_state(code, state, **record)


class ExtendCodeView(OneCodeView):
    """A code that lasts longer."""

    needs: ClassVar[dict[str, Any]] = {"POST": (Scope.CODES_WRITE, "change_creditcode")}

    @describe(
        operation_id="extend_code",
        request=NewEndSerializer,
        responses={200: CodeDetailSerializer},
    )
    def post(self, request: Any, pk: int) -> Response:
        return self.changed(extending.extend_code, NewEndSerializer)


class CheckCodeView(ApiView):
    """What a text is good for, without buying anything.

    Wrong ones are counted as in the shop, and too many refused for a while. Who uses
    the token learns no more than a learner would.
    """

    takes_code = True
    is_done_once = False
    problems = (429,)
    needs: ClassVar[dict[str, Any]] = {"POST": (Scope.CODES_CHECK, VIEW)}

    @describe(
        operation_id="check_code",
        request=TypedTextSerializer,
        responses={200: CheckedCodeSerializer},
    )
    @sensitive_variables()
    def post(self, request: Any) -> Response:
        asked = self.read(TypedTextSerializer)
        requester = requester_of(request)
        learner = asked.get("learner")
        try:
            found = checking.check_code(
                asked["text"], learner=learner, requester=requester
            )
        except CreditCodeRefused as refused:
            refusal = refused.refusal
            if refusal.reason in (Reason.THROTTLED, Reason.LOG_IN):
                raise Throttled(wait=refusal.minutes * 60) from refused
            return Response(_checked(refusal.reason.public, public_text(refusal)))
        checked = _checked(None, str(found))
        now = {"credits": found.credits, "ending": found.ending}
        ends_at = Moment().to_representation(found.ends_at) if found.ends_at else None
        return Response({**checked, **now, "ends_at": ends_at})


def _checked(reason: BaseReason | None, message: str) -> dict[str, Any]:
    return {
        "usable": reason is None,
        "reason": reason.value if reason else None,
        "message": message,
        "credits": 0,
        "ends_at": None,
        "ending": 0,
    }
