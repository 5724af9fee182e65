"""A site whose page model is its own, as Wagtail 8 allows."""

from __future__ import annotations

from django.db import models
from wagtail.admin.panels import FieldPanel
from wagtail.models import AbstractPage
from wagtail.search import index

from oscar_training_credits.cms.models import TrainingPageMixin


class BasePage(AbstractPage):
    importance = models.CharField(max_length=20, blank=True)


class CoursePage(TrainingPageMixin, BasePage):
    lessons = models.TextField(blank=True)

    restricted_fields = ("lessons",)

    content_panels = [
        *BasePage.content_panels,
        FieldPanel("lessons"),
        *TrainingPageMixin.training_panels,
    ]
    # A mistake, which a check finds.
    search_fields = [*BasePage.search_fields, index.SearchField("lessons")]
