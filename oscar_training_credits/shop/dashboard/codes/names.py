"""What the rows of a report are called, and their pages: read for many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from ....credits.models import CreditCode
from ....credits.wording import name_of
from .base import code_url

Names = dict[Any, tuple[str, str]]
"""A name and the address of a page, by key; one without is named by its key."""
Naming = Callable[[list[Any]], Names]


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


def written_names(keys: list[Any]) -> Names:
    """Return names of what staff write on codes: each is its own, but for nothing."""
    return {"": (_("None given"), "")}


def listed_names(names: dict[Any, Any]) -> Naming:
    """Return what names keys by a list that is known beforehand."""
    return lambda keys: {key: (str(names[key]), "") for key in keys if key in names}
