"""The search among deliveries."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy

from ....credits.codes.finding import learner_matches
from ....credits.models import Delivery
from ..mixins import training_matches
from ..widgets import PlainSelect


class DeliverySearchForm(forms.Form):
    channel = forms.ChoiceField(
        label=gettext_lazy("Channel"),
        choices=[("", gettext_lazy("All")), *Delivery.Channel.choices],
        required=False,
        widget=PlainSelect,
    )
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        choices=[
            ("", gettext_lazy("Not arrived")),
            ("failed", gettext_lazy("Failed at least once")),
            ("arrived", gettext_lazy("Arrived")),
            ("dropped", gettext_lazy("Given up")),
        ],
        required=False,
        widget=PlainSelect,
    )
    learner = forms.CharField(
        label=gettext_lazy("Name or e-mail address"), required=False
    )
    training = forms.CharField(label=gettext_lazy("Training"), required=False)
    # From the page of a webhook.
    webhook = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def filtered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        asked = self.cleaned_data
        if asked["channel"]:
            rows = rows.filter(channel=asked["channel"])
        rows = rows.filter(
            delivered_at__isnull=asked["state"] != "arrived",
            dropped_at__isnull=asked["state"] != "dropped",
        )
        if asked["state"] == "failed":
            rows = rows.exclude(error="")
        if asked["webhook"]:
            rows = rows.filter(endpoint=asked["webhook"])
        found = Q()
        if asked["learner"]:
            found = learner_matches(asked["learner"], prefix="access__learner")
            found |= learner_matches(asked["learner"], prefix="user")
            found |= Q(address__icontains=asked["learner"])
        if asked["training"]:
            found &= training_matches(
                asked["training"], prefix="access__training"
            ) | training_matches(asked["training"], prefix="deleted_training")
        return rows.filter(found)
