"""*My credits* in Oscar's account area: the codes that a customer looks after.

Whoever is not a manager of a code is told that there is no such page.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.generic import TemplateView
from oscar.core.loading import get_class

from ...aliases import Request
from ...converters import number_in
from ...credits.codes import issuing, managing, new_text
from ...credits.ledger import credit_requests, packs
from ...credits.models import CreditCode, CreditRequest
from ...exceptions import CodeClosed, IdempotencyKeyReused, TooManyInvitations
from ..communication import invitations
from ..communication.documents import certificate_response, text_of_old_page
from ..files import FORMATS
from ..order.packs_bought import packs_on_sale, put_in_basket
from ..pdf_files import has_pdf
from . import credits_shown, credits_used
from .credits_used import UsesForm
from .team_text import team_text

PageTitleMixin: Any = get_class("customer.mixins", "PageTitleMixin")
LATEST = 10
"""How many of the latest uses the page of a code lists."""


@method_decorator(never_cache, name="dispatch")
class CreditsPage(LoginRequiredMixin, PageTitleMixin, TemplateView):
    """A page of *My credits*."""

    request: Request
    page_title = gettext_lazy("My credits")
    active_tab = "credits"


class MyCreditsView(CreditsPage):
    """The codes that a customer looks after, and what is left on each."""

    template_name = "training_credits/my_credits.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        rows = credits_shown.code_rows(managing.codes_of(user), user)
        waiting = credit_requests.requests_to(user).filter(
            state=CreditRequest.State.OPEN
        )
        return super().get_context_data(
            rows=rows, open_requests=waiting.count(), **kwargs
        )


class ManagedCodePage(CreditsPage):
    """A page about one code, for its managers alone."""

    @cached_property
    def code(self) -> CreditCode:
        own = managing.codes_of(self.request.user).select_related("content")
        return get_object_or_404(own, pk=self.kwargs["pk"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"code": self.code, **kwargs})

    def back(self) -> HttpResponse:
        return redirect("training_credits:my-code", pk=self.code.pk)


class ManagedCodeView(ManagedCodePage):
    """What a manager sees of a code: balance, grants, and who used what."""

    template_name = "training_credits/my_code.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        code, user, now = self.code, self.request.user, timezone.now()
        own = managing.codes_of(user).filter(pk=code.pk)
        [row] = credits_shown.code_rows(own, user)
        grants = list(code.grants.order_by("pk"))
        return super().get_context_data(
            row=row,
            grants=credits_shown.grant_rows(grants, now),
            chart=credits_shown.balance_chart(grants, now),
            uses=credits_used.uses(own).first(LATEST),
            held=sum(credits_used.holds_of(own).values_list("credits", flat=True)),
            may_pause=code.state == CreditCode.State.ACTIVE,
            may_resume=managing.was_paused(code),
            may_cut=credits_shown.may_be_cut(code),
            children=credits_shown.child_rows(code, user),
            **kwargs,
        )


class UsesView(CreditsPage):
    """Who used what of all codes that a manager looks after, and as a file.

    `?as=csv` or `?as=xlsx` sends the file, of what the filter finds.
    """

    template_name = "training_credits/my_credits_used.html"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        codes = managing.codes_of(request.user)
        if chosen := request.GET.get("code"):
            get_object_or_404(codes, pk=number_in(chosen) or 0)
        form = UsesForm(request.GET, codes=codes)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        if send := FORMATS.get(request.GET.get("as", "")):
            return send("credits", credits_used.file_rows(form.uses()))
        page = form.uses().page(request.GET.get("page"))
        context = self.get_context_data(
            form=form,
            uses=page.object_list,
            held=form.held(),
            page_obj=page,
            paginator=page.paginator,
            file_query=without(request.GET, "page", "as"),
        )
        return self.render_to_response(context)


def without(query: Any, *names: str) -> str:
    """Return a query of an address without some of its parts."""
    left = query.copy()
    for name in names:
        left.pop(name, None)
    return str(left.urlencode())


@method_decorator(sensitive_post_parameters("text"), name="dispatch")
class ManagedTextView(ManagedCodePage):
    """The text of a code, on the one page that shows it, once, and its certificate."""

    template_name = "training_credits/my_code_text.html"
    takes_code = True

    @property
    def shown(self) -> CreditCode:
        """The code whose text it is."""
        return self.code

    @sensitive_variables()
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        text = new_text.take(request, self.shown.pk)
        words = team_text(self.shown, by=request.user, text=text) if text else ""
        context = self.get_context_data(
            shown=self.shown, text=text, team_text=words, has_pdf=has_pdf()
        )
        response = self.render_to_response(context)
        new_text.forget(request, response)
        return response

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Send the certificate of the text that is shown, or show one that is new."""
        if "text" in request.POST:
            return self.certificate(request.POST["text"])
        return self.first_time()

    @sensitive_variables()
    def certificate(self, text: str) -> HttpResponse:
        if sent := certificate_response(self.shown, text):
            return sent
        messages.info(self.request, text_of_old_page())
        return self.back()

    @sensitive_variables()
    def first_time(self) -> HttpResponse:
        """Show the text of a code that was bought, for the first time."""
        request = self.request
        issued = packs.show_text(self.code, by=request.user)
        if issued is None:
            text = _(
                "The code was shown before, and nobody can look it up. If it is lost,"
                " give it a new text."
            )
            messages.info(request, text)
            return self.back()
        response = redirect("training_credits:my-code-text", pk=self.code.pk)
        new_text.carry(request, response, self.code.pk, issued.text)
        return response


class TeamTextView(ManagedCodePage):
    """What to tell the team, without the code itself."""

    template_name = "training_credits/my_code_team.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        words = team_text(self.code, by=self.request.user)
        return super().get_context_data(team_text=words, **kwargs)


class RotateManagedView(ManagedCodePage):
    """Gives a code a new text, once the manager has read what comes of it."""

    template_name = "training_credits/my_code_rotate.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(key=uuid4().hex, **kwargs)

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        key = f"manager:{request.POST.get('key', '')}"[:64]
        try:
            issued = issuing.rotate_code(
                self.code, by=request.user, idempotency_key=key
            )
        except (CodeClosed, IdempotencyKeyReused):
            messages.info(request, _("Nothing was changed: open the page anew."))
            return self.back()
        if not issued.text:
            # A second click: the page of the first one shows the text.
            messages.info(request, _("The code has its new text already."))
            return self.back()
        packs.text_is_known(self.code)
        response = redirect("training_credits:my-code-text", pk=self.code.pk)
        new_text.carry(request, response, self.code.pk, issued.text)
        return response


class ManagersView(ManagedCodePage):
    """Who looks after a code, besides whoever asks: invited, and removed again."""

    template_name = "training_credits/my_code_managers.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        managers = self.code.managers.select_related("user").order_by("email")
        form = kwargs.pop("form", None) or InviteForm()
        return super().get_context_data(managers=managers, form=form, **kwargs)

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        if "remove" in request.POST:
            return self.remove(request.POST["remove"])
        form = InviteForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        address = form.cleaned_data["address"].lower()
        before = managing.addresses_of(self.code)
        try:
            invitations.name_managers(self.code, [*before, address], by=request.user)
        except TooManyInvitations:
            form.add_error("address", too_many_invitations())
            return self.render_to_response(self.get_context_data(form=form))
        text = _("%(address)s is invited.") % {"address": address}
        messages.success(request, text)
        return self.here()

    def remove(self, address: str) -> HttpResponse:
        before = managing.addresses_of(self.code)
        left = [each for each in before if each != address]
        accepted = self.code.managers.filter(email__in=left, user__isnull=False)
        if not accepted.exists():
            text = _("Somebody must look after the code: invite another first.")
            messages.error(self.request, text)
            return self.here()
        managing.set_managers(self.code, left, by=self.request.user)
        text = _("%(address)s looks after the code no longer.")
        messages.success(self.request, text % {"address": address})
        if not managing.codes_of(self.request.user).filter(pk=self.code.pk).exists():
            return redirect("training_credits:my-credits")
        return self.here()

    def here(self) -> HttpResponse:
        return redirect("training_credits:my-code-managers", pk=self.code.pk)


def too_many_invitations() -> str:
    return _("You have invited many people today. Try again tomorrow.")


class InviteForm(forms.Form):
    """Whom a manager invites."""

    address = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        max_length=254,
        help_text=gettext_lazy("They get a link by mail, and see the code after that."),
    )


class InvitedView(CreditsPage):
    """What the link of an invitation leads to. Looking at it accepts nothing."""

    template_name = "training_credits/manager_invited.html"
    takes_code = True
    secrets_in_address = ("text",)

    @method_decorator(sensitive_variables())
    def dispatch(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        response = super().dispatch(request, *args, **kwargs)
        response["Referrer-Policy"] = "strict-origin"
        response["X-Robots-Tag"] = "noindex"
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        manager = managing.find_invitation(self.kwargs["text"])
        code = manager.code if manager else None
        return super().get_context_data(code=code, **kwargs)

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        accepted = managing.accept_invitation(self.kwargs["text"], request.user)
        if accepted is None:
            return self.get(request, *args, **kwargs)
        return redirect("training_credits:my-code", pk=accepted.code_id)


class TopUpManagedView(ManagedCodePage):
    """Puts a pack into the basket that is to top up a code."""

    template_name = "training_credits/my_code_top_up.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        offered = packs_on_sale(self.request)
        return super().get_context_data(offered=offered, **kwargs)

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        offered = packs_on_sale(request)
        wanted = request.POST.get("pack", "")
        products = {str(each.product.pk): each.product for each in offered}
        if wanted not in products:
            messages.error(request, _("This pack is not on sale any more."))
            return redirect("training_credits:my-code-top-up", pk=self.code.pk)
        put_in_basket(request.basket, products[wanted], top_up=self.code)
        return redirect("basket:summary")


class PauseManagedView(ManagedCodePage):
    """Pauses a code that a manager looks after, or lets it work again."""

    http_method_names = ["post"]

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        is_paused = "resume" not in request.POST
        try:
            done = managing.set_paused(self.code, is_paused, by=request.user)
        except CodeClosed:
            done = False
        if not done:
            text = _("Nothing was changed: open the page anew.")
        elif is_paused:
            text = _("The code is paused. Nobody can spend its credits meanwhile.")
        else:
            text = _("The code works again.")
        messages.info(request, text)
        return self.back()
