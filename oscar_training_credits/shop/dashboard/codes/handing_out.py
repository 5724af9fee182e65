"""The text of a new code on its one page: copied, printed, mailed, taken as a PDF."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.generic import TemplateView
from oscar.views.decorators import check_permissions

from ....aliases import Request
from ....credits.codes import new_text
from ....credits.models import CreditCode
from ....exceptions import IdempotencyKeyReused, NotMailed
from ...communication.code_mail import mail_code
from ...communication.documents import (
    certificate_response,
    certificate_shown,
    text_of_old_page,
)
from ...pdf_files import has_pdf
from ..mixins import needed
from .base import CodesMixin, used_before
from .forms import KeyForm


class MailCodeForm(KeyForm):
    """To whom the text is mailed. It is in the page alone, so it comes along."""

    address = forms.EmailField(
        label=gettext_lazy("Mail it to"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("The address is kept on record; the text is not."),
    )
    text = forms.CharField(widget=forms.HiddenInput, max_length=200)


@method_decorator([never_cache, sensitive_post_parameters("text")], name="dispatch")
class CodeTextView(CodesMixin, TemplateView):
    """Shows the text of a new code, once, and once more to whoever mails it."""

    request: Request
    takes_code = True
    template_name = "training_credits/dashboard_code_text.html"

    @sensitive_variables()
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        code = self.code()
        text = new_text.take(request, code.pk)
        response = self.show(code, text, MailCodeForm(initial={"text": text}))
        new_text.forget(request, response)
        return response

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Mail the text, and show it again: it may have to be printed as well."""
        code = self.code()
        if not may_hand_out(request.user):
            messages.error(request, _("You may not hand out codes."))
            return redirect("training_credits:code-detail", pk=code.pk)
        if request.POST.get("as") == "pdf":
            return self.certificate(code, request.POST.get("text", ""))
        form = MailCodeForm(request.POST)
        if not form.is_valid() or not self.mail(code, form):
            return self.show(code, request.POST.get("text", ""), form)
        address = form.cleaned_data["address"]
        text = _("The code was mailed to %(address)s.") % {"address": address}
        messages.success(request, text)
        response = redirect("training_credits:code-text", pk=code.pk)
        new_text.carry(request, response, code.pk, form.cleaned_data["text"])
        return response

    @sensitive_variables()
    def certificate(self, code: CreditCode, text: str) -> HttpResponse:
        if sent := certificate_response(code, text):
            return sent
        messages.info(self.request, text_of_old_page())
        return redirect("training_credits:code-detail", pk=code.pk)

    @sensitive_variables("form")
    def mail(self, code: CreditCode, form: MailCodeForm) -> bool:
        """Tell whether the mail is sent; what stands in the way is in the form."""
        asked = form.cleaned_data
        try:
            mail_code(
                code,
                asked["text"],
                address=asked["address"],
                idempotency_key=form.idempotency_key,
                by=self.request.user,
            )
        except NotMailed:
            text = _(
                "It was not mailed: the mail server did not take it. The code is"
                " still on this page."
            )
            form.add_error("address", text)
        except IdempotencyKeyReused:
            form.add_error(None, used_before())
        except ValueError:
            text = _("This is not the text of the code any more. Nothing was mailed.")
            form.add_error(None, text)
        return form.is_valid()

    @sensitive_variables()
    def show(self, code: CreditCode, text: str, form: MailCodeForm) -> HttpResponse:
        context = self.get_context_data(
            **certificate_shown(code, text),
            heading=_("The text of the code"),
            form=form,
            may_mail=may_hand_out(self.request.user),
            has_pdf=has_pdf(),
        )
        return self.render_to_response(context)

    def code(self) -> CreditCode:
        codes = CreditCode.objects.select_related("content")
        return get_object_or_404(codes, pk=self.kwargs["pk"])


def may_hand_out(user: Any) -> bool:
    """Tell whether a user makes texts of codes, and so may mail one."""
    makers = ("add_creditcode", "rotate_creditcode")
    return any(check_permissions(user, needed(name)) for name in makers)
