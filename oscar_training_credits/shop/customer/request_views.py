"""*My credits*, *Requests*: what learners ask of those who look after a code."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...aliases import Request
from ...credits import wording
from ...credits.codes import managing
from ...credits.ledger import credit_requests
from ...credits.models import CreditCode, CreditRequest
from ...credits.models.requests import LONGEST_NOTE
from ...credits.patience import PatientMixin
from ...exceptions import NotApproved, RequestDecided
from ..communication import requests
from .credits_views import CreditsPage

MOST_ANSWERED = 50
"""How many of those that were answered last the page lists."""


class RequestsView(CreditsPage):
    """What is asked of a manager: what waits first, and what was answered last."""

    template_name = "training_credits/my_requests.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        mine = credit_requests.requests_to(self.request.user)
        waiting = mine.filter(state=CreditRequest.State.OPEN)
        answered = mine.exclude(state=CreditRequest.State.OPEN)[:MOST_ANSWERED]
        return super().get_context_data(waiting=waiting, answered=answered, **kwargs)


class CodeChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        left = wording.in_words(obj.balance())
        return _("%(code)s: %(left)s left") % {"code": obj, "left": left}


class ApproveForm(forms.Form):
    """The code of the manager's that gives the credits."""

    parent = CodeChoice(
        queryset=CreditCode.objects.none(), label=gettext_lazy("From this code")
    )

    def __init__(self, *args: Any, manager: Any, asked: CreditRequest, **kwargs: Any):
        super().__init__(*args, **kwargs)
        field: Any = self.fields["parent"]
        own = managing.codes_of(manager)
        field.queryset = own.filter(state=CreditCode.State.ACTIVE, parent=None)
        field.initial = asked.code_id


class DeclineForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("The learner reads it."),
    )


class RequestView(PatientMixin, CreditsPage):
    """One request: its manager approves or declines it."""

    template_name = "training_credits/my_request.html"

    @cached_property
    def asked(self) -> CreditRequest:
        mine = credit_requests.requests_to(self.request.user)
        return get_object_or_404(mine, pk=self.kwargs["pk"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **{
                "asked": self.asked,
                "approve_form": self.approve_form(None),
                "decline_form": DeclineForm(),
                **kwargs,
            }
        )

    def approve_form(self, data: Any) -> ApproveForm:
        return ApproveForm(data, manager=self.request.user, asked=self.asked)

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            if "approve" in request.POST:
                return self.approve(self.approve_form(request.POST))
            return self.decline(DeclineForm(request.POST))
        except RequestDecided:
            messages.info(request, _("It has been answered meanwhile, or withdrawn."))
        return redirect("training_credits:my-request", pk=self.asked.pk)

    def approve(self, form: ApproveForm) -> HttpResponse:
        if form.is_valid():
            parent = form.cleaned_data["parent"]
            try:
                requests.approve(self.asked, parent=parent, by=self.request.user)
            except NotApproved as refused:
                form.add_error("parent", str(refused))
            else:
                return self.leave(_("The credits are given. The learner gets a mail."))
        context = self.get_context_data(approve_form=form)
        return self.render_to_response(context)

    def decline(self, form: DeclineForm) -> HttpResponse:
        if not form.is_valid():
            context = self.get_context_data(decline_form=form)
            return self.render_to_response(context)
        reason = form.cleaned_data["reason"]
        requests.decline(self.asked, reason=reason, by=self.request.user)
        return self.leave(_("The request is declined. The learner gets a mail."))

    def leave(self, text: str) -> HttpResponse:
        messages.success(self.request, text)
        return redirect("training_credits:my-requests")
