"""Where the content of training products is: the live page that sells them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from wagtail.models import Page

from ..credits.models import TrainingProduct
from ..shop.content import product_pages
from .models import TrainingPageMixin


def course_pages(trainings: Iterable[TrainingProduct]) -> dict[int, str]:
    """Return the address of the page, or of the product where it has none.

    One query for each page model that has the mixin.
    """
    trainings = list(trainings)
    by_product = {each.product_id: each.pk for each in trainings}
    links = product_pages(trainings)
    for model in training_page_models():
        for page in model._default_manager.filter(
            product_id__in=by_product, live=True
        ).order_by("-pk"):
            links[by_product[page.product_id]] = page.get_url()
    return links


def training_page_models() -> Iterator[type[Any]]:
    for model in apps.get_models():
        if issubclass(model, TrainingPageMixin) and issubclass(model, Page):
            yield model
