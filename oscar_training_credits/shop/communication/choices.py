"""The form on which managers, and staff, choose what a code's managers hear of."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...conf import ABOUT_CODES, CREDITS_USED, settings
from ...credits.codes.noticing import Choices, choices_of
from ...credits.models import CodeNotices, CreditCode
from .names import name_of_mail

Often = CodeNotices.Often


class NoticesForm(forms.Form):
    """Which mails a code's managers get, and when few credits are left on it."""

    low_credits = forms.IntegerField(
        label=gettext_lazy("Mail when so many credits are left"),
        required=False,
        min_value=1,
        max_value=2_147_483_647,
    )
    low_percent = forms.IntegerField(
        label=gettext_lazy("Or when so many percent are left"),
        required=False,
        min_value=1,
        max_value=100,
    )
    used = forms.ChoiceField(
        label=gettext_lazy("Mail what was used, and by whom"), required=False
    )
    off = forms.MultipleChoiceField(
        label=gettext_lazy("Mails that the managers do without"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, code: CreditCode, **kwargs: Any) -> None:
        chosen = choices_of(code)
        offered = [event for event in ABOUT_CODES if event in settings.MAILS]
        initial = {
            "low_credits": chosen.low_credits,
            "low_percent": chosen.low_percent,
            "used": chosen.used,
            "off": list(chosen.off),
        }
        super().__init__(*args, **{**kwargs, "initial": initial})
        # What the site does not send stays as it is chosen.
        self.kept_off = {*chosen.off} - {*offered}
        off: Any = self.fields["off"]
        off.choices = [(event, name_of_mail(event)) for event in offered]
        used: Any = self.fields["used"]
        used.choices = [("", _as_site()), *Often.choices]
        percent = _("Leave both empty for %(n)d percent, as the shop has set it.")
        self.fields["low_percent"].help_text = percent % {
            "n": settings.LOW_BALANCE_PERCENT
        }
        if not offered:
            del self.fields["off"]
        if CREDITS_USED not in settings.MAILS:
            used.widget = forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or self.cleaned_data
        if asked.get("low_credits") and asked.get("low_percent"):
            text = _("Name a number of credits, or of percent, and not both.")
            self.add_error("low_percent", text)
        return asked

    @property
    def choices(self) -> Choices:
        asked = self.cleaned_data
        off = self.kept_off | {*asked.get("off", ())}
        return Choices(
            low_credits=asked["low_credits"],
            low_percent=asked["low_percent"],
            used=asked["used"],
            off=tuple(event for event in ABOUT_CODES if event in off),
        )


def _as_site() -> str:
    text = _("As the shop has set it: %(often)s")
    return text % {"often": Often(settings.USE_NOTICES).label.lower()}
