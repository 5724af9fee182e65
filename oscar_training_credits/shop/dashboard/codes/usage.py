"""Oscar's dashboard: what credits were used for in a period, as a page and a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy

from ....credits.ledger.usage import Use, UseGrouping, use_of_credits
from .names import code_names, learner_names, product_names, written_names
from .periods import PeriodForm, PeriodReportView, grouping_field

GROUPINGS: dict[str, Any] = {
    UseGrouping.PRODUCT.value: gettext_lazy("Product"),
    UseGrouping.HOLDER.value: gettext_lazy("Holder"),
    UseGrouping.LEARNER.value: gettext_lazy("Learner"),
    UseGrouping.CODE.value: gettext_lazy("Credit code"),
}


class UseForm(PeriodForm):
    by = grouping_field(GROUPINGS)


class UseView(PeriodReportView):
    """What credits were used for, by product unless it is asked otherwise."""

    form_class = UseForm
    defaults: ClassVar[dict[str, str]] = {"by": UseGrouping.PRODUCT.value}
    heading = gettext_lazy("Usage")
    intro = gettext_lazy(
        "Credits count on the day of their order, and when they are given back."
    )
    nothing = gettext_lazy("No credits were used.")
    file_name = "use-of-credits"
    columns = {
        "orders": gettext_lazy("Orders"),
        "learners": gettext_lazy("Learners"),
        "credits": gettext_lazy("Redeemed"),
        "refunded": gettext_lazy("Given back"),
        "kept": gettext_lazy("Kept"),
    }
    groupings = GROUPINGS
    namings = {
        UseGrouping.PRODUCT.value: product_names,
        UseGrouping.HOLDER.value: written_names,
        UseGrouping.LEARNER.value: learner_names,
        UseGrouping.CODE.value: code_names,
    }

    def found(self, form: Any) -> Iterator[Use]:
        by = UseGrouping(form.cleaned_data["by"])
        return use_of_credits(by, **form.period())
