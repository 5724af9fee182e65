"""Oscar's dashboard: who may use which training, and access given by staff."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import DetailView, FormView

from ....aliases import Request
from ....conf import ACCESS_GIVEN, settings
from ....credits.access import granting
from ....credits.models import Access, DueAccess
from ....credits.wording import name_of
from ....exceptions import IdempotencyKeyReused, NothingGained
from ..mixins import (
    PermissionMixin,
    SearchedTableView,
    may,
)
from ..partners import own
from .forms import STATES, AccessSearchForm, EndForm, ExtendForm, GiveForm
from .tables import AccessTable, ground_of, state_of

SHOWN = (
    "learner",
    "training__product__parent",
    "order_line__order",
    "place__order_line__order",
)


def own_access(user: Any) -> QuerySet[Access]:
    """Return the access that a user of the dashboard may see."""
    rows = Access.objects.select_related(*SHOWN)
    return own(user, rows, product="training__product")


def own_waiting(user: Any) -> QuerySet[DueAccess]:
    """Return what waits for the payment of an order, and a user may see of it."""
    rows = DueAccess.objects.select_related("learner", "order_line__order")
    return own(user, rows, product="training__product").order_by("-pk")


class AccessListView(SearchedTableView):
    """All access that anybody has, will have or had."""

    permission = "view_access"
    template_name = "training_credits/dashboard_access_list.html"
    table_class = AccessTable
    search_form_class = AccessSearchForm

    def rows(self) -> QuerySet[Access]:
        return own_access(self.request.user).order_by("-pk")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        return super().get_context_data(
            heading=_("Training access"),
            may_give=may(user, "add_access"),
            waiting=own_waiting(user),
            **kwargs,
        )


class AccessDetailView(PermissionMixin, DetailView):  # type: ignore[type-arg]
    """One access: its period, where it comes from, and what was done to it."""

    permission = "view_access"
    template_name = "training_credits/dashboard_access.html"
    context_object_name = "access"

    def get_queryset(self) -> QuerySet[Access]:
        return own_access(self.request.user)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        access: Access = self.object
        state = state_of(access)
        user = self.request.user
        changes = access.changes.select_related("changed_by").order_by("-pk")
        names = {
            "learner": name_of(access.learner),
            "title": access.training.product.get_title(),
        }
        return super().get_context_data(
            heading=_("Access of %(learner)s to %(title)s") % names,
            state=state,
            state_text=STATES[state][0],
            ground=ground_of(access),
            learner_name=names["learner"],
            changes=changes,
            deliveries=access.deliveries.order_by("-pk")
            if may(user, "view_delivery")
            else (),
            may_change=may(user, "change_access"),
            may_give=may(user, "add_access"),
            **kwargs,
        )


class StaffFormView(PermissionMixin, FormView):  # type: ignore[type-arg]
    """A page with one form that changes access, with a reason."""

    request: Request
    template_name = "training_credits/dashboard_access_form.html"
    heading: Any
    button: Any
    is_dangerous = False

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        texts = {"heading": self.heading, "button": self.button}
        return super().get_context_data(
            is_dangerous=self.is_dangerous, **texts, **kwargs
        )

    def done(self, access: Access, text: str) -> HttpResponse:
        messages.success(self.request, text)
        return redirect("training_credits:access-detail", pk=access.pk)


class GiveAccessView(StaffFormView):
    permission = "add_access"
    form_class = GiveForm
    heading = gettext_lazy("Give access")
    button = gettext_lazy("Give access")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.request.user}

    def get_initial(self) -> dict[str, Any]:
        return {name: self.request.GET.get(name, "") for name in ("email", "training")}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        mail = (
            _("The learner gets a mail about it.")
            if ACCESS_GIVEN in settings.MAILS
            else _("No mail is sent about it.")
        )
        return super().get_context_data(mail=mail, **kwargs)

    def form_valid(self, form: GiveForm) -> HttpResponse:
        asked = form.cleaned_data
        try:
            given = granting.give_access(
                asked["email"],
                asked["training"],
                reason=asked["reason"],
                by=self.request.user,
                until=form.until(),
                idempotency_key=f"dashboard:{asked['key'].hex}",
            )
        except IdempotencyKeyReused:
            form.add_error(
                None, _("This page was used before. Open it once more, and try again.")
            )
            return self.form_invalid(form)
        except NothingGained:
            form.add_error(*why_nothing(form))
            return self.form_invalid(form)
        return self.done(given, _("Access was given."))


class ChangeAccessView(StaffFormView):
    """Changes one access."""

    permission = "change_access"

    @cached_property
    def access(self) -> Access:
        return get_object_or_404(own_access(self.request.user), pk=self.kwargs["pk"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        names = {
            "learner_name": name_of(self.access.learner),
            "title": self.access.training.product.get_title(),
        }
        return super().get_context_data(access=self.access, **names, **kwargs)


class ExtendAccessView(ChangeAccessView):
    form_class = ExtendForm
    heading = gettext_lazy("Extend access")
    button = gettext_lazy("Extend access")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "access": self.access}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        follows = granting.is_followed(self.access)
        return super().get_context_data(is_followed=follows, **kwargs)

    def form_valid(self, form: ExtendForm) -> HttpResponse:
        reason = form.cleaned_data["reason"]
        try:
            granting.extend_access(
                self.access, until=form.until(), reason=reason, by=self.request.user
            )
        except ValueError:
            # Somebody else has extended it since the form was checked.
            form.access.refresh_from_db()
            form.add_error("last_day", form.text_of_earlier())
            return self.form_invalid(form)
        return self.done(self.access, _("Access was extended."))


class EndAccessView(ChangeAccessView):
    """Asks to confirm, and for the reason."""

    form_class = EndForm
    heading = gettext_lazy("End access now?")
    button = gettext_lazy("End access now")
    is_dangerous = True

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.access.has_ended(timezone.now()):
            messages.info(request, _("It has ended already."))
            return redirect("training_credits:access-detail", pk=self.access.pk)
        return super().get(request, *args, **kwargs)

    def form_valid(self, form: EndForm) -> HttpResponse:
        granting.end_access(
            self.access, reason=form.cleaned_data["reason"], by=self.request.user
        )
        return self.done(self.access, _("Access has ended."))


def why_nothing(form: GiveForm) -> tuple[str, str]:
    """Return why giving would have given nothing, at the field to mend."""
    learner, training = form.cleaned_data["email"], form.cleaned_data["training"]
    if granting.has_without_end(learner, training):
        return "training", _("They have it already, without an end.")
    if form.cleaned_data["last_day"]:
        text = _("By then nothing would be gained: it would end before it begins.")
        return "last_day", text
    return "training", _("The last day of access to it is over, or comes too early.")
