"""`{% load training_credits_cms %}`: training in templates of Wagtail's admin."""

from __future__ import annotations

from typing import Any

from django import template

from .. import leaving

register = template.Library()


@register.inclusion_tag("training_credits/cms/leaving.html", takes_context=True)
def going_off_sale(context: Any) -> dict[str, list[str]]:
    """Say what goes off sale with the pages that are about to be unpublished."""
    if "items" in context:
        pages = [each["item"] for each in context["items"]]
    else:
        view = context.get("view")
        pages = getattr(view, "objects_to_unpublish", None) or [context["page"]]
    return {"notes": leaving.notes_on(pages)}
