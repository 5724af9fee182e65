from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model
from wagtail.admin.forms.choosers import BaseFilterForm
from wagtail.admin.ui.tables import Column
from wagtail.admin.views.generic.chooser import (
    BaseChooseView,
    ChooseResultsViewMixin,
    ChooseViewMixin,
    CreateView,
    CreationFormMixin,
)
from wagtail.admin.viewsets.chooser import ChooserViewSet
from wagtail.admin.widgets import BaseChooser

from ..aliases import Product
from ..credits.models import TrainingProduct
from ..credits.terms import ProductKind
from ..credits.wording import in_words
from ..shop.catalogue.visibility import create_product, new_product
from .selling import live_page_title

PAGE_TITLE = "page_title"
NO_CLASS = _(
    "The shop has no product type that needs no shipping and has no stock to count. "
    "Shop staff make one in the shop's dashboard, under Catalogue, Product types."
)
NO_PARTNER = _(
    "The shop has no partner that sells things. "
    "Shop staff make one in the shop's dashboard, under Fulfilment, Partners."
)


class WordsFilterForm(BaseFilterForm):
    """Finds what is not in Wagtail's index by words in its columns."""

    q = forms.CharField(label=_("Search term"), required=False)
    places: tuple[str, ...] = ()

    def filter(self, objects: QuerySet[Any]) -> QuerySet[Any]:
        objects = super().filter(objects)
        if words := self.cleaned_data.get("q"):
            self.is_searching = True
            self.search_query = words
            found = Q()
            for place in self.places:
                found |= Q(**{place: words})
            objects = objects.filter(found)
        return objects


def filter_form(hint: Any, *places: str) -> type[WordsFilterForm]:
    """Return a form that searches `places`, with a hint in its field."""
    box = forms.TextInput(attrs={"placeholder": hint})
    field = forms.CharField(label=_("Search term"), required=False, widget=box)
    return type("FilterForm", (WordsFilterForm,), {"q": field, "places": places})


class BaseProductChooseView(BaseChooseView):
    filter_form_class = filter_form(
        _("Search by title or UPC"),
        "title__icontains",
        "parent__title__icontains",
        "upc__iexact",
    )
    ordering = ("title", "pk")

    def get_object_list(self) -> QuerySet[Any]:
        products: QuerySet[Any] = self.model_class._default_manager.all()
        return (
            products.exclude(structure="parent")
            .select_related("parent", "product_class", "parent__product_class")
            .annotate(page_title=live_page_title("pk"))
        )

    @property
    def columns(self) -> list[Column]:
        # Three columns: a fourth would leave the title two letters on a phone.
        kind = Column("kind", label=_("Type and UPC"), accessor=_kind_and_upc)
        page = Column("page", label=_("Sold on"), accessor="page_title")
        return [*super().columns, kind, page]


def _kind_and_upc(product: Product) -> str:
    return ", ".join(filter(None, [str(product.get_product_class()), product.upc]))


class NewProductMixin(CreationFormMixin):
    """Begins a new product with the title of the page behind the window."""

    def get_creation_form_kwargs(self) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_creation_form_kwargs()
        return {**kwargs, "page_title": self.request.GET.get(PAGE_TITLE, "")}


class ProductChooseView(ChooseViewMixin, NewProductMixin, BaseProductChooseView):
    pass


class ProductChooseResultsView(
    ChooseResultsViewMixin, NewProductMixin, BaseProductChooseView
):
    pass


class ProductCreateView(NewProductMixin, CreateView):
    pass


class ProductWidget(BaseChooser):
    linked_fields: ClassVar[dict[str, str]] = {PAGE_TITLE: "#id_title"}


class CategoryField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, category: Any) -> str:
        """Show the tree by depth: a category's whole path is a query for each."""
        return "\N{EN DASH} " * (category.depth - 1) + str(category.name)


class NewProductForm(forms.Form):
    """Makes a product without leaving the page editor; it is on sale once published."""

    title = forms.CharField(
        label=_("Title"),
        max_length=255,
        required=False,
        help_text=_("If you leave it empty, the page's."),
    )
    product_class: Any = forms.ModelChoiceField(None, label=_("Product type"))
    category: Any = CategoryField(
        None, label=_("Category"), help_text=_("Where the shop lists it.")
    )
    partner: Any = forms.ModelChoiceField(
        None, label=_("Partner"), help_text=_("Who sells it.")
    )
    price = forms.DecimalField(
        label=_("Price in money"),
        required=False,
        min_value=Decimal("0.00"),
        max_digits=12,
        decimal_places=2,
        help_text=_("Leave it empty if only credits are to pay for it."),
    )

    def __init__(self, *args: Any, page_title: str = "", **kwargs: Any) -> None:
        # The page behind the window has a field with the id “id_title”, too.
        super().__init__(*args, **{"auto_id": "new_product_%s", **kwargs})
        self.page_title = page_title
        self.fields["title"].initial = page_title
        classes = get_model("catalogue", "ProductClass")._default_manager.filter(
            requires_shipping=False, track_stock=False
        )
        partners = get_model("partner", "Partner")._default_manager.all()
        categories = get_model("catalogue", "Category")._default_manager.all()
        if categories.exists():
            self._offer("category", categories.order_by("path"))
        else:
            del self.fields["category"]
        self._offer("product_class", classes.order_by("name"), lacking=NO_CLASS)
        self._offer("partner", partners.order_by("name"), lacking=NO_PARTNER)

    def _offer(self, name: str, choices: QuerySet[Any], *, lacking: Any = "") -> None:
        """Offer what there is; say what to do if there is nothing."""
        field: Any = self.fields[name]
        field.queryset = choices
        first_two = list(choices[:2])
        if len(first_two) == 1:
            field.initial, field.empty_label = first_two[0].pk, None
        elif not first_two:
            field.help_text = field.error_messages["required"] = lacking

    def clean_title(self) -> str:
        field = self.fields["title"]
        title: str = self.cleaned_data["title"] or field.clean(self.page_title)
        if not title:
            raise ValidationError(field.error_messages["required"], code="required")
        return title

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("title") and data.get("product_class"):
            try:
                new_product(data["title"], data["product_class"]).clean()
            except ValidationError as error:
                self.add_error("product_class", error.messages)
        return data

    def save(self) -> Any:
        return create_product(**self.cleaned_data)


class ProductChooserViewSet(ChooserViewSet):
    """Lets an editor pick a product of the shop, or make one, in the page editor."""

    model = "catalogue.Product"
    icon = "tag"
    base_widget_class = ProductWidget
    preserve_url_parameters: ClassVar[list[str]] = [
        *ChooserViewSet.preserve_url_parameters,
        PAGE_TITLE,
    ]
    choose_one_text = _("Choose a product")
    choose_another_text = _("Choose another product")
    edit_item_text = _("Edit this product")
    create_action_label = _("Create a product")
    creation_form_class = NewProductForm
    choose_view_class = ProductChooseView
    choose_results_view_class = ProductChooseResultsView
    create_view_class = ProductCreateView


class BaseTrainingChooseView(BaseChooseView):
    filter_form_class = filter_form(
        _("Search by title or UPC"),
        "product__title__icontains",
        "product__parent__title__icontains",
        "product__upc__iexact",
    )
    ordering = ("product__title", "pk")

    def get_object_list(self) -> QuerySet[Any]:
        courses = TrainingProduct.objects.filter(kind=ProductKind.COURSE)
        return courses.select_related("product__parent")

    @property
    def columns(self) -> list[Column]:
        price = Column("credits", label=_("Credits"), accessor=_price)
        return [*super().columns, price]


def _price(training: TrainingProduct) -> str:
    return in_words(training.credits) if training.credits else ""


class TrainingChooseView(ChooseViewMixin, CreationFormMixin, BaseTrainingChooseView):
    pass


class TrainingChooseResultsView(
    ChooseResultsViewMixin, CreationFormMixin, BaseTrainingChooseView
):
    pass


class TrainingChooserViewSet(ChooserViewSet):
    """Lets an editor pick a course that the shop sells, for a path."""

    model = TrainingProduct
    icon = "doc-full"
    choose_one_text = _("Choose a course")
    choose_another_text = _("Choose another course")
    edit_item_text = _("Edit this course")
    choose_view_class = TrainingChooseView
    choose_results_view_class = TrainingChooseResultsView


class BaseRangeChooseView(BaseChooseView):
    filter_form_class = filter_form(_("Search by name"), "name__icontains")
    ordering = ("name", "pk")

    def get_object_list(self) -> QuerySet[Any]:
        # What is computed by code can't be the content of a plan.
        ranges: QuerySet[Any] = self.model_class._default_manager.all()
        return ranges.filter(Q(proxy_class=None) | Q(proxy_class=""))


class RangeChooseView(ChooseViewMixin, CreationFormMixin, BaseRangeChooseView):
    pass


class RangeChooseResultsView(
    ChooseResultsViewMixin, CreationFormMixin, BaseRangeChooseView
):
    pass


class RangeChooserViewSet(ChooserViewSet):
    """Lets an editor pick a range of the shop's products, for a plan."""

    model = "offer.Range"
    icon = "folder-open-1"
    choose_one_text = _("Choose a range")
    choose_another_text = _("Choose another range")
    edit_item_text = _("Edit this range")
    choose_view_class = RangeChooseView
    choose_results_view_class = RangeChooseResultsView


product_chooser_viewset = ProductChooserViewSet("training_product_chooser")
training_chooser_viewset = TrainingChooserViewSet("training_course_chooser")
range_chooser_viewset = RangeChooserViewSet("training_range_chooser")
