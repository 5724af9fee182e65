"""Where the content of training products is to be found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django.urls import reverse

from ..conf import settings
from ..credits.models import TrainingProduct


def content_links(trainings: Iterable[TrainingProduct]) -> dict[int, str]:
    """Return the address of the content by the primary key of the training product."""
    locate = settings.load("CONTENT_LOCATOR")
    return cast("dict[int, str]", locate(list(trainings)))


def product_pages(trainings: Iterable[TrainingProduct]) -> dict[int, str]:
    """The locator of a shop without course pages: each product's own page.

    A product that is off sale has none, so it is the learner's list instead.
    """
    return {each.pk: _page_of(each.product) for each in trainings}


def _page_of(product: Any) -> str:
    if not product.is_public:
        return reverse("training_credits:my-training")
    return cast("str", product.get_absolute_url())
