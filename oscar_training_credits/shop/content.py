"""Where the content of training products is to be found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from ..conf import settings
from ..credits.models import TrainingProduct


def content_links(trainings: Iterable[TrainingProduct]) -> dict[int, str]:
    """Return the address of the content by the primary key of the training product."""
    locate = settings.load("CONTENT_LOCATOR")
    return cast("dict[int, str]", locate(list(trainings)))


def product_pages(trainings: Iterable[TrainingProduct]) -> dict[int, str]:
    """The locator of a shop without course pages: each product's own page."""
    return {each.pk: each.product.get_absolute_url() for each in trainings}
