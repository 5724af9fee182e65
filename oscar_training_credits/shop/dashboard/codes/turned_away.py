"""Oscar's dashboard: who could not use a code in a period, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.db.models import Count, F, Sum
from django.utils.translation import gettext_lazy

from ....credits.codes.refusals import Reason
from ....credits.models import TurnedAway
from .names import code_names, learner_names, listed_names
from .periods import CHUNK, PeriodForm, PeriodReportView, grouping_field

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
    by = grouping_field(GROUPINGS)


class TurnedAwayView(PeriodReportView):
    """Who could not use a code that is for them, by reason unless asked otherwise."""

    form_class = TurnedAwayForm
    defaults: ClassVar[dict[str, str]] = {"by": "reason"}
    heading = gettext_lazy("Turned away")
    intro = gettext_lazy(
        "Learners who typed a code that is for them and could not use it, or that pays"
        " for nothing of what they want. Wrong codes, and codes for others, are not"
        " counted."
    )
    nothing = gettext_lazy("Nobody was turned away.")
    file_name = "turned-away"
    columns = {
        "total": gettext_lazy("Times"),
        "learners": gettext_lazy("Learners"),
    }
    groupings = GROUPINGS
    namings = {
        "reason": listed_names(REASONS),
        "code": code_names,
        "learner": learner_names,
    }

    def found(self, form: Any) -> Iterator[Any]:
        asked = form.cleaned_data
        days = (asked["first_day"], asked["last_day"])
        real: Any = TurnedAway.objects.filter(code__is_test=False, day__range=days)
        counted = real.order_by().values(key=F(asked["by"]))
        sums = counted.annotate(
            total=Sum("times"), learners=Count("learner", distinct=True)
        )
        named = sums.values_list("key", *self.columns, named=True)
        return iter(named.order_by("-total", "key").iterator(CHUNK))
