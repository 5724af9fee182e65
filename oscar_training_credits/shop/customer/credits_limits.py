"""How much of a code each learner may have, for what, and who: set by its manager."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView
from oscar.core.loading import get_model

from ...credits import email_domain
from ...credits.codes import limiting
from ...credits.models import CreditCode
from ...exceptions import CodeClosed, WiderThanAllowed, WiderThanParent
from .credits_views import ManagedCodePage

CAPS = ("credits_per_learner", "redemptions_per_learner")


class LimitForm(forms.Form):
    """What a manager may limit. What is left empty is as the shop has set it."""

    credits_per_learner = forms.IntegerField(
        label=gettext_lazy("Credits per learner"),
        required=False,
        min_value=1,
        max_value=2_147_483_647,
    )
    redemptions_per_learner = forms.IntegerField(
        label=gettext_lazy("Orders per learner"),
        required=False,
        min_value=1,
        max_value=2_147_483_647,
    )
    content: Any = forms.ModelChoiceField(
        label=gettext_lazy("Only for"), queryset=None, required=False
    )
    email_domains = forms.CharField(
        label=gettext_lazy("Only for e-mail addresses at"),
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Domains such as acme.example, one on each line."),
    )
    include_subdomains = forms.BooleanField(
        label=gettext_lazy("And their subdomains"), required=False
    )

    def __init__(self, *args: Any, code: CreditCode, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by_staff = limiting.set_by_staff(code)
        for cap in CAPS:
            self.fields[cap].help_text = self._cap_text(self.by_staff[cap])
        # Two ranges can't be compared, so what the shop has chosen stays.
        if self.by_staff["content"]:
            del self.fields["content"]
        else:
            self._offer_ranges(code)
        if self.by_staff["named_only"] and not self.by_staff["email_domains"]:
            del self.fields["email_domains"], self.fields["include_subdomains"]

    def _offer_ranges(self, code: CreditCode) -> None:
        Range = get_model("offer", "Range")
        content: Any = self.fields["content"]
        shown = Q(is_public=True) | Q(pk=code.content_id)
        content.queryset = Range._default_manager.filter(shown).order_by("name")
        content.empty_label = _("Everything that takes credits")
        if not content.queryset.exists():
            del self.fields["content"]

    @staticmethod
    def _cap_text(most: int | None) -> str:
        if most is None:
            return _("Leave it empty for no cap.")
        text = _("%(most)d at most, as the shop has set: leave it empty for that.")
        return text % {"most": most}

    def clean_email_domains(self) -> str:
        domains = email_domain.listed(self.cleaned_data["email_domains"])
        return "\n".join(email_domain.tidied(domains))


class LimitManagedView(ManagedCodePage, FormView):  # type: ignore[type-arg]
    """Limits a code, within what the shop has set."""

    template_name = "training_credits/my_code_limits.html"
    form_class = LimitForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "code": self.code}

    def get_initial(self) -> dict[str, Any]:
        names = [name for name in limiting.COLUMNS if name != "content"]
        own = {name: getattr(self.code, name) for name in names}
        return {**own, "content": self.code.content_id}

    def form_valid(self, form: LimitForm) -> HttpResponse:
        user = self.request.user
        try:
            done = limiting.limit_code(self.code, form.cleaned_data, by=user)
        except (WiderThanAllowed, WiderThanParent) as wider:
            text = _("The shop does not allow that: it has set less.")
            form.add_error(wider.field if wider.field in form.fields else None, text)
            return self.form_invalid(form)
        except CodeClosed:
            done = False
        text = _("The limits are set.") if done else _("Nothing was changed.")
        messages.info(self.request, text)
        return self.back()
