"""Fields of the dashboard's forms: days, learners, training, reasons."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _


def day_of(moment: datetime | None, *, is_end: bool = False) -> date | None:
    """Return the day of a moment, or the last day of what ends at it."""
    if moment is None:
        return None
    if is_end:
        moment -= timedelta.resolution
    return timezone.localdate(moment, timezone=timezone.get_default_timezone())


def learner_with(address: str) -> Any:
    """Return the one user with this e-mail address, as a form cleans it."""
    User = get_user_model()
    field = User.get_email_field_name()
    found = User._default_manager.filter(**{f"{field}__iexact": address})[:2]
    if not found:
        text = _("Nobody has an account with the address %(address)s.")
        raise ValidationError(text % {"address": address})
    if len(found) > 1:
        text = _("Several accounts have the address %(address)s.")
        raise ValidationError(text % {"address": address})
    return found[0]


class TrainingField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, training: Any) -> str:
        return f"{training.product.get_title()} ({training.get_kind_display()})"
