"""Which mails about a code its managers get: chosen by them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.generic import FormView

from ...credits.codes import noticing
from ..communication.choices import NoticesForm
from .credits_views import ManagedCodePage


class NoticesManagedView(ManagedCodePage, FormView):  # type: ignore[type-arg]
    """Chooses what the managers of a code hear of it, for all of them."""

    template_name = "training_credits/my_code_notices.html"
    form_class = NoticesForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "code": self.code}

    def form_valid(self, form: NoticesForm) -> HttpResponse:
        done = noticing.choose(self.code, form.choices, by=self.request.user)
        text = _("The notices are set.") if done else _("Nothing was changed.")
        messages.info(self.request, text)
        return self.back()
