from django.db import models
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.api import APIField
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Page, PageManager
from wagtail.query import PageQuerySet
from wagtail.search import index

from oscar_training_credits.cms.models import TrainingPageMixin

from .blocks import BodyBlocks, LessonBlocks


class HomePage(Page):
    headline = models.CharField(max_length=120)
    intro = models.TextField()
    body = RichTextField(blank=True)
    image = models.ForeignKey(
        "wagtailimages.Image",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    content_panels = [
        *Page.content_panels,
        FieldPanel("headline"),
        FieldPanel("intro"),
        FieldPanel("image"),
        FieldPanel("body"),
    ]
    search_fields = [
        *Page.search_fields,
        index.SearchField("intro"),
        index.SearchField("body"),
    ]
    parent_page_types = ["wagtailcore.Page"]
    max_count = 1

    def get_context(self, request, *args, **kwargs):
        return super().get_context(request, *args, **kwargs) | {
            "courses": CoursePage.objects.on_sale().descendant_of(self)
        }


class CourseIndexPage(Page):
    intro = models.TextField()

    content_panels = [*Page.content_panels, FieldPanel("intro")]
    search_fields = [*Page.search_fields, index.SearchField("intro")]
    parent_page_types = ["academy.HomePage"]
    subpage_types = ["academy.CoursePage"]

    def get_context(self, request, *args, **kwargs):
        return super().get_context(request, *args, **kwargs) | {
            "courses": CoursePage.objects.on_sale().child_of(self)
        }


class CoursePageQuerySet(PageQuerySet):
    def on_sale(self):
        """Live, public courses with what their cards show."""
        return (
            self.live()
            .public()
            .order_by("path")
            .select_related("image", "product__training")
            .prefetch_related("product__stockrecords", "image__renditions")
        )


CoursePageManager = PageManager.from_queryset(CoursePageQuerySet)


class CoursePage(TrainingPageMixin, Page):
    """A course that is sold in the shop, for money or for training credits.

    `TrainingPageMixin` adds the product and its terms, and keeps the lessons
    from everybody who has no access.
    """

    intro = models.TextField(
        help_text="One or two sentences, also for cards and feeds."
    )
    level = models.CharField(max_length=60, blank=True)
    duration = models.CharField(max_length=60, blank=True)
    image = models.ForeignKey(
        "wagtailimages.Image",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    body = StreamField(BodyBlocks(), blank=True)
    lessons = StreamField(LessonBlocks(), blank=True)

    objects = CoursePageManager()

    restricted_fields = ("lessons",)

    content_panels = [
        *Page.content_panels,
        FieldPanel("intro"),
        MultiFieldPanel([FieldPanel("level"), FieldPanel("duration")], heading="Facts"),
        FieldPanel("image"),
        FieldPanel("body"),
        FieldPanel("lessons"),
        *TrainingPageMixin.training_panels,
    ]
    # Neither searched nor served by the API: lessons. Both are open to everybody.
    search_fields = [
        *Page.search_fields,
        index.SearchField("intro"),
        index.AutocompleteField("intro"),
        index.SearchField("body"),
    ]
    api_fields = [
        APIField("intro"),
        APIField("level"),
        APIField("duration"),
        APIField("body"),
    ]
    parent_page_types = ["academy.CourseIndexPage"]
    subpage_types = []
