"""Oscar's dashboard: webhooks listed, made, changed, tried out and replayed."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.generic import FormView, TemplateView
from django_tables2 import Column, SingleTableView

from ....aliases import Request
from ....conf import settings
from ....credits import outbox
from ....credits.codes import new_text
from ....credits.codes.fields import day_field
from ....credits.models import Delivery, EventType, WebhookEndpoint
from ....credits.outbox import Result
from ....credits.terms import start_of
from ....credits.webhooks import endpoints, events, sending
from ....exceptions import DeliveryFailed
from ..codes.base import used_before
from ..mixins import DashboardTable, OptionalPageMixin, may

LIST = "training_credits:webhook-list"
PAGE = "training_credits:webhook"


class WebhookTable(DashboardTable):
    description = Column(
        verbose_name=gettext_lazy("Webhook"), linkify=lambda record: f"{record.pk}/"
    )
    url = Column(verbose_name=gettext_lazy("Address"))
    is_enabled = Column(verbose_name=gettext_lazy("State"))

    caption = ngettext_lazy("%d webhook", "%d webhooks")
    icon = "fas fa-satellite-dish"

    class Meta(DashboardTable.Meta):
        template_name = "training_credits/dashboard_table.html"
        empty_text = gettext_lazy("There is no webhook yet.")

    def render_is_enabled(self, value: Any) -> str:
        return _("On") if value else _("Off")


class WebhooksMixin(OptionalPageMixin):
    """A page of webhooks: for staff, and only where the site sends any."""

    permission = "view_webhookendpoint"
    staff_only = True

    @classmethod
    def is_there(cls) -> bool:
        return settings.WEBHOOKS


class WebhookListView(WebhooksMixin, SingleTableView):
    """All webhooks, those that are off as well."""

    request: Request
    template_name = "training_credits/dashboard_webhooks.html"
    table_class = WebhookTable

    def get_queryset(self) -> QuerySet[WebhookEndpoint]:
        return WebhookEndpoint.objects.order_by("pk")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(
            heading=_("Webhooks"),
            may_create=may(self.request.user, CreateWebhookView.permission),
            **kwargs,
        )
        return context


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]
    url = forms.URLField(
        label=gettext_lazy("Address"),
        max_length=500,
        assume_scheme="https",
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "url"}),
        help_text=gettext_lazy("It begins with https, and is on the Internet."),
    )
    events = forms.MultipleChoiceField(
        label=gettext_lazy("Told of"),
        choices=[each for each in EventType.choices if each[0] != EventType.TEST],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Tick nothing, and it is told of all."),
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("description", "url", "events")

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            sending.target_of(url)
        except DeliveryFailed as failed:
            raise ValidationError(str(failed)) from failed
        return url


class NewWebhookForm(WebhookForm):
    # A second click sends the same one, and so makes no second webhook.
    salt = forms.RegexField(
        r"^[0-9a-f]{64}$",
        initial=lambda: secrets.token_hex(32),
        widget=forms.HiddenInput,
    )


class CreateWebhookView(WebhooksMixin, FormView):  # type: ignore[type-arg]
    request: Request
    permission = "add_webhookendpoint"
    template_name = "training_credits/dashboard_webhook_form.html"
    form_class = NewWebhookForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(heading=_("New webhook"), **kwargs)

    def form_valid(self, form: NewWebhookForm) -> HttpResponse:
        asked = form.cleaned_data
        endpoint = endpoints.make_endpoint(
            asked["url"],
            description=asked["description"],
            events=asked["events"],
            salt=asked["salt"],
            by=self.request.user,
        )
        if not endpoints.was_made_by(endpoint, self.request.user):
            form.add_error(None, used_before())
            return self.form_invalid(form)
        return show_secret(self.request, endpoint)


class OneWebhookView(WebhooksMixin):
    """Something about one webhook."""

    request: Request
    kwargs: Any
    heading: Any = ""

    @cached_property
    def endpoint(self) -> WebhookEndpoint:
        return get_object_or_404(WebhookEndpoint, pk=self.kwargs["pk"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        below: Any = super()
        context: dict[str, Any] = below.get_context_data(
            **{"endpoint": self.endpoint, "heading": self.heading, **kwargs}
        )
        return context

    def back(self, text: str) -> HttpResponse:
        messages.success(self.request, text)
        return redirect(PAGE, pk=self.endpoint.pk)


@method_decorator(never_cache, name="dispatch")
class WebhookView(OneWebhookView, TemplateView):
    """One webhook; its secret once, after it was made or rotated."""

    template_name = "training_credits/dashboard_webhook.html"

    @sensitive_variables()
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        endpoint, rows = self.endpoint, self.endpoint.deliveries
        pending = rows.filter(delivered_at=None, dropped_at=None)
        last = rows.exclude(error="").order_by("-pk").first()
        log = reverse("training_credits:delivery-list")
        response = self.render_to_response(
            self.get_context_data(
                heading=str(endpoint),
                secret=new_text.take(request, owner_of(endpoint)),
                told_of=[EventType(name).label for name in endpoint.events],
                waiting=pending.count(),
                last_error=last.error if last else "",
                log_url=f"{log}?webhook={endpoint.pk}",
                may_see_log=may(request.user, "view_delivery"),
                may_change=may(request.user, "change_webhookendpoint"),
                may_delete=may(request.user, "delete_webhookendpoint"),
            )
        )
        new_text.forget(request, response)
        return response


class ChangeWebhookView(OneWebhookView, FormView):  # type: ignore[type-arg]
    """Changes a webhook, or does something with it, on a page that asks."""

    permission = "change_webhookendpoint"
    template_name = "training_credits/dashboard_webhook_form.html"
    form_class: Any = forms.Form
    button: Any = gettext_lazy("Save")
    text: Any = ""
    is_dangerous = False

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            button=self.button, text=self.text, is_dangerous=self.is_dangerous, **kwargs
        )


class EditWebhookView(ChangeWebhookView):
    form_class = WebhookForm
    heading = gettext_lazy("Edit the webhook")

    def get_form_kwargs(self) -> dict[str, Any]:
        stored = WebhookEndpoint.objects.get(pk=self.endpoint.pk)
        return {**super().get_form_kwargs(), "instance": stored}

    def form_valid(self, form: WebhookForm) -> HttpResponse:
        form.save()
        return self.back(_("The webhook was changed."))


class SwitchWebhookView(ChangeWebhookView):
    """Switches a webhook off, or on again; the form says which."""

    class SwitchForm(forms.Form):
        to = forms.ChoiceField(
            choices=[("on", ""), ("off", "")], widget=forms.HiddenInput
        )

    form_class = SwitchForm

    @property
    def goes_off(self) -> bool:
        return self.endpoint.is_enabled

    @property
    def heading(self) -> str:
        return (
            _("Switch the webhook off?")
            if self.goes_off
            else _("Switch the webhook on?")
        )

    @property
    def button(self) -> str:
        return _("Switch it off") if self.goes_off else _("Switch it on")

    @property
    def text(self) -> str:
        if self.goes_off:
            return _(
                "What happens while it is off is not sent, now or later. What waits to"
                " be sent is given up; it can be replayed."
            )
        return _("It is told of what happens from now on.")

    def get_initial(self) -> dict[str, Any]:
        return {"to": "off" if self.goes_off else "on"}

    def form_valid(self, form: Any) -> HttpResponse:
        on = form.cleaned_data["to"] == "on"
        endpoints.switch(self.endpoint, on=on)
        return self.back(
            _("The webhook is on.") if on else _("The webhook is switched off.")
        )


class RotateSecretView(ChangeWebhookView):
    heading = gettext_lazy("New secret?")
    button = gettext_lazy("Make a new secret")
    text = gettext_lazy(
        "For 24 hours messages are signed with the former secret as well, so that the"
        " receiver can change to the new one meanwhile."
    )

    class RotateForm(forms.Form):
        former = forms.CharField(max_length=64, widget=forms.HiddenInput)

    form_class = RotateForm

    def get_initial(self) -> dict[str, Any]:
        return {"former": self.endpoint.salt}

    def form_valid(self, form: Any) -> HttpResponse:
        former = form.cleaned_data["former"]
        rotated = endpoints.rotate_secret(self.endpoint, former=former)
        if not endpoints.was_rotated_from(rotated, former):
            messages.error(self.request, used_before())
            return redirect(PAGE, pk=rotated.pk)
        return show_secret(self.request, rotated)


class TryWebhookView(ChangeWebhookView):
    heading = gettext_lazy("Send a test?")
    button = gettext_lazy("Send a test")
    text = gettext_lazy(
        "A message of the type webhook.test is sent now, signed as any other."
    )

    def form_valid(self, form: Any) -> HttpResponse:
        delivery = events.try_out(self.endpoint)
        if outbox.try_again(delivery.pk) is Result.ARRIVED:
            return self.back(_("It has arrived."))
        error = Delivery.objects.get(pk=delivery.pk).error
        text = _("It did not arrive: %(error)s") % {"error": error}
        messages.error(self.request, text)
        return redirect(PAGE, pk=self.endpoint.pk)


class ReplayWebhookView(ChangeWebhookView):
    heading = gettext_lazy("Send again")
    button = gettext_lazy("Send again")
    text = gettext_lazy(
        "What was sent since that day, and what was given up, is sent once more, with"
        " the same ids: a receiver that has it already knows it by them."
    )

    class ReplayForm(forms.Form):
        since = day_field(label=gettext_lazy("Since"), required=True)

    form_class = ReplayForm

    def form_valid(self, form: Any) -> HttpResponse:
        since = start_of(form.cleaned_data["since"])
        number = endpoints.replay(self.endpoint, since=since)
        text = ngettext(
            "%(number)d message is sent again.",
            "%(number)d messages are sent again.",
            number,
        )
        return self.back(text % {"number": number})


class DeleteWebhookView(ChangeWebhookView):
    permission = "delete_webhookendpoint"
    heading = gettext_lazy("Delete the webhook?")
    button = gettext_lazy("Delete it")
    text = gettext_lazy(
        "What waits to be sent is deleted with it, and the log of what was sent. To"
        " keep them, switch it off instead."
    )
    is_dangerous = True

    def form_valid(self, form: Any) -> HttpResponse:
        self.endpoint.delete()
        messages.success(self.request, _("The webhook was deleted."))
        return redirect(LIST)


@sensitive_variables()
def show_secret(request: Request, endpoint: WebhookEndpoint) -> HttpResponse:
    """Lead to the webhook's page, which shows its secret once."""
    response = redirect(PAGE, pk=endpoint.pk)
    secret = endpoints.secret_of(endpoint)
    new_text.carry(request, response, owner_of(endpoint), secret)
    return response


def owner_of(endpoint: WebhookEndpoint) -> str:
    """Return by what the page that shows a secret knows whose it is."""
    return f"webhook {endpoint.pk}"
