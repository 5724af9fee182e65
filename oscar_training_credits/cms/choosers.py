from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms.choosers import BaseFilterForm
from wagtail.admin.views.generic.chooser import (
    BaseChooseView,
    ChooseResultsViewMixin,
    ChooseViewMixin,
    CreationFormMixin,
)
from wagtail.admin.viewsets.chooser import ChooserViewSet


class ProductFilterForm(BaseFilterForm):
    """Finds products by title or UPC. Oscar's products are not in Wagtail's index."""

    q = forms.CharField(
        label=_("Search term"),
        widget=forms.TextInput(attrs={"placeholder": _("Search by title or UPC")}),
        required=False,
    )

    def filter(self, objects: QuerySet[Any]) -> QuerySet[Any]:
        objects = super().filter(objects)
        if words := self.cleaned_data.get("q"):
            self.is_searching = True
            self.search_query = words
            objects = objects.filter(Q(title__icontains=words) | Q(upc__iexact=words))
        return objects


class BaseProductChooseView(BaseChooseView):
    filter_form_class = ProductFilterForm
    ordering = ("title", "pk")

    def get_object_list(self) -> QuerySet[Any]:
        products: QuerySet[Any] = self.model_class._default_manager.all()
        return products.exclude(structure="parent")


class ProductChooseView(ChooseViewMixin, CreationFormMixin, BaseProductChooseView):
    pass


class ProductChooseResultsView(
    ChooseResultsViewMixin, CreationFormMixin, BaseProductChooseView
):
    pass


class ProductChooserViewSet(ChooserViewSet):
    """Lets an editor pick a product of the shop, without leaving the page editor."""

    model = "catalogue.Product"
    icon = "tag"
    choose_one_text = _("Choose a product")
    choose_another_text = _("Choose another product")
    edit_item_text = _("Edit this product")
    choose_view_class = ProductChooseView
    choose_results_view_class = ProductChooseResultsView


product_chooser_viewset = ProductChooserViewSet("training_product_chooser")
