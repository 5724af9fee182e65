"""The views behind the code boxes. All change something, so all are posts."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.generic import TemplateView, View

from ...aliases import Request
from ...credits.codes.applying import remove_code
from ...credits.models import MoneyChoice
from ...credits.patience import PatientMixin, nothing_taken
from . import answers, code_handlers, split, typed_codes
from .quotes import quote_of


class ReturningView(PatientMixin, View):
    """A post that goes back to where it came from, at the box.

    The address ends with the control that comes next: a browser moves the focus there,
    also without JavaScript.
    """

    http_method_names = ["post"]
    request: Request
    default_name = "basket:summary"
    anchor = "#credit-code-next"

    def back(self) -> HttpResponseRedirect:
        return HttpResponseRedirect(self.page() + self.anchor)

    def say_nothing_done(self) -> HttpResponse:
        answers.put(self.request, nothing_taken(), accepted=False)
        return self.back()

    def page(self) -> str:
        """Return the address of the page with the box, on this site."""
        address = self.request.POST.get("next", "")
        allowed = url_has_allowed_host_and_scheme(
            address, self.request.get_host(), self.request.is_secure()
        )
        return str(address if allowed else self.default_url()).partition("#")[0]

    def default_url(self) -> str:
        return reverse(self.default_name)


@method_decorator(sensitive_post_parameters("code"), name="dispatch")
class ApplyCodeView(ReturningView):
    """Apply a code of any kind to the shopping basket."""

    takes_code = True

    @sensitive_variables("text")
    def post(self, request: Request) -> HttpResponse:
        text = request.POST.get("code", "").strip()
        if not request.basket.pk:
            return self.back()
        answer = code_handlers.take_code(text, request=request)
        if answer and answer.is_refusal and typed_codes.AGAIN in request.POST:
            return typed_codes.show_again(text, request=request, page=self.page())
        return self.back()


@method_decorator(never_cache, name="dispatch")
class EnterCodeView(TemplateView):
    """The code box of the shopping basket, on a page that every site has.

    Refusals lead to it: a site's own basket and payment step may have no box, or the
    payment step may be skipped.
    """

    template_name = "training_credits/enter_code.html"


class RemoveCodeView(ReturningView):
    """Take a credit code off the shopping basket."""

    def post(self, request: Request, code_id: int) -> HttpResponse:
        if request.basket.pk and remove_code(code_id, basket=request.basket):
            answers.put(request, _("The code was removed."), accepted=True)
        return self.back()


class PayLineView(ReturningView):
    """Pay a basket line with money although credits could, or with credits again."""

    def post(self, request: Request, line_id: int) -> HttpResponse:
        if not request.basket.pk:
            return self.back()
        line = get_object_or_404(request.basket.lines, pk=line_id)
        if request.POST.get("with") == "money":
            MoneyChoice.objects.get_or_create(line=line)
        else:
            self.settle_in_credits(line)
        return self.back()

    def settle_in_credits(self, line: Any) -> None:
        basket = self.request.basket
        before = quote_of(basket)
        MoneyChoice.objects.filter(line=line).delete()
        basket.reset_offer_applications()
        if text := split.displaced_text(before, basket):
            answers.put(self.request, text, accepted=True)
