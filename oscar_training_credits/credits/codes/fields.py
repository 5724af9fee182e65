"""Form fields of codes: a text that is to be made, days, and the key of a form."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from ..terms import far_away_text, is_far_away
from . import code_text


class KeyField(forms.UUIDField):
    """What tells a form that is sent twice from one that was opened twice."""

    def __init__(self, **kwargs: Any) -> None:
        options = {"widget": forms.HiddenInput, "initial": uuid4}
        super().__init__(**{**options, **kwargs})

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class NewTextField(forms.CharField):
    """The text of a code that is to be made; empty for one that is generated."""

    def __init__(self, **kwargs: Any) -> None:
        options = {
            "label": gettext_lazy("Code"),
            "required": False,
            "max_length": code_text.LONGEST_TEXT,
            "widget": forms.TextInput(attrs={"autocomplete": "off"}),
            "help_text": gettext_lazy(
                "Leave it empty, and a code that can't be guessed is made."
            ),
        }
        super().__init__(**{**options, **kwargs})

    @sensitive_variables("value", "text")
    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        if text and len(code_text.canonical(text)) < code_text.SHORTEST_TEXT:
            needs = _("A code needs %(number)d letters or digits at least.")
            raise ValidationError(needs % {"number": code_text.SHORTEST_TEXT})
        return text


def day_field(**options: Any) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(widget=widget, **{"required": False, **options})


class LastDayField(forms.DateField):
    """The last day of something, in the site's time zone: today, or one to come."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})

    def clean(self, value: Any) -> date | None:
        return not_over(super().clean(value))


def near(day: date | None) -> date | None:
    """Return a day within a hundred years, as a form cleans it."""
    if is_far_away(day):
        raise ValidationError(far_away_text())
    return day


def not_over(day: date | None) -> date | None:
    """Return a day that is not over, as a form cleans it."""
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    if day and day < today:
        raise ValidationError(_("This day is over. Choose today or a later one."))
    return near(day)


class ManagersField(forms.CharField):
    """People by their e-mail addresses, one on each line, with an account or none."""

    widget = forms.Textarea(attrs={"rows": 2, "autocomplete": "off"})

    def __init__(self, **kwargs: Any) -> None:
        options = {
            "label": gettext_lazy("Managers"),
            "required": False,
            "help_text": gettext_lazy(
                "Who looks after the code at the customer's: their e-mail addresses,"
                " one on each line. Whoever is new gets a link by mail."
            ),
        }
        super().__init__(**{**options, **kwargs})

    def clean(self, value: Any) -> Any:
        lines = [each.strip().lower() for each in super().clean(value).splitlines()]
        addresses = list(dict.fromkeys(filter(None, lines)))
        for address in addresses:
            validate_email(address)
        return addresses
