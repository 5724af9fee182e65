"""Oscar's dashboard: what credits were used for in a period, as a page and a file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

from django import forms
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from oscar.core.loading import get_model

from ....credits.ledger.usage import UseGrouping, use_of_credits
from ....credits.models import CreditCode
from ....credits.wording import name_of
from ..widgets import PlainSelect
from .base import code_url
from .periods import PeriodForm, PeriodReportView, Row

CHUNK = 1_000
COLUMNS: dict[str, Any] = {
    "orders": gettext_lazy("Orders"),
    "learners": gettext_lazy("Learners"),
    "credits": gettext_lazy("Redeemed"),
    "refunded": gettext_lazy("Given back"),
    "kept": gettext_lazy("Kept"),
}
GROUPINGS: dict[str, Any] = {
    UseGrouping.PRODUCT.value: gettext_lazy("Product"),
    UseGrouping.HOLDER.value: gettext_lazy("Holder"),
    UseGrouping.LEARNER.value: gettext_lazy("Learner"),
    UseGrouping.CODE.value: gettext_lazy("Credit code"),
}


class UseForm(PeriodForm):
    by = forms.ChoiceField(
        label=gettext_lazy("For each"), choices=GROUPINGS.items(), widget=PlainSelect
    )


class UseView(PeriodReportView):
    """What credits were used for, by product unless it is asked otherwise."""

    template_name = "training_credits/dashboard_use.html"
    form_class = UseForm
    defaults: ClassVar[dict[str, str]] = {"by": UseGrouping.PRODUCT.value}
    file_name = "use-of-credits"
    columns = COLUMNS

    def grouping(self, form: PeriodForm) -> str:
        return str(GROUPINGS[form.cleaned_data["by"]])

    def rows(self, form: PeriodForm) -> Iterator[Row]:
        by = UseGrouping(form.cleaned_data["by"])
        found = use_of_credits(by, **form.period())
        while chunk := list(islice(found, CHUNK)):
            names = NAMES[by]([use.key for use in chunk])
            for use in chunk:
                name, url = names.get(use.key) or (str(use.key), "")
                yield Row(name, tuple(getattr(use, each) for each in COLUMNS), url)


Names = dict[Any, tuple[str, str]]
"""A name and the address of a page, by key; one without is named by its key."""


def product_names(keys: list[Any]) -> Names:
    # What is no number is the title of a product that is deleted.
    ids = [key for key in keys if isinstance(key, int)]
    products = get_model("catalogue", "Product")._default_manager.select_related(
        "parent"
    )
    return {
        pk: (product.get_title(), reverse("dashboard:catalogue-product", args=[pk]))
        for pk, product in products.in_bulk(ids).items()
    }


def holder_names(keys: list[Any]) -> Names:
    return {"": (_("None given"), "")}


def learner_names(keys: list[Any]) -> Names:
    people = get_user_model()._default_manager.in_bulk([key for key in keys if key])
    names: Names = {
        pk: (name_of(person), reverse("dashboard:user-detail", args=[pk]))
        for pk, person in people.items()
    }
    return {None: (_("Deleted accounts"), ""), **names}


def code_names(keys: list[Any]) -> Names:
    codes = CreditCode.objects.in_bulk(keys)
    return {pk: (str(code), code_url(pk)) for pk, code in codes.items()}


NAMES = {
    UseGrouping.PRODUCT: product_names,
    UseGrouping.HOLDER: holder_names,
    UseGrouping.LEARNER: learner_names,
    UseGrouping.CODE: code_names,
}
