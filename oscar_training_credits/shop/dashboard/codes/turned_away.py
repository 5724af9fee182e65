"""Oscar's dashboard: who could not use a code in a period, and why."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

from django import forms
from django.db.models import Count, Sum
from django.utils.translation import gettext_lazy

from ....credits.codes.refusals import Reason
from ....credits.models import TurnedAway
from ..widgets import PlainSelect
from .periods import PeriodForm, PeriodReportView, Row
from .usage import code_names, learner_names

CHUNK = 1_000
COLUMNS: dict[str, Any] = {
    "total": gettext_lazy("Times"),
    "learners": gettext_lazy("Learners"),
}
GROUPINGS: dict[str, Any] = {
    "reason": gettext_lazy("Reason"),
    "code": gettext_lazy("Credit code"),
    "learner": gettext_lazy("Learner"),
}
REASONS: dict[str, Any] = {
    Reason.NOT_STARTED.value: gettext_lazy("It can't be used yet"),
    Reason.EXPIRED.value: gettext_lazy("It has expired"),
    Reason.SPENT.value: gettext_lazy("Nothing is left on it"),
    Reason.NOT_ENOUGH.value: gettext_lazy("Too little is left for what they want"),
    Reason.USED_ONCE.value: gettext_lazy("It was for one order only"),
    Reason.USED_OFTEN.value: gettext_lazy("They have used it as often as they may"),
    Reason.SHARE_SPENT.value: gettext_lazy("They have spent their share of it"),
    Reason.WRONG_CONTENT.value: gettext_lazy("It is not for what they want"),
}


class TurnedAwayForm(PeriodForm):
    by = forms.ChoiceField(
        label=gettext_lazy("For each"), choices=GROUPINGS.items(), widget=PlainSelect
    )


class TurnedAwayView(PeriodReportView):
    """Who could not use a code that is for them, by reason unless asked otherwise."""

    template_name = "training_credits/dashboard_turned_away.html"
    form_class = TurnedAwayForm
    defaults: ClassVar[dict[str, str]] = {"by": "reason"}
    file_name = "turned-away"
    columns = COLUMNS

    def grouping(self, form: PeriodForm) -> str:
        return str(GROUPINGS[form.cleaned_data["by"]])

    def rows(self, form: PeriodForm) -> Iterator[Row]:
        asked = form.cleaned_data
        by = asked["by"]
        days = (asked["first_day"], asked["last_day"])
        real = TurnedAway.objects.filter(code__is_test=False, day__range=days)
        counted = real.order_by().values(by)
        sums = counted.annotate(
            total=Sum("times"), learners=Count("learner", distinct=True)
        )
        found = sums.order_by("-total", by).iterator(CHUNK)
        while chunk := list(islice(found, CHUNK)):
            keys = [row[by] for row in chunk]
            names = NAMES[by](keys)
            for row in chunk:
                name, url = names.get(row[by]) or (str(row[by]), "")
                yield Row(name, tuple(row[each] for each in COLUMNS), url)


def reason_names(keys: list[Any]) -> dict[Any, tuple[str, str]]:
    return {key: (str(REASONS[key]), "") for key in keys if key in REASONS}


NAMES: dict[str, Any] = {
    "reason": reason_names,
    "code": code_names,
    "learner": learner_names,
}
