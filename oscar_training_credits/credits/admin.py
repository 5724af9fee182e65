"""Django's admin: codes issued, seen, disabled and topped up; records to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_permission_codename, get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DataError, transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)

from .. import converters  # noqa: F401
from ..aliases import Request
from ..exceptions import IdempotencyKeyReused
from . import email_domain
from .codes import code_text, finding, history, issuing, listing, new_text
from .codes.ends import reinstating
from .codes.fields import KeyField, NewTextField
from .codes.finding import Condition, condition_of
from .codes.listing import CappedPaginator
from .codes.rules import is_for_nobody
from .models import (
    Access,
    CreditCode,
    CreditGrant,
    LedgerEntry,
    Place,
    Redemption,
    TakenPayment,
)
from .patience import PatientAdminMixin
from .terms import far_away_text, is_far_away

NAMES = ["label", "reference", "holder", "notes"]
WHEN = ["starts_at", "expires_at", "ends_access"]
CONTENT = ["content"]
AUDIENCE = [
    "learners",
    "groups",
    "email_domains",
    "include_subdomains",
    "named_only",
]
LIMITS = ["credits_per_learner", "redemptions_per_learner", "one_order_only"]
RELATED = {"learners", "groups"}
FOR_NOBODY = _(
    "Nobody can use this code: all those it was for have been deleted. Name others, or"
    " untick “only for those named here” to let everybody use it."
)


def fieldsets(*code: str) -> Any:
    return [
        (None, {"fields": [*code]}),
        (_("When"), {"fields": WHEN}),
        (_("For what"), {"fields": CONTENT}),
        (_("For whom"), {"fields": AUDIENCE}),
        (_("How much"), {"fields": LIMITS}),
    ]


class ListedChangeList(ChangeList):
    """A list of any length, whose address may ask for what no database can compare."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.paginator.is_capped:
            text = _("The first %(number)d of more: search or filter to see others")
            self.title = text % {"number": self.result_count}

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Sort ties in the direction of the rest, so that one index serves both."""
        ordering = list(super().get_ordering(request, queryset))
        if len(ordering) > 1 and ordering[-1] == "-pk":
            *columns, last = (each for each in ordering[:-1])
            if not str(last).startswith("-"):
                return [*columns, last, "pk"]
        return ordering

    def get_results(self, request: HttpRequest) -> None:
        with _lookups_compared():
            super().get_results(request)


@contextmanager
def _lookups_compared() -> Iterator[None]:
    """Answer a moment past the calendar's end, or a NUL, as a wrong lookup."""
    try:
        yield
    except (DataError, OverflowError, ValueError) as error:
        raise IncorrectLookupParameters(error) from error


class ListedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    paginator = CappedPaginator
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ListedChangeList

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """Refuse to act on more rows than the list says that there are."""
        everything = request.POST.get("select_across") == "1"
        if everything and CappedPaginator(queryset, 1).is_capped:
            messages.error(request, _("These are too many at once: select fewer."))
            return None
        return super().response_action(request, queryset, *args, **kwargs)


class CodeChangeList(ListedChangeList):
    """A list of codes: of those that are found, the newest."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        everything = super().get_queryset
        codes = everything(request, *args, **kwargs)
        if not self.has_active_filters and not self.query:
            return codes

        def find(codes: Any) -> Any:
            self.root_queryset = codes
            return everything(request, *args, **kwargs)

        with _lookups_compared():
            found = listing.of_keys(listing.newest(find))
        return finding.with_condition(found).order_by(*codes.query.order_by)


class ReadOnlyAdmin(ListedAdmin):
    """Records that only the services write."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CodeSearchMixin:
    """Finds nothing by the whole text of a code, and puts none into SQL."""

    takes_code = True
    search_help_text: Any = _(
        "Codes are found by their label or their last letters. Enter no whole code:"
        " it would be part of this page's address."
    )

    @sensitive_variables()
    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if code_text.looks_generated(search_term) or code_text.find(search_term):
            return queryset.none(), False
        return self.find(request, queryset, search_term)

    def find(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search as Django's admin does; the term is no whole code."""
        search = super().get_search_results  # type: ignore[misc]
        found: tuple[QuerySet[Any], bool] = search(request, queryset, search_term)
        return found


class NewCodeForm(forms.ModelForm):  # type: ignore[type-arg]
    """Issues a code with its first grant. The text is not kept, so it is asked once.

    What is generated lies in the form already: sent twice, it issues one code.
    """

    text = NewTextField()
    credits = forms.IntegerField(label=_("Credits"), min_value=1)
    generated = forms.CharField(required=False, widget=forms.HiddenInput)
    key = KeyField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["generated"].initial = issuing.new_text

    class Meta:
        model = CreditCode
        fields = [*NAMES, *WHEN, *CONTENT, *AUDIENCE, *LIMITS]

    def clean_credits(self) -> int:
        credits: int = CreditGrant._meta.get_field("credits").clean(
            self.cleaned_data["credits"], None
        )
        return credits

    def clean_expires_at(self) -> datetime | None:
        end: datetime | None = self.cleaned_data["expires_at"]
        if is_far_away(end):
            raise ValidationError(far_away_text())
        if end and end <= timezone.now():
            raise ValidationError(_("This moment has passed."))
        return end

    @sensitive_variables("cleaned", "text")
    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        if "text" in self.errors or "credits" in self.errors:
            return cleaned
        text = cleaned["text"] or cleaned["generated"]
        try:
            if not self.issued_before() and text and code_text.find(text):
                taken = _("There is a code with this text already.")
                self.add_error("text", taken)
        except IdempotencyKeyReused:
            used = _("This page was used before. Open it once more, and try again.")
            self.add_error(None, used)
        return cleaned

    @sensitive_variables()
    def issued_before(self) -> issuing.IssuedCode | None:
        text = self.cleaned_data["text"] or self.cleaned_data["generated"]
        credits = self.cleaned_data["credits"]
        key = self.idempotency_key
        return issuing.issued_before(key, text=text, credits=credits)

    @property
    def idempotency_key(self) -> str | None:
        key = self.cleaned_data.get("key")
        return f"admin:{key.hex}" if key else None

    @sensitive_variables("terms", "generated")
    def issue(self, *, by: Any) -> issuing.IssuedCode:
        terms = dict(self.cleaned_data)
        generated = terms.pop("generated")
        terms["text"] = terms["text"] or generated or None
        terms["email_domains"] = email_domain.listed(terms["email_domains"])
        del terms["key"]
        key = self.idempotency_key
        return issuing.issue_code(**terms, by=by, idempotency_key=key)


class CodeForm(forms.ModelForm):  # type: ignore[type-arg]
    """Changes a code. To name somebody is to restrict it, whatever is ticked."""

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        if any(cleaned.get(name) for name in RELATED):
            cleaned["named_only"] = True
        return cleaned


class AudienceFilter(admin.SimpleListFilter):
    title = _("for whom")
    parameter_name = "for"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [
            ("all", _("Everybody")),
            ("some", _("Those named")),
            ("nobody", _("Nobody: those named have been deleted")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[CreditCode]:
        match self.value():
            case "all":
                queryset = queryset.exclude(named_only=True)
            case "some":
                queryset = queryset.filter(named_only=True)
            case "nobody":
                queryset = queryset.for_nobody()
        found: QuerySet[CreditCode] = queryset
        return found


class ConditionFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Condition.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[CreditCode]:
        if self.value() not in Condition.values:
            found: QuerySet[CreditCode] = queryset
            return found
        return finding.in_condition(queryset, str(self.value()), timezone.now())


class BalanceFilter(admin.SimpleListFilter):
    title = _("credits left")
    parameter_name = "under"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [
            ("1", _("None")),
            ("10", _("Fewer than 10")),
            ("100", _("Fewer than 100")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[CreditCode]:
        if (under := self.value()) is None:
            found: QuerySet[CreditCode] = queryset
            return found
        return listing.holding_less(queryset, int(under))


class GrantForm(forms.ModelForm):  # type: ignore[type-arg]
    """A grant that is added, once for each time that the page was opened."""

    key = KeyField(required=False)

    @property
    def idempotency_key(self) -> str | None:
        # The rows that a script adds are copies of one, with its key.
        key = self.cleaned_data.get("key")
        return f"admin:{key.hex}:{self.prefix}"[:64] if key else None


class GrantInline(admin.TabularInline):  # type: ignore[type-arg]
    """The grants of a code; a new row tops it up."""

    model = CreditGrant
    form = GrantForm
    extra = 0
    fields = [
        "credits",
        "remaining",
        "origin",
        "note",
        "expires_at",
        "created_at",
        "key",
    ]
    readonly_fields = ["remaining", "created_at"]
    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_closed = obj is not None and obj.state == CreditCode.State.CLOSED
        return not is_closed and super().has_add_permission(request, obj)


@admin.register(CreditCode)
class CreditCodeAdmin(CodeSearchMixin, PatientAdminMixin, ListedAdmin):
    form = CodeForm
    list_display = [
        "label",
        "last_four",
        "condition",
        "for_whom",
        "balance",
        "expires_at",
        "created",
    ]
    list_filter = [ConditionFilter, BalanceFilter, AudienceFilter, "expires_at"]
    search_fields = ["label", "last_four"]
    # By what an index sorts a million of.
    sortable_by = ["label", "expires_at", "created"]
    ordering = ["-pk"]
    actions = ["disable", "enable"]
    fieldsets = fieldsets(
        "label", "reference", "holder", "last_four", "state", "more", "notes"
    )
    readonly_fields = ["last_four", "state", "more"]
    filter_horizontal = ["groups"]
    raw_id_fields = ["learners"]
    inlines = [GrantInline]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CodeChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditCode]:
        return finding.with_condition(CreditCode.objects.all())

    def find(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[CreditCode], bool]:
        return listing.matching(queryset, search_term), False

    @admin.display(description=_("for whom"))
    def for_whom(self, code: CreditCode) -> Any:
        return _("Those named") if code.named_only else _("Everybody")

    @admin.display(description=_("state"))
    def condition(self, code: Any) -> Any:
        return condition_of(code).label

    @admin.display(description=_("more"))
    def more(self, code: CreditCode) -> str:
        address = reverse("training_credits:code-detail", args=[code.pk])
        text = _("Adjust, extend, close it or give it a new text: in the dashboard")
        return format_html('<a href="{}">{}</a>', address, text)

    @admin.display(description=_("balance"))
    def balance(self, code: Any) -> int:
        left: int = code.credits_left
        return left

    @admin.display(description=_("created"), ordering="pk")
    def created(self, code: CreditCode) -> datetime:
        return code.created_at

    def get_form(
        self, request: Request, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = NewCodeForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return self.fieldsets
        own = ("label", "text", "credits", "reference", "holder", "notes")
        return fieldsets(*own, "generated", "key")

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        # Only where it works: the site's users need an admin that can be searched,
        # by this very person. Elsewhere their numbers are typed.
        users = self.admin_site._registry.get(get_user_model())
        if users and users.search_fields and users.has_view_permission(request):
            return ["learners"]
        return []

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # A child code is not wider than its parent: the dashboard says where it would.
        own = [*WHEN, *CONTENT, *AUDIENCE, *LIMITS] if obj and obj.parent_id else []
        return [*self.readonly_fields, *own]

    def get_inline_instances(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_inline_instances(request, obj) if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @method_decorator(sensitive_post_parameters("text", "generated"))
    @method_decorator(never_cache)
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().add_view(request, *args, **kwargs)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        if change:
            before = history.terms_in_text(form.instance)
            request.terms_before = before  # type: ignore[attr-defined]
            return super().save_form(request, form, change)
        issued = form.issue(by=request.user)
        form.save_m2m = lambda: None
        request.issued_code = issued  # type: ignore[attr-defined]
        form.instance = issued.code
        return issued.code

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        if change:
            # Never the state: a stale form must not bring a disabled code back.
            fields = [*NAMES, *WHEN, *CONTENT, *AUDIENCE, *LIMITS]
            with reinstating(obj):
                obj.save(update_fields=[name for name in fields if name not in RELATED])
            if not obj.named_only:
                issuing.open_to_everybody(obj)

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        if change:
            before = request.terms_before  # type: ignore[attr-defined]
            by: Any = request.user
            history.keep_edit(form.instance, before, {"by": by})
        if is_for_nobody(form.instance):
            messages.warning(request, FOR_NOBODY)

    def render_change_form(
        self, request: Request, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        code = kwargs.get("obj")
        if code and request.method == "GET" and is_for_nobody(code):
            messages.warning(request, FOR_NOBODY)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_formset(
        self, request: Request, form: Any, formset: Any, change: bool
    ) -> None:
        # The admin's log names these.
        formset.save(commit=False)
        formset.new_objects = [
            issuing.add_grant(
                form.instance,
                added.instance.credits,
                origin=added.instance.origin,
                note=added.instance.note,
                expires_at=added.instance.expires_at,
                by=request.user,
                idempotency_key=added.idempotency_key,
            )
            for added in formset.extra_forms
            if added.has_changed()
        ]

    @sensitive_variables()
    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Lead to the page that shows the text once, whichever button was pressed."""
        text = request.issued_code.text  # type: ignore[attr-defined]
        name = f"{self.admin_site.name}:training_credits_creditcode_text"
        response = redirect(name, pk=obj.pk)
        new_text.carry(request, response, obj.pk, text)
        return response

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.text_view)
        # By this, error reports know whose it is.
        view.model_admin = self  # type: ignore[attr-defined]
        name = "training_credits_creditcode_text"
        return [path("<training_row:pk>/text/", view, name=name), *super().get_urls()]

    @sensitive_variables()
    def text_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the text of a code that this session has just issued, once."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        code = get_object_or_404(CreditCode, pk=pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("The new code"),
            "code": code,
            "text": new_text.take(request, code.pk),
            "opts": self.opts,
        }
        response = TemplateResponse(
            request, "admin/training_credits/issued_code.html", context
        )
        new_text.forget(request, response)
        return response

    @admin.action(description=_("Disable the selected codes"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[CreditCode]) -> None:
        self._set_state(request, queryset, CreditCode.State.DISABLED)

    @admin.action(
        description=_("Make the selected codes active again"), permissions=["change"]
    )
    def enable(self, request: HttpRequest, queryset: QuerySet[CreditCode]) -> None:
        self._set_state(request, queryset, CreditCode.State.ACTIVE)

    def _set_state(
        self, request: HttpRequest, queryset: QuerySet[CreditCode], state: str
    ) -> None:
        changed, by = 0, cast("Any", request.user)
        # All or none, one after the other as purchases lock them.
        with transaction.atomic():
            closed = CreditCode.State.CLOSED
            for code in queryset.exclude(state=closed).order_by("pk"):
                issuing.set_state(code, state, by=by)
                self.log_change(request, code, f"State: {state}")
                changed += 1
        text = ngettext("%(n)d code changed.", "%(n)d codes changed.", changed)
        messages.success(request, text % {"n": changed})


@admin.register(Redemption)
class RedemptionAdmin(CodeSearchMixin, ReadOnlyAdmin):
    list_display = ["order", "code", "learner", "credits", "created_at"]
    list_select_related = ["order", "code", "learner"]
    search_fields = ["order__number", "code__label", "learner__email"]


@admin.register(LedgerEntry)
class LedgerEntryAdmin(CodeSearchMixin, ReadOnlyAdmin):
    list_display = ["created_at", "code", "kind", "credits", "balance", "redemption"]
    list_filter = ["kind"]
    list_select_related = ["grant__code", "redemption"]
    search_fields = ["grant__code__label", "=grant__code__last_four"]
    ordering = ["-pk"]

    @admin.display(description=_("code"), ordering=F("grant__code__label"))
    def code(self, entry: LedgerEntry) -> str:
        return str(entry.grant.code)


@admin.register(Access)
class AccessAdmin(ReadOnlyAdmin):
    """Access is looked at. It goes with its learner, and never by itself."""

    list_display = ["learner", "training", "starts_at", "ends_at"]
    list_select_related = ["learner", "training__product"]
    search_fields = ["learner__email", "training__product__title"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether it may go along where its learner is deleted: who may do that.

        The page of an account asks this of each row that would go with it.
        """
        users = get_user_model()._meta
        permission = f"{users.app_label}.{get_permission_codename('delete', users)}"
        return obj is not None and request.user.has_perm(permission)

    def change_view(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        kwargs["extra_context"] = {
            **(kwargs.get("extra_context") or {}),
            "show_delete": False,
        }
        return super().change_view(request, *args, **kwargs)

    def delete_view(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        raise PermissionDenied


@admin.register(Place)
class PlaceAdmin(ReadOnlyAdmin):
    list_display = ["training", "order_line", "number", "claimed_at", "revoked_at"]
    list_select_related = ["training__product", "order_line"]
    search_fields = ["order_line__order__number", "access__learner__email"]


@admin.register(TakenPayment)
class TakenPaymentAdmin(ReadOnlyAdmin):
    """What was taken for orders that never came: to be paid back."""

    list_display = [
        "order_number",
        "amount",
        "currency",
        "source_type",
        "reference",
        "created_at",
        "settled_at",
    ]
    list_filter = [("settled_at", admin.EmptyFieldListFilter)]
    list_select_related = ["source_type"]
    search_fields = ["=order_number", "=reference"]
    ordering = ["-pk"]
    actions = ["note_paid_back"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # For the action alone: a payment itself is only looked at.
        return obj is None and admin.ModelAdmin.has_change_permission(self, request)

    @admin.action(
        description=_("Note that the selected payments have been paid back"),
        permissions=["change"],
    )
    def note_paid_back(
        self, request: HttpRequest, queryset: QuerySet[TakenPayment]
    ) -> None:
        settled = queryset.filter(settled_at=None).update(settled_at=timezone.now())
        text = ngettext("%(n)d payment settled.", "%(n)d payments settled.", settled)
        messages.success(request, text % {"n": settled})
