"""The courses of a path, as a page holds them: in drafts and revisions, too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.blocks import ChooserBlock, StreamBlock, StreamValue

from ..credits.models import TrainingProduct


class CourseBlock(ChooserBlock):
    """One course of a path, chosen among the shop's training products."""

    target_model = "training_credits.TrainingProduct"

    class Meta:
        icon = "doc-full"
        label = _("Course")

    @cached_property
    def widget(self) -> Any:
        # Wagtail's admin can't be imported while models are still being loaded.
        from .choosers import training_chooser_viewset

        return training_chooser_viewset.widget_class()

    def bulk_to_python(self, values: Iterable[Any]) -> list[TrainingProduct | None]:
        found = TrainingProduct.objects.select_related("product").in_bulk(list(values))
        return [found.get(value) for value in values]


class PathBlocks(StreamBlock):
    """The courses of a path, in order."""

    course = CourseBlock()

    class Meta:
        required = False


def courses_in(stream: StreamValue | None) -> tuple[TrainingProduct, ...]:
    """Return the courses that are on the list; those deleted meanwhile are not."""
    return tuple(child.value for child in stream or () if child.value)


def as_stream(courses: Iterable[TrainingProduct]) -> list[tuple[str, TrainingProduct]]:
    """Return courses as a page's field takes them."""
    return [("course", course) for course in courses]
