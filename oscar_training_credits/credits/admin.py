"""Django's admin: codes issued, seen, disabled and topped up; records to look at."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import F, IntegerField, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)

from . import codes, domains, issuing
from .models import (
    Access,
    CreditCode,
    CreditGrant,
    LedgerEntry,
    Place,
    Redemption,
    TakenPayment,
)

WHEN = ["starts_at", "expires_at", "ends_access"]
CONTENT = ["content"]
AUDIENCE = ["learners", "groups", "email_domains", "include_subdomains"]
LIMITS = ["credits_per_learner", "redemptions_per_learner", "one_order_only"]
RELATED = {"learners", "groups"}


def fieldsets(*code: str) -> Any:
    return [
        (None, {"fields": [*code]}),
        (_("When"), {"fields": WHEN}),
        (_("For what"), {"fields": CONTENT}),
        (_("For whom"), {"fields": AUDIENCE}),
        (_("How much"), {"fields": LIMITS}),
    ]


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Records that only the services write."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class NewCodeForm(forms.ModelForm):  # type: ignore[type-arg]
    """Issues a code with its first grant. The text is not kept, so it is asked once."""

    text = forms.CharField(
        label=_("Code"),
        required=False,
        max_length=codes.LONGEST_TEXT,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Leave it empty, and a code that can't be guessed is made."),
    )
    credits = forms.IntegerField(label=_("Credits"), min_value=1)

    class Meta:
        model = CreditCode
        fields = ["label", *WHEN, *CONTENT, *AUDIENCE, *LIMITS]

    def clean_credits(self) -> int:
        credits: int = CreditGrant._meta.get_field("credits").clean(
            self.cleaned_data["credits"], None
        )
        return credits

    @sensitive_variables("text")
    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"].strip()
        if text and len(codes.canonical(text)) < codes.SHORTEST_TEXT:
            needs = _("A code needs %(number)d letters or digits at least.")
            raise ValidationError(needs % {"number": codes.SHORTEST_TEXT})
        if text and codes.find(text):
            raise ValidationError(_("There is a code with this text already."))
        return text

    @sensitive_variables("terms")
    def issue(self, *, by: Any) -> issuing.IssuedCode:
        terms = {**self.cleaned_data, "text": self.cleaned_data["text"] or None}
        terms["email_domains"] = domains.listed(terms["email_domains"])
        return issuing.issue_code(**terms, by=by)


class GrantInline(admin.TabularInline):  # type: ignore[type-arg]
    """The grants of a code; a new row tops it up."""

    model = CreditGrant
    extra = 0
    fields = ["credits", "remaining", "origin", "note", "expires_at", "created_at"]
    readonly_fields = ["remaining", "created_at"]
    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(CreditCode)
class CreditCodeAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["label", "ending", "state", "balance", "expires_at", "created_at"]
    list_filter = ["state", "expires_at"]
    search_fields = ["label", "=ending"]
    ordering = ["-created_at"]
    actions = ["disable", "enable"]
    fieldsets = fieldsets("label", "ending", "state")
    readonly_fields = ["ending", "state"]
    filter_horizontal = ["groups"]
    raw_id_fields = ["learners"]
    inlines = [GrantInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditCode]:
        now = timezone.now()
        unexpired = Q(grants__expires_at=None) | Q(grants__expires_at__gt=now)
        remaining = Coalesce(
            Sum("grants__remaining", filter=unexpired),
            Value(0),
            output_field=IntegerField(),
        )
        queryset: QuerySet[CreditCode] = super().get_queryset(request)
        return queryset.annotate(remaining=remaining)

    @admin.display(description=_("balance"), ordering="remaining")
    def balance(self, code: Any) -> int:
        remaining: int = code.remaining
        return remaining

    def get_form(
        self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = NewCodeForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return fieldsets("label", "text", "credits") if obj is None else self.fieldsets

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        # Only where it works: the site's users need an admin that can be searched,
        # by this very person. Elsewhere their numbers are typed.
        users = self.admin_site._registry.get(get_user_model())
        if users and users.search_fields and users.has_view_permission(request):
            return ["learners"]
        return []

    def get_inline_instances(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_inline_instances(request, obj) if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @method_decorator(sensitive_post_parameters("text"))
    @method_decorator(never_cache)
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().add_view(request, *args, **kwargs)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        if change:
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
            fields = ["label", *WHEN, *CONTENT, *AUDIENCE, *LIMITS]
            obj.save(update_fields=[name for name in fields if name not in RELATED])

    def save_formset(self, request: Any, form: Any, formset: Any, change: bool) -> None:
        # The admin's log names these.
        formset.new_objects = [
            issuing.add_grant(
                form.instance,
                grant.credits,
                origin=grant.origin,
                note=grant.note,
                expires_at=grant.expires_at,
                by=request.user,
            )
            for grant in formset.save(commit=False)
        ]

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        # Rendered here and now: a message or an address would keep the text.
        context = {
            **self.admin_site.each_context(request),
            "title": _("The new code"),
            "issued": request.issued_code,  # type: ignore[attr-defined]
            "opts": self.opts,
        }
        return TemplateResponse(
            request, "admin/training_credits/issued_code.html", context
        )

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
        changed = 0
        for code in queryset:
            issuing.set_state(code, state)
            self.log_change(request, code, f"State: {state}")
            changed += 1
        text = ngettext("%(n)d code changed.", "%(n)d codes changed.", changed)
        messages.success(request, text % {"n": changed})


@admin.register(Redemption)
class RedemptionAdmin(ReadOnlyAdmin):
    list_display = ["order", "code", "learner", "credits", "created_at"]
    list_select_related = ["order", "code", "learner"]
    search_fields = ["order__number", "code__label", "learner__email"]


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "code", "kind", "credits", "balance", "redemption"]
    list_filter = ["kind"]
    list_select_related = ["grant__code", "redemption"]
    search_fields = ["grant__code__label", "=grant__code__ending"]
    ordering = ["-pk"]

    @admin.display(description=_("code"), ordering=F("grant__code__label"))
    def code(self, entry: LedgerEntry) -> str:
        return str(entry.grant.code)


@admin.register(Access)
class AccessAdmin(ReadOnlyAdmin):
    list_display = ["learner", "training", "starts_at", "ends_at"]
    list_select_related = ["learner", "training__product"]
    search_fields = ["learner__email", "training__product__title"]


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
    actions = ["settle"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # For the action alone: a payment itself is only looked at.
        return obj is None and admin.ModelAdmin.has_change_permission(self, request)

    @admin.action(
        description=_("Note that the selected payments have been paid back"),
        permissions=["change"],
    )
    def settle(self, request: HttpRequest, queryset: QuerySet[TakenPayment]) -> None:
        settled = queryset.filter(settled_at=None).update(settled_at=timezone.now())
        text = ngettext("%(n)d payment settled.", "%(n)d payments settled.", settled)
        messages.success(request, text % {"n": settled})
