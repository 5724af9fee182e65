"""For whom a place is meant, and its link by mail: for its buyer alone."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView
from oscar.core.loading import get_class

from ...aliases import Request
from ...credits.access import places
from ...credits.codes.fields import KeyField
from ...credits.models import Place
from ...exceptions import IdempotencyKeyReused, NotMailed, PlaceNotMailed
from ..order.place_mails import mail_place

PageTitleMixin: Any = get_class("customer.mixins", "PageTitleMixin")


class NameForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Place
        fields = ("meant_for",)
        labels = {"meant_for": gettext_lazy("Meant for")}
        help_texts = {
            "meant_for": gettext_lazy(
                "A name or a note, for you. Whoever has the link can accept the place."
            )
        }


class MailForm(forms.Form):
    address = forms.EmailField(
        label=gettext_lazy("Mail the link to"),
        max_length=254,
        help_text=gettext_lazy("Your name is in the mail, and the address stays here."),
    )
    key = KeyField()


@method_decorator(never_cache, name="dispatch")
class HandOutView(LoginRequiredMixin, PageTitleMixin, TemplateView):
    """Names a place, or mails its link; it says afterwards which."""

    template_name = "training_credits/place_hand_out.html"
    page_title = gettext_lazy("A place")
    active_tab = "orders"
    request: Request

    @cached_property
    def place(self) -> Place:
        own = Place.objects.filter(order_line__order__user=self.request.user)
        own = own.select_related("order_line__order")
        return get_object_or_404(own, pk=self.kwargs["place_id"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        forms = {
            "name_form": NameForm(instance=self.place),
            "mail_form": MailForm(),
            "place": self.place,
            "mails": self.place.mails.order_by("-pk"),
        }
        return super().get_context_data(**{**forms, **kwargs})

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        if "address" in request.POST:
            return self.mail(MailForm(request.POST))
        form = NameForm(request.POST, instance=Place.objects.get(pk=self.place.pk))
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(name_form=form))
        places.name(self.place, form.cleaned_data["meant_for"])
        messages.success(request, _("The name is noted."))
        return self.here()

    def mail(self, form: MailForm) -> HttpResponse:
        if form.is_valid() and self.is_mailed(form):
            address = form.cleaned_data["address"]
            text = _("The link was mailed to %(address)s.") % {"address": address}
            messages.success(self.request, text)
            return self.here()
        return self.render_to_response(self.get_context_data(mail_form=form))

    def is_mailed(self, form: MailForm) -> bool:
        """Tell whether it is sent; what stands in the way is in the form."""
        asked = form.cleaned_data
        try:
            mail_place(
                self.place,
                address=asked["address"],
                idempotency_key=f"place:{asked['key'].hex}",
                by=self.request.user,
            )
        except PlaceNotMailed:
            text = _("It was mailed often enough, or somebody has the place already.")
            form.add_error("address", text)
        except NotMailed:
            text = _("It was not mailed: the mail server did not take it.")
            form.add_error("address", text)
        except IdempotencyKeyReused:
            text = _("This page was used before. Open it once more, and try again.")
            form.add_error("address", text)
        return form.is_valid()

    def here(self) -> HttpResponse:
        return redirect("training_credits:hand-out", place_id=self.place.pk)
