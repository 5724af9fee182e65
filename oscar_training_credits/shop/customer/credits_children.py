"""Child codes for departments: cut and taken back by the manager of their parent."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.validators import MaxValueValidator
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.generic import FormView

from ...credits import wording
from ...credits.codes import issuing, managing
from ...credits.codes.fields import KeyField, LastDayField, ManagersField
from ...credits.codes.new_text import carry
from ...credits.ledger import cutting
from ...credits.models import CreditCode
from ...credits.terms import MOST_GRANTED, end_of
from ...exceptions import (
    CodeTaken,
    IdempotencyKeyReused,
    NotCut,
    NotEnoughCredits,
    TooManyInvitations,
    WiderThanParent,
)
from ..communication import invitations
from . import credits_shown
from .credits_views import ManagedCodePage, ManagedTextView, too_many_invitations


class KeyedForm(forms.Form):
    """What a second click must not do again."""

    key = KeyField()

    @property
    def idempotency_key(self) -> str:
        return f"manager:{self.cleaned_data['key'].hex}"


class CutForm(KeyedForm):
    """Moves credits to a new child code. What is left empty is as its parent's."""

    label = forms.CharField(
        label=gettext_lazy("Label"),
        max_length=200,
        help_text=gettext_lazy(
            "For example the department. Learners who use the code see it."
        ),
    )
    credits = forms.IntegerField(
        label=gettext_lazy("Credits"),
        min_value=1,
        validators=[MaxValueValidator(MOST_GRANTED)],
    )
    last_day = LastDayField(
        label=gettext_lazy("Last day"),
        required=False,
        help_text=gettext_lazy(
            "Leave it empty, and they last as long as they would have here."
        ),
    )
    credits_per_learner = forms.IntegerField(
        label=gettext_lazy("Credits per learner"),
        required=False,
        min_value=1,
        validators=[MaxValueValidator(MOST_GRANTED)],
    )
    managers = ManagersField(
        help_text=gettext_lazy(
            "Their e-mail addresses, one on each line: they get a link by mail. Leave"
            " it empty, and whoever looks after this code looks after the new one, too."
        )
    )
    generated = forms.CharField(widget=forms.HiddenInput, max_length=200)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # In the form, so that a second click sends the same text, and is shown it.
        self.fields["generated"].initial = issuing.new_text

    @sensitive_variables()
    def cut(self, parent: CreditCode, *, by: Any) -> issuing.IssuedCode:
        asked, key = self.cleaned_data, self.idempotency_key
        text, managers = asked["generated"], asked["managers"]
        terms: dict[str, Any] = {"label": asked["label"]}
        if asked["last_day"]:
            terms["expires_at"] = end_of(asked["last_day"])
        if asked["credits_per_learner"]:
            terms["credits_per_learner"] = asked["credits_per_learner"]
        # No decorator: its frame would show the text in an error report.
        with transaction.atomic():
            earlier = issuing.issued_before(key, text=text, credits=asked["credits"])
            issued = cutting.cut_code(
                parent,
                asked["credits"],
                text=text,
                record={"by": by, "idempotency_key": key},
                **terms,
            )
            if earlier is None and managers:
                invitations.name_managers(issued.code, managers, by=by)
            elif earlier is None:
                managing.share_managers(parent, issued.code)
        return issued


@method_decorator(sensitive_post_parameters("generated"), name="dispatch")
class CutManagedView(ManagedCodePage, FormView):  # type: ignore[type-arg]
    """Moves credits to a new child code, and leads to the page with its text."""

    template_name = "training_credits/my_code_cut.html"
    form_class = CutForm
    takes_code = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        left = self.code.balance()
        may_cut = credits_shown.may_be_cut(self.code)
        return super().get_context_data(left=left, may_cut=may_cut, **kwargs)

    @sensitive_variables()
    def form_valid(self, form: CutForm) -> HttpResponse:
        try:
            issued = form.cut(self.code, by=self.request.user)
        except (NotCut, IdempotencyKeyReused, CodeTaken):
            messages.info(self.request, _("Nothing was changed: open the page anew."))
            return self.back()
        except NotEnoughCredits:
            text = _("So many can't be moved: the rest is spent, held or expired.")
            form.add_error("credits", text)
        except TooManyInvitations:
            form.add_error("managers", too_many_invitations())
        except WiderThanParent as wider:
            field = "last_day" if wider.field == "expires_at" else wider.field
            text = _("This code allows less, and a code cut from it is not wider.")
            form.add_error(field if field in form.fields else None, text)
        else:
            child = issued.code
            response = redirect(
                "training_credits:my-code-child-text", pk=self.code.pk, child=child.pk
            )
            carry(self.request, response, child.pk, issued.text)
            return response
        return self.form_invalid(form)


class ChildPage(ManagedCodePage):
    """A page about a child code, for the managers of its parent."""

    @cached_property
    def child(self) -> CreditCode:
        return get_object_or_404(self.code.children, pk=self.kwargs["child"])


class ChildTextView(ChildPage, ManagedTextView):
    """The text of a child code, once, for whoever has just cut it."""

    def first_time(self) -> HttpResponse:
        """Nobody buys a child code, so none waits to be shown."""
        return self.back()

    @property
    def shown(self) -> CreditCode:
        return self.child


class TakeBackForm(KeyedForm):
    credits = forms.IntegerField(
        label=gettext_lazy("Credits"),
        required=False,
        min_value=1,
        validators=[MaxValueValidator(MOST_GRANTED)],
        help_text=gettext_lazy("Leave it empty to take back all that is unused."),
    )


class TakeBackManagedView(ChildPage, FormView):  # type: ignore[type-arg]
    """Takes back what is unused on a child code, or a part of it."""

    template_name = "training_credits/my_code_take_back.html"
    form_class = TakeBackForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {**context, "child": self.child, "unused": cutting.unused(self.child)}

    def form_valid(self, form: TakeBackForm) -> HttpResponse:
        try:
            change = cutting.take_back(
                self.child,
                form.cleaned_data["credits"],
                by=self.request.user,
                idempotency_key=form.idempotency_key,
            )
        except NotEnoughCredits:
            text = _("So many can't go back: the rest is spent, held or expired.")
            form.add_error("credits", text)
            return self.form_invalid(form)
        except IdempotencyKeyReused:
            messages.info(self.request, _("Nothing was changed: open the page anew."))
            return self.back()
        if change is None:
            text = _("Nothing was unused, so nothing was taken back.")
        else:
            text = _("%(credits)s are back.")
            text %= {"credits": wording.in_words(-change.credits)}
        messages.info(self.request, text)
        return self.back()
