"""Checks of the site's training pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import FieldDoesNotExist

from .models import TrainingPageMixin
from .restricted import can_hide
from .selling import training_page_models
from .transfer import APP, PATH

OPEN_LISTS = {
    "search_fields": "searches",
    "api_fields": "the API",
    "api_meta_fields": "the API",
    "graphql_fields": "GraphQL",
}
"""Lists of a page model whose fields everybody can read."""


@register("training_credits")
def check_pages(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return [
        message for model in training_page_models() for message in _check_model(model)
    ]


@register("training_credits")
def check_order_of_apps(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """What Wagtail's admin says when a page is unpublished has our words in it."""
    names = [config.name for config in apps.get_app_configs()]
    admin, ours = "wagtail.admin", "oscar_training_credits"
    if admin not in names or names.index(ours) < names.index(admin):
        return []
    return [
        Warning(
            f"{admin} stands before {ours} in INSTALLED_APPS, so that whoever"
            " unpublishes a page is not told what goes off sale, and who keeps it.",
            hint=f'Name "{ours}" before "{admin}".',
            id="training_credits.W008",
        )
    ]


@register("training_credits")
def check_transfer(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    is_needed = apps.is_installed(APP) and any(
        model.restricted_fields for model in training_page_models()
    )
    if not is_needed or PATH in settings.MIDDLEWARE:
        return []
    return [
        Error(
            "wagtail-transfer would send restricted fields as empty ones, and the other"
            " site would write them over its own.",
            hint=f"Add {PATH!r} to MIDDLEWARE.",
            id="training_credits.E026",
        )
    ]


def _check_model(model: type[Any]) -> Iterator[CheckMessage]:
    for name in model.restricted_fields:
        try:
            model._meta.get_field(name)
        except FieldDoesNotExist:
            yield Error(
                f"{model.__name__}.restricted_fields names {name!r}: no such field.",
                hint="Name fields of the page model.",
                obj=model,
                id="training_credits.E020",
            )
        else:
            if not can_hide(model, name):
                yield Error(
                    f"{model.__name__}.restricted_fields names {name!r}, whose rows"
                    " are not kept with the page, so they can't be hidden with it.",
                    hint="Name fields of the page, or rows with a ParentalKey to it.",
                    obj=model,
                    id="training_credits.E022",
                )
    if not _comes_first(model):
        yield Error(
            f"{model.__name__} has Wagtail's page before TrainingPageMixin, so nothing"
            " of it is kept for learners with access.",
            hint="Name TrainingPageMixin before Page among its bases.",
            obj=model,
            id="training_credits.E023",
        )
    for attribute, place in OPEN_LISTS.items():
        named = {_field_name(field) for field in _listed(model, attribute)}
        for name in named.intersection(model.restricted_fields):
            yield Error(
                f"{model.__name__}.{attribute} holds the restricted field {name!r},"
                f" so {place} would show it to everybody.",
                hint=f"Take {name!r} out of {attribute}.",
                obj=model,
                id="training_credits.E021",
            )


def _comes_first(model: type[Any]) -> bool:
    """Tell whether what the mixin does to a page wins over Wagtail's own."""
    order = model.__mro__
    pages = [cls for cls in order if "serve" in vars(cls) and "route" in vars(cls)]
    return all(order.index(TrainingPageMixin) < order.index(page) for page in pages)


def _listed(model: type[Any], attribute: str) -> Iterable[Any]:
    fields = getattr(model, attribute, None)
    return fields if isinstance(fields, (list, tuple, set)) else ()


def _field_name(field: Any) -> str:
    if isinstance(field, str):
        return field
    if callable(field):  # wagtail-grapple's are made when they are asked for
        made = field()
        field = made[0] if isinstance(made, tuple) else made
    names = (getattr(field, key, "") for key in ("field_source", "field_name", "name"))
    return next(filter(None, names), "")
