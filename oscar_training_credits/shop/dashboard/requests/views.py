"""Oscar's dashboard: requests for credits, listed and answered."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.generic import TemplateView
from django_tables2 import Column

from ....aliases import Request
from ....converters import number_in
from ....credits.codes import code_text
from ....credits.codes.finding import learner_matches
from ....credits.ledger import credit_requests
from ....credits.models import CreditCode, CreditRequest
from ....credits.models.requests import LONGEST_NOTE
from ....credits.wording import name_of
from ....exceptions import NotApproved, RequestDecided
from ...communication import requests
from ..mixins import (
    NO_WRAP,
    DashboardTable,
    PermissionMixin,
    SearchedTableView,
    may,
    moment_in_words,
)

APPROVE, DECLINE = "cut_creditcode", "change_creditrequest"


class RequestTable(DashboardTable):
    created_at = Column(
        attrs=NO_WRAP,
        verbose_name=gettext_lazy("Asked"),
        linkify=lambda record: f"{record.pk}/",
    )
    learner = Column(verbose_name=gettext_lazy("Learner"), order_by="learner__email")
    content = Column(verbose_name=gettext_lazy("Training"), orderable=False)
    credits = Column(verbose_name=gettext_lazy("Credits"))
    code = Column(verbose_name=gettext_lazy("Code"), orderable=False)
    state = Column(verbose_name=gettext_lazy("State"))

    caption = ngettext_lazy("%d request", "%d requests")
    icon = "fas fa-hand-paper"

    class Meta(DashboardTable.Meta):
        template_name = "training_credits/dashboard_table.html"
        empty_text = gettext_lazy("Nothing found.")

    def render_created_at(self, value: Any) -> str:
        return moment_in_words(value)

    def render_learner(self, value: Any) -> str:
        return name_of(value)


class RequestSearchForm(forms.Form):
    learner = forms.CharField(
        label=gettext_lazy("Learner"), required=False, max_length=200
    )
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[("", gettext_lazy("All")), *CreditRequest.State.choices],
    )

    def filtered(self, rows: QuerySet[CreditRequest]) -> QuerySet[CreditRequest]:
        asked = self.cleaned_data
        if asked["state"]:
            rows = rows.filter(state=asked["state"])
        if asked["learner"]:
            rows = rows.filter(learner_matches(asked["learner"], prefix="learner"))
        return rows


class RequestsMixin(PermissionMixin):
    """A page of requests: for staff, as no code belongs to a partner."""

    permission = "view_creditrequest"
    staff_only = True


class RequestListView(RequestsMixin, SearchedTableView):
    template_name = "training_credits/dashboard_requests.html"
    table_class = RequestTable
    search_form_class = RequestSearchForm

    def rows(self) -> QuerySet[CreditRequest]:
        return credit_requests.with_content(CreditRequest.objects.all())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        heading = _("Requests")
        return super().get_context_data(heading=heading, **kwargs)


class AnswerForm(forms.Form):
    """Approves a request from a code, or declines it with a reason."""

    parent = forms.CharField(
        label=gettext_lazy("From the code"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy(
            "Its whole text, or its number as #12: the page of a code has it in its"
            " address."
        ),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason to decline"),
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("The learner reads it."),
    )

    @sensitive_variables("text")
    def found_code(self) -> CreditCode | None:
        text = self.cleaned_data["parent"].strip()
        if text.startswith("#"):
            key = number_in(text[1:])
            return CreditCode.objects.filter(pk=key or 0).first()
        return code_text.find(text) if text else None


@method_decorator(sensitive_post_parameters("parent"), name="dispatch")
class RequestDetailView(RequestsMixin, TemplateView):
    """One request, and the answer to it."""

    request: Request
    takes_code = True
    template_name = "training_credits/dashboard_request.html"

    @cached_property
    def asked(self) -> CreditRequest:
        rows = credit_requests.with_content(CreditRequest.objects.all())
        return get_object_or_404(rows, pk=self.kwargs["pk"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        code = self.asked.code_id
        initial = {"parent": f"#{code}"} if code else {}
        user = self.request.user
        return super().get_context_data(
            **{
                "heading": _("Request for credits"),
                "asked": self.asked,
                "form": AnswerForm(initial=initial),
                "may_approve": may(user, APPROVE),
                "may_decline": may(user, DECLINE),
                **kwargs,
            }
        )

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        approves = "approve" in request.POST
        needed = APPROVE if approves else DECLINE
        form = AnswerForm(request.POST)
        if not may(request.user, needed):
            messages.error(request, _("You may look at requests, but not answer them."))
            return HttpResponseRedirect(request.path)
        try:
            if form.is_valid() and (text := self.answer(form, approves)):
                messages.success(request, text)
                return redirect("training_credits:request-list")
        except RequestDecided:
            text = _("It has been answered meanwhile, or withdrawn.")
            messages.info(request, text)
            return HttpResponseRedirect(request.path)
        return self.render_to_response(self.get_context_data(form=form))

    def answer(self, form: AnswerForm, approves: bool) -> str:
        """Do it and return what to say; or add an error to the form."""
        user = self.request.user
        if not approves:
            if reason := form.cleaned_data["reason"]:
                requests.decline(self.asked, reason=reason, by=user)
                return _("The request is declined. The learner gets a mail.")
            form.add_error("reason", _("Say why."))
            return ""
        if not (parent := form.found_code()):
            form.add_error("parent", _("There is no such code."))
            return ""
        try:
            requests.approve(self.asked, parent=parent, by=user)
        except NotApproved as refused:
            form.add_error("parent", str(refused))
            return ""
        return _("The credits are given. The learner gets a mail.")
