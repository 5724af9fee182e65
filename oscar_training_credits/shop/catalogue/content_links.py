"""Where the content of training products is to be found, and who may open it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from django.urls import reverse

from ...aliases import Product, Request
from ...conf import settings
from ...credits.access import status
from ...credits.models import TrainingProduct
from .training import training_of


def content_links(trainings: Iterable[TrainingProduct]) -> dict[int, str]:
    """Return the address of the content by the primary key of the training product.

    Where the site's locator knows none, that is the product's own page.
    """
    trainings = list(trainings)
    located = cast("dict[int, str]", settings.load("CONTENT_LOCATOR")(trainings))
    lacking = [each for each in trainings if not located.get(each.pk)]
    return {**located, **product_pages(lacking)}


def page_of(product: Product) -> str:
    """Return the address of what training opens; empty if it is the product's page.

    No query for what is no training, nor for a shop without course pages.
    """
    training = training_of(product)
    if training is None:
        return ""
    link = content_links([training]).get(training.pk, "")
    return "" if link in ("", _page_of(product)) else link


def product_pages(trainings: Iterable[TrainingProduct]) -> dict[int, str]:
    """The locator of a shop without course pages: each product's own page.

    A product that is off sale has none, so it is the learner's list instead.
    """
    return {each.pk: _page_of(each.product) for each in trainings}


def _page_of(product: Product) -> str:
    if not product.is_public:
        return reverse("training_credits:my-training")
    return cast("str", product.get_absolute_url())


def closed_content(learner: Any, *, request: Request = None) -> dict[int, str]:
    """Return why `learner` could not open what is sold, by the product's primary key.

    What is missing there they can open; and so they can whatever they have access to,
    however the site closes it. Visitors have to log in before they buy, so of them
    nothing is asked. A request, if there is one, knows of passwords that were entered.
    """
    if learner is None or not learner.is_authenticated:
        return {}
    closed: dict[int, str] = dict(
        settings.load("CLOSED_CONTENT")(learner, request=request)
    )
    if closed:
        trainings = list(TrainingProduct.objects.filter(product__in=closed))
        access_statuses = status.access_statuses(learner, trainings)
        for training in trainings:
            if access_statuses.get(training.pk, status.NO_ACCESS).has_access:
                del closed[training.product_id]
    return closed


def closed_to_visitor(strategy: Any) -> dict[int, str]:
    """Return the closed content of whom a strategy of Oscar's prices for.

    Asked once for each request of those who are logged in.
    """
    if strategy.user is None:
        return {}
    known: dict[Any, dict[int, str]]
    known = strategy.__dict__.setdefault("_training_credits_closed", {})
    if strategy.user.pk not in known:
        closed = closed_content(strategy.user, request=strategy.request)
        known[strategy.user.pk] = closed
    return known[strategy.user.pk]


def nothing_closed(learner: Any, *, request: Request = None) -> Mapping[int, str]:
    """The answer of a shop without course pages: everybody can open everything."""
    return {}
