"""What a version of a page names, and the shop has no longer.

A version is kept as JSON, so no foreign key protects what it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _

from ..credits.terms import ProductKind

KNOWN_TO_MODELCLUSTER = (models.CASCADE, models.SET_NULL, models.DO_NOTHING)


def gone_in(model: type[models.Model], version: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields of `version` whose rows are gone.

    Of those alone that protect their rows: with others modelcluster can deal itself.
    """
    return frozenset(
        field.name for field in _protecting(model) if _is_gone(field, version)
    )


def _protecting(model: Any) -> Iterable[Any]:
    for field in model._meta.concrete_fields:
        relation = field.remote_field
        if relation and relation.on_delete not in KNOWN_TO_MODELCLUSTER:
            yield field


def _is_gone(field: Any, version: Mapping[str, Any]) -> bool:
    value = version.get(field.name)
    if value is None:
        return False
    rows = field.related_model._default_manager
    return not rows.filter(**{field.target_field.name: value}).exists()


def refuse_gone(page: Any) -> None:
    """Let no page be published with nothing in the place of what is gone.

    Raises:
        ValidationError: with a message at each such field.
    """
    if errors := notes_on_gone(page):
        raise ValidationError(errors)


def notes_on_gone(page: Any) -> dict[str, str]:
    """Return what an editor is told of what is gone, by the field to mend."""
    notes = {
        name: _text(name)
        for name in sorted(page.gone)
        if getattr(page, f"{name}_id", None) is None
        and (name != "plan_content" or page.kind == ProductKind.PLAN)
    }
    if page.kind == ProductKind.PATH and any(
        not each.value for each in page.path_courses
    ):
        notes["path_courses"] = _(
            "A course on the list is not sold as training any more. Take it off the"
            " list."
        )
    return notes


def _text(name: str) -> str:
    if name == "product":
        return _(
            "The product that this version sells has been deleted from the shop. Choose"
            " another one. To publish the page without, save it as a draft first."
        )
    if name == "plan_content":
        return _(
            "The range that this version opens has been deleted from the shop. Choose"
            " another one."
        )
    return _("What this version names here has been deleted. Choose something else.")
