"""Oscar's dashboard: tokens for the API listed, made and revoked."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.generic import FormView, TemplateView
from django_tables2 import Column, SingleTableView

from ....aliases import Request
from ....credits import api_tokens
from ....credits.codes import new_text
from ....credits.codes.fields import LastDayField
from ....credits.models import ApiToken, Scope
from ....credits.terms import end_of
from ....credits.wording import end_in_words, name_of
from ..codes.base import used_before
from ..mixins import NO_WRAP, DashboardTable, OptionalPageMixin, may, moment_in_words

LIST = "training_credits:api-token-list"


def state_of(token: ApiToken) -> Any:
    """Return in words whether a token can be used."""
    if token.revoked_at:
        return _("Revoked")
    return _("Active") if token.is_valid(timezone.now()) else _("Expired")


class TokenTable(DashboardTable):
    name = Column(
        verbose_name=gettext_lazy("Token"), linkify=lambda record: f"{record.pk}/"
    )
    user = Column(verbose_name=gettext_lazy("Acts as"), orderable=False)
    state = Column(verbose_name=gettext_lazy("State"), empty_values=(), orderable=False)
    used_at = Column(verbose_name=gettext_lazy("Last used"), attrs=NO_WRAP)
    expires_at = Column(verbose_name=gettext_lazy("Expires"), attrs=NO_WRAP)

    caption = ngettext_lazy("%d token", "%d tokens")
    icon = "fas fa-key"

    class Meta(DashboardTable.Meta):
        template_name = "training_credits/dashboard_table.html"
        empty_text = gettext_lazy("There is no token yet.")

    def render_name(self, record: ApiToken) -> str:
        return str(record)

    def render_user(self, value: Any) -> str:
        return name_of(value)

    def render_state(self, record: ApiToken) -> str:
        return str(state_of(record))

    def render_used_at(self, value: Any) -> str:
        return moment_in_words(value)

    def render_expires_at(self, value: Any) -> str:
        return end_in_words(value)


class TokensMixin(OptionalPageMixin):
    """A page of tokens: for staff, and only where the site has the API."""

    permission = "view_apitoken"
    staff_only = True

    @classmethod
    def is_there(cls) -> bool:
        try:
            schema_url()
        except NoReverseMatch:
            return False
        return True


class TokenListView(TokensMixin, SingleTableView):
    """All tokens, those that are over as well."""

    request: Request
    template_name = "training_credits/dashboard_api_tokens.html"
    table_class = TokenTable

    def get_queryset(self) -> QuerySet[ApiToken]:
        return ApiToken.objects.select_related("user").order_by("-pk")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(
            heading=_("API tokens"),
            may_create=may(self.request.user, CreateTokenView.permission),
            **kwargs,
        )
        return context


class TokenForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        help_text=ApiToken._meta.get_field("name").help_text,
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may be used for"),
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    last_day = LastDayField(
        label=gettext_lazy("Last day"),
        required=False,
        help_text=gettext_lazy("Leave it empty for a token without an end."),
    )
    # A second click sends the same one, and so makes no second token.
    generated = forms.RegexField(
        rf"^{api_tokens.PREFIX}[A-Za-z0-9_-]{{43}}$",
        initial=api_tokens.new_text,
        widget=forms.HiddenInput,
    )


@method_decorator(
    [never_cache, sensitive_post_parameters("generated")], name="dispatch"
)
class CreateTokenView(TokensMixin, FormView):  # type: ignore[type-arg]
    """Makes a token that acts as whoever makes it."""

    request: Request
    permission = "add_apitoken"
    template_name = "training_credits/dashboard_api_token_form.html"
    form_class = TokenForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(heading=_("New token"), **kwargs)

    @sensitive_variables()
    def form_valid(self, form: TokenForm) -> HttpResponse:
        asked = form.cleaned_data
        try:
            issued = api_tokens.issue_token(
                self.request.user,
                name=asked["name"],
                scopes=asked["scopes"],
                expires_at=end_of(asked["last_day"]) if asked["last_day"] else None,
                text=asked["generated"],
            )
        except ValueError:
            form.add_error(None, used_before())
            return self.form_invalid(form)
        response = redirect("training_credits:api-token", pk=issued.token.pk)
        owner = owner_of(issued.token)
        new_text.carry(self.request, response, owner, issued.text)
        return response


class OneTokenView(TokensMixin, TemplateView):
    """Something about one token."""

    request: Request

    @cached_property
    def token(self) -> ApiToken:
        tokens = ApiToken.objects.select_related("user")
        return get_object_or_404(tokens, pk=self.kwargs["pk"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            token=self.token,
            acts_as=name_of(self.token.user),
            state=state_of(self.token),
            **kwargs,
        )


@method_decorator(never_cache, name="dispatch")
class TokenView(OneTokenView):
    """One token; its text once, after it was made."""

    template_name = "training_credits/dashboard_api_token.html"

    @sensitive_variables()
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        text = new_text.take(request, owner_of(self.token))
        response = self.render_to_response(
            self.get_context_data(
                heading=str(self.token),
                text=text,
                api_url=request.build_absolute_uri(schema_url()),
                may_revoke=not self.token.revoked_at
                and may(request.user, RevokeTokenView.permission),
            )
        )
        new_text.forget(request, response)
        return response


class RevokeTokenView(OneTokenView):
    """Asks, and lets a token be used no more."""

    permission = "change_apitoken"
    template_name = "training_credits/dashboard_api_token_revoke.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(heading=_("Revoke the token?"), **kwargs)

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        api_tokens.revoke_token(self.token)
        text = _("The token is revoked: nobody can use it any more.")
        messages.success(request, text)
        return redirect(LIST)


def owner_of(token: ApiToken) -> str:
    """Return by what the page that shows a new text knows whose it is."""
    return f"token {token.pk}"


def schema_url() -> str:
    return reverse("training_credits_backoffice:schema")
