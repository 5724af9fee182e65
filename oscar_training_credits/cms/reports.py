"""What editors see of training in Wagtail's admin: products, use and history."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, ClassVar

import django_filters
from django.db.models import (
    BooleanField,
    Count,
    DateField,
    Exists,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce
from django.forms import Media
from django.urls import NoReverseMatch, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from oscar.core.loading import get_model
from oscar.templatetags.currency_filters import currency
from wagtail.admin.filters import DateRangePickerWidget, WagtailFilterSet
from wagtail.admin.menu import Menu, MenuItem, SubmenuMenuItem
from wagtail.admin.site_summary import SummaryItem
from wagtail.admin.ui.tables import BooleanColumn, Column, DateColumn, TitleColumn
from wagtail.admin.views.reports import ReportView
from wagtail.permission_policies import ModelPermissionPolicy

from ..aliases import Request
from ..credits import wording
from ..credits.models import Access, RedemptionLine, TermsChange, TrainingProduct
from ..credits.terms import ProductKind
from ..shop.catalogue.history import PRICE
from . import privacy
from .selling import training_page_models

YES_NO = [("yes", _("Yes")), ("no", _("No"))]


class YesNoFilter(django_filters.ChoiceFilter):
    """Filters by something that is true or false of a row, annotated or a column."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=YES_NO, **kwargs)

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value not in dict(YES_NO):
            return queryset
        return queryset.filter(**{self.field_name: value == "yes"})


class TrainingFilterSet(WagtailFilterSet):
    kind = django_filters.ChoiceFilter(label=_("Kind"), choices=ProductKind.choices)
    credit_only = YesNoFilter(label=_("Credit-only"))
    has_page = YesNoFilter(label=_("Has a live page"))
    is_private = YesNoFilter(label=_("Private"))
    has_price = YesNoFilter(label=_("Has a price"))

    class Meta:
        model = TrainingProduct
        fields = ["kind", "credit_only", "has_page", "is_private", "has_price"]


class ChangeFilterSet(WagtailFilterSet):
    changed_at = django_filters.DateFromToRangeFilter(
        label=_("Changed"), widget=DateRangePickerWidget
    )

    class Meta:
        model = TermsChange
        fields = ["changed_at"]


def access_in_words(training: TrainingProduct) -> str:
    """Return how long access lasts that is bought now."""
    parts = []
    if days := training.access_days:
        parts.append(ngettext("%(days)d day", "%(days)d days", days) % {"days": days})
    if training.access_from:
        parts.append(_("from %(day)s") % {"day": date_format(training.access_from)})
    if training.access_until:
        parts.append(_("until %(day)s") % {"day": date_format(training.access_until)})
    return ", ".join(map(str, parts)) or str(_("no end"))


def term_name(change: TermsChange) -> str:
    """Return what staff call the term that was changed, in the active language."""
    if change.term == "path_courses":
        return str(_("courses of the path"))
    if change.term == PRICE:
        return str(_("price in money"))
    field: Any = TrainingProduct._meta.get_field(change.term)
    return str(field.verbose_name)


def before_in_words(change: TermsChange) -> str:
    return value_in_words(change, change.before)


def after_in_words(change: TermsChange) -> str:
    return value_in_words(change, change.after)


def value_in_words(change: TermsChange, text: str) -> str:
    """Return a value of a term, kept as text, as the page editor shows it."""
    if not text or change.term in ("path_courses", PRICE):
        return text
    field: Any = TrainingProduct._meta.get_field(change.term)
    if isinstance(field, BooleanField):
        return yes_or_no(text == str(True))
    if isinstance(field, DateField):
        return date_format(date.fromisoformat(text))
    return str(dict(field.flatchoices).get(text, text))


def yes_or_no(value: bool) -> str:
    return str(_("Yes") if value else _("No"))


def changer_name(change: TermsChange) -> str:
    """Return the name of who changed it; empty if it was no person, or one is gone."""
    user: Any = change.changed_by
    return wording.name_of(user)


def on_site_clock(moment: datetime | None) -> datetime | None:
    """Return a moment as the site's clocks show it, to the second, for a sheet."""
    if moment is None:
        return None
    local = timezone.localtime(moment, timezone.get_default_timezone())
    return local.replace(microsecond=0, tzinfo=None)


def money_in_words(training: Any) -> str:
    """Return the price in money with its currency; empty if there is none."""
    if training.money is None:
        return ""
    return str(currency(training.money, training.money_currency))


def exact_money(training: Any) -> Decimal | None:
    """Return the price in money with both decimals, which SQLite forgets."""
    return None if training.money is None else training.money.quantize(Decimal("0.01"))


class ProductColumn(TitleColumn):
    """The product's title, linked to the page that sells it or else to the shop."""

    def __init__(self) -> None:
        super().__init__("product", label=_("Product"), get_url=self.edit_url)

    def edit_url(self, row: Any) -> str | None:
        training = getattr(row, "training", row)
        if page_id := getattr(row, "page_id", None):
            return reverse("wagtailadmin_pages:edit", args=[page_id])
        try:
            return reverse("dashboard:catalogue-product", args=[training.product_id])
        except NoReverseMatch:  # a site without Oscar's dashboard
            return None


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """A column of an exported report: its heading, and its value for a row."""

    heading: Any
    value: Callable[[Any], Any]


class Report(ReportView):
    """A report whose table fits a phone, and whose export speaks as the table does."""

    results_template_name = "training_credits/cms/report_results.html"
    exported: ClassVar[dict[str, ExportColumn]] = {}

    @property
    def list_export(self) -> list[str]:
        return list(self.exported)

    def get_heading(self, queryset: Any, field: str) -> str:
        return str(self.exported[field].heading)

    def to_row_dict(self, item: Any) -> dict[str, Any]:
        return {name: each.value(item) for name, each in self.exported.items()}

    def get_filename(self) -> str:
        return f"{self.export_filename}-{timezone.localdate():%Y-%m-%d}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["media"] += Media(css={"all": ["training_credits/reports.css"]})
        # Else it would be Oscar's form, from its context processor.
        context.setdefault("search_form", None)
        return context


NAMED = {
    "product": ExportColumn(_("Product"), lambda row: row.product.get_title()),
    "upc": ExportColumn(_("UPC"), lambda row: row.product.upc or ""),
}


class TrainingReport(Report):
    """A report on the site's training products."""

    model = TrainingProduct
    permission_policy = ModelPermissionPolicy(TrainingProduct)
    permission_required = "view"
    header_icon = "tag"
    filterset_class = TrainingFilterSet
    is_searchable = True
    default_ordering = "title"
    index_url_name: str
    index_results_url_name: str

    def get_base_queryset(self) -> QuerySet[Any]:
        return trainings()

    def get_queryset(self) -> QuerySet[Any]:
        return self.order_queryset(self.search_queryset(self.get_base_queryset()))

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        words = self.request.GET.get("q", "").strip()
        if not words:
            return queryset
        # No text in a database holds it, and PostgreSQL fails when asked for it.
        if "\0" in words:
            return queryset.none()
        return queryset.filter(
            Q(product__title__icontains=words) | Q(product__upc__iexact=words)
        )


class ProductsView(TrainingReport):
    page_title = _("Training products")
    index_url_name = "training_credits_products"
    index_results_url_name = "training_credits_products_results"
    columns: ClassVar[list[Any]] = [
        ProductColumn(),
        Column("get_kind_display", label=_("Kind"), sort_key="kind"),
        Column("credits", label=_("Credits"), sort_key="credits"),
        BooleanColumn("credit_only", label=_("Credit-only")),
        Column("money", label=_("Price in money"), accessor=money_in_words),
        BooleanColumn("has_page", label=_("Live page")),
        BooleanColumn("is_private", label=_("Private")),
        Column("access", label=_("Access"), accessor=access_in_words),
    ]
    export_filename = "training-products"
    exported: ClassVar[dict[str, ExportColumn]] = {
        **NAMED,
        "kind": ExportColumn(_("Kind"), lambda row: row.get_kind_display()),
        "credits": ExportColumn(_("Credits"), attrgetter("credits")),
        "credit_only": ExportColumn(
            _("Credit-only"), lambda row: yes_or_no(row.credit_only)
        ),
        "money": ExportColumn(_("Price in money"), exact_money),
        "currency": ExportColumn(
            _("Currency"),
            lambda row: "" if row.money is None else row.money_currency,
        ),
        "has_page": ExportColumn(_("Live page"), lambda row: yes_or_no(row.has_page)),
        "is_private": ExportColumn(_("Private"), lambda row: yes_or_no(row.is_private)),
        "access_days": ExportColumn(_("Days of access"), attrgetter("access_days")),
        "access_from": ExportColumn(_("Access from"), attrgetter("access_from")),
        "access_until": ExportColumn(_("Access until"), attrgetter("access_until")),
    }


class UsageView(TrainingReport):
    page_title = _("Use of training")
    index_url_name = "training_credits_usage"
    index_results_url_name = "training_credits_usage_results"
    columns: ClassVar[list[Any]] = [
        ProductColumn(),
        Column("orders", label=_("Orders"), sort_key="orders"),
        Column("spent", label=_("Credits spent"), sort_key="spent"),
        Column("learners", label=_("Learners with access"), sort_key="learners"),
        DateColumn("last_order", label=_("Last order"), sort_key="last_order"),
    ]
    export_filename = "training-usage"
    exported: ClassVar[dict[str, ExportColumn]] = {
        **NAMED,
        "orders": ExportColumn(_("Orders"), attrgetter("orders")),
        "spent": ExportColumn(_("Credits spent"), attrgetter("spent")),
        "learners": ExportColumn(_("Learners with access"), attrgetter("learners")),
        "last_order": ExportColumn(
            _("Last order"), lambda row: on_site_clock(row.last_order)
        ),
    }

    def get_base_queryset(self) -> QuerySet[Any]:
        return with_usage(trainings())


class ChangesView(Report):
    """Who changed which price or term of training, when, from what to what."""

    model = TermsChange
    permission_policy = ModelPermissionPolicy(TermsChange)
    permission_required = "view"
    page_title = _("Changes of prices and terms")
    header_icon = "history"
    is_searchable = False
    filterset_class = ChangeFilterSet
    default_ordering = "-changed_at"
    index_url_name = "training_credits_changes"
    index_results_url_name = "training_credits_changes_results"
    columns: ClassVar[list[Any]] = [
        Column("training", label=_("Product")),
        Column("term", label=_("What"), accessor=term_name),
        Column("before", label=_("From"), accessor=before_in_words),
        Column("after", label=_("To"), accessor=after_in_words),
        Column("changed_by", label=_("By"), accessor=changer_name),
        DateColumn("changed_at", label=_("When"), sort_key="changed_at"),
    ]
    export_filename = "training-changes"
    exported: ClassVar[dict[str, ExportColumn]] = {
        "training": ExportColumn(_("Product"), lambda row: str(row.training)),
        "term": ExportColumn(_("What"), term_name),
        "before": ExportColumn(_("From"), before_in_words),
        "after": ExportColumn(_("To"), after_in_words),
        "changed_by": ExportColumn(_("By"), changer_name),
        "changed_at": ExportColumn(
            _("When"), lambda row: on_site_clock(row.changed_at)
        ),
    }

    def get_queryset(self) -> QuerySet[Any]:
        changes = TermsChange.objects.select_related("training__product", "changed_by")
        return self.order_queryset(changes.order_by("-pk"))


VIEWS: list[tuple[str, Any]] = [
    ("products", ProductsView),
    ("usage", UsageView),
    ("changes", ChangesView),
]


def urls() -> list[Any]:
    """Return the addresses of the reports, below Wagtail's admin."""
    return [
        pattern
        for name, view in VIEWS
        for pattern in (
            path(f"training/{name}/", view.as_view(), name=view.index_url_name),
            path(
                f"training/{name}/results/",
                view.as_view(results_only=True),
                name=view.index_results_url_name,
            ),
        )
    ]


class ReportMenuItem(MenuItem):
    """A report, for those who may see what it is about."""

    def __init__(self, view: Any, *, order: int) -> None:
        self.policy = view.permission_policy
        super().__init__(
            view.page_title,
            reverse(view.index_url_name),
            name=view.index_url_name.replace("_", "-"),
            icon_name=view.header_icon,
            order=order,
        )

    def is_shown(self, request: Request) -> bool:
        return bool(self.policy.user_has_permission(request.user, "view"))


def menu() -> SubmenuMenuItem:
    items = [
        ReportMenuItem(view, order=order) for order, (_name, view) in enumerate(VIEWS)
    ]
    return SubmenuMenuItem(
        _("Training"), Menu(items=items), name="training", icon_name="tag", order=400
    )


class TrainingSummaryItem(SummaryItem):
    """How many training products there are, on the home of Wagtail's admin."""

    order = 400
    template_name = "training_credits/cms/admin_summary.html"

    def is_shown(self) -> bool:
        policy = ProductsView.permission_policy
        return bool(policy.user_has_permission(self.request.user, "view"))

    def get_context_data(self, parent_context: Any) -> dict[str, Any]:
        return {
            "count": TrainingProduct.objects.count(),
            "address": reverse(ProductsView.index_url_name),
        }


def trainings() -> QuerySet[Any]:
    """Return the training products with what the reports list of them."""
    StockRecord = get_model("partner", "StockRecord")
    records = StockRecord._default_manager.filter(product=OuterRef("product"))
    priced = records.exclude(price=None).order_by("pk")
    return TrainingProduct.objects.select_related("product__parent").annotate(
        title=F("product__title"),
        money=Subquery(priced.values("price")[:1]),
        money_currency=Subquery(priced.values("price_currency")[:1]),
        has_price=Exists(records.exclude(price=None)) | Q(credits__isnull=False),
        page_id=_page_id(),
        has_page=_has_page(),
        is_private=_is_private(),
    )


def with_usage(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """Add how often training was ordered, for how many credits, and who has access."""
    Line = get_model("order", "Line")
    lines = Line._default_manager.filter(product=OuterRef("product")).order_by()
    paid = RedemptionLine.objects.filter(
        settled_line__order_line__product=OuterRef("product")
    ).order_by()
    current = Access.objects.filter(training=OuterRef("pk")).order_by()
    return queryset.annotate(
        orders=_one(lines, "product", Count("order", distinct=True)),
        spent=_one(
            paid,
            "settled_line__order_line__product",
            Sum(F("credits") - F("refunded")),
        ),
        learners=_one(
            current.current(timezone.now()),
            "training",
            Count("learner", distinct=True),
        ),
        last_order=Subquery(
            lines.values("product")
            .annotate(last=Max("order__date_placed"))
            .values("last")
        ),
    )


def _one(queryset: QuerySet[Any], by: str, number: Any) -> Any:
    counted = queryset.values(by).annotate(number=number).values("number")
    return Coalesce(Subquery(counted), 0)


def _live_pages() -> Iterable[QuerySet[Any]]:
    for model in training_page_models():
        pages = model._default_manager.filter(live=True, product=OuterRef("product"))
        yield pages.order_by("pk")


def _page_id() -> Any:
    ids = [Subquery(pages.values("pk")[:1]) for pages in _live_pages()]
    nothing = Value(None, output_field=IntegerField())
    return Coalesce(nothing, nothing, *ids, output_field=IntegerField())


def _has_page() -> Any:
    return _any(Exists(pages) for pages in _live_pages())


def _is_private() -> Any:
    """Tell of rows whether some of those who could buy may not open their page."""
    paths = privacy.private_paths()
    if not paths:
        return Value(False, output_field=BooleanField())
    below = privacy.is_below(paths)
    return _any(Exists(pages.filter(below)) for pages in _live_pages())


def _any(conditions: Iterable[Any]) -> Any:
    found: Any = Q(pk__in=[])
    for condition in conditions:
        found |= condition
    return found
