"""Checks of the site's training pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import FieldDoesNotExist

from .models import can_hide
from .selling import training_page_models


@register("training_credits")
def check_pages(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return [
        message for model in training_page_models() for message in _check_model(model)
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
    for attribute, place in (("search_fields", "searches"), ("api_fields", "the API")):
        named = {_field_name(field) for field in getattr(model, attribute, [])}
        for name in named.intersection(model.restricted_fields):
            yield Error(
                f"{model.__name__}.{attribute} holds the restricted field {name!r},"
                f" so {place} would show it to everybody.",
                hint=f"Take {name!r} out of {attribute}.",
                obj=model,
                id="training_credits.E021",
            )


def _field_name(field: Any) -> str:
    name: str = (
        field
        if isinstance(field, str)
        else getattr(field, "field_name", getattr(field, "name", ""))
    )
    return name
