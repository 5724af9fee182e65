from django.db import models
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.api import APIField
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Page, PageManager
from wagtail.query import PageQuerySet
from wagtail.search import index

from oscar_training_credits.cms.content import opened_courses
from oscar_training_credits.cms.models import TrainingPage, TrainingPageMixin
from oscar_training_credits.credits.terms import ProductKind

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
            "courses": CoursePage.objects.on_sale().descendant_of(self),
            "bundles": [
                *PathPage.objects.on_sale().descendant_of(self),
                *PlanPage.objects.on_sale().descendant_of(self),
            ],
        }


class OnSaleQuerySet(PageQuerySet):
    def on_sale(self):
        """Live, public pages with what their cards show."""
        return (
            self.live()
            .public()
            .order_by("path")
            .select_related("image", "product__training", "product__product_class")
            .prefetch_related("product__stockrecords", "image__renditions")
        )


OnSaleManager = PageManager.from_queryset(OnSaleQuerySet)


class IndexPage(Page):
    """A list of what is for sale, as cards."""

    intro = models.TextField()

    content_panels = [*Page.content_panels, FieldPanel("intro")]
    search_fields = [*Page.search_fields, index.SearchField("intro")]
    parent_page_types = ["academy.HomePage"]

    class Meta:
        abstract = True

    def get_context(self, request, *args, **kwargs):
        return super().get_context(request, *args, **kwargs) | {
            "courses": self.listed().objects.on_sale().child_of(self)
        }


class CourseIndexPage(IndexPage):
    subpage_types = ["academy.CoursePage"]
    template = "academy/index_page.html"

    def listed(self):
        return CoursePage


class PathIndexPage(IndexPage):
    subpage_types = ["academy.PathPage"]
    template = "academy/index_page.html"

    def listed(self):
        return PathPage


class PlanIndexPage(IndexPage):
    subpage_types = ["academy.PlanPage"]
    template = "academy/plan_index_page.html"

    def listed(self):
        return PlanPage


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

    objects = OnSaleManager()

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

    @property
    def shop_text(self):
        return self.intro

    @property
    def shop_image(self):
        return self.image


class SeveralCoursesPage(TrainingPage):
    """A path or a plan: sold as a course is, and it shows the courses that it opens.

    The site has no base page of its own, so it takes the package's.
    """

    intro = models.TextField(
        help_text="One or two sentences, also for cards and feeds."
    )
    image = models.ForeignKey(
        "wagtailimages.Image",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    body = StreamField(BodyBlocks(), blank=True)

    objects = OnSaleManager()

    content_panels = [
        *Page.content_panels,
        FieldPanel("intro"),
        FieldPanel("image"),
        FieldPanel("body"),
        *TrainingPage.training_panels,
    ]
    search_fields = [
        *Page.search_fields,
        index.SearchField("intro"),
        index.AutocompleteField("intro"),
        index.SearchField("body"),
    ]
    api_fields = [APIField("intro"), APIField("body")]
    subpage_types = []

    class Meta:
        abstract = True

    @property
    def shop_text(self):
        return self.intro

    @property
    def shop_image(self):
        return self.image

    def get_context(self, request, *args, **kwargs):
        return super().get_context(request, *args, **kwargs) | {
            "opened": opened_courses(self, request)
        }


def kind_field(kind):
    """Let a page model begin with another kind than the mixin's."""
    return models.CharField(max_length=10, choices=ProductKind.choices, default=kind)


class PathPage(SeveralCoursesPage):
    """Several courses, in an order."""

    kind = kind_field(ProductKind.PATH)

    parent_page_types = ["academy.PathIndexPage"]
    template = "academy/several_courses_page.html"


class PlanPage(SeveralCoursesPage):
    """Whatever a range of the shop contains, also what is added later."""

    kind = kind_field(ProductKind.PLAN)

    parent_page_types = ["academy.PlanIndexPage"]
    template = "academy/several_courses_page.html"
