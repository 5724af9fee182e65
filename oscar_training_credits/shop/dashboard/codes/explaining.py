"""Oscar's dashboard: why a code pays for something, or does not, rule by rule."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import DetailView
from oscar.core.loading import get_class

from ....credits.ledger.explaining import Answer, explain
from ....credits.models import CreditCode, TrainingProduct
from ...catalogue.content_links import closed_content
from ...partner.availability import unavailable_text
from ..fields import TrainingField, learner_with
from ..partners import own_trainings
from .base import CodesMixin

Selector: Any = get_class("partner.strategy", "Selector")


class ExplainForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("E-mail address of the learner"),
        required=False,
        help_text=gettext_lazy("Leave it empty for a visitor who has not logged in."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    training: Any = TrainingField(
        label=gettext_lazy("Training"), queryset=TrainingProduct.objects.none()
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        training: Any = self.fields["training"]
        training.queryset = own_trainings(user)

    def clean_email(self) -> Any:
        address = self.cleaned_data["email"]
        return learner_with(address) if address else AnonymousUser()


class ExplainCodeView(CodesMixin, DetailView):  # type: ignore[type-arg]
    """What each rule says of one code, learner and training. Changes nothing."""

    permission = "explain_creditcode"
    queryset = CreditCode.objects.select_related("content")
    context_object_name = "code"
    template_name = "training_credits/dashboard_code_explain.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = self.request.GET or None
        form = ExplainForm(asked, user=self.request.user)
        heading = _("Why the code works, or does not")
        context: dict[str, Any] = super().get_context_data(
            heading=heading, form=form, **kwargs
        )
        if form.is_valid():
            learner, training = (
                form.cleaned_data["email"],
                form.cleaned_data["training"],
            )
            said = explain(self.object, training=training, learner=learner)
            answers = [_of_shop(training, learner), *said.answers]
            context["explanation"] = said
            context["answers"] = answers
            context["passes"] = all(answer.passes for answer in answers)
            context["for_learner"] = learner if learner.is_authenticated else None
        return context


def _of_shop(training: TrainingProduct, learner: Any) -> Answer:
    """Return what the shop says of the product: on sale, in stock, its page open."""
    product = training.product
    info = Selector().strategy(user=learner).fetch_for_product(product)
    reason = unavailable_text(info.availability)
    reason = reason or closed_content(learner).get(product.pk, "")
    return Answer(_("The shop sells it to this learner"), reason)
