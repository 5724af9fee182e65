"""Oscar's products in the dashboard: their terms as training, and their prices."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from ....aliases import Request
from ....mixins import Extension
from ...catalogue.history import changes_by, prices_of, record_prices
from ...catalogue.training import training_of
from ..in_use import in_use_text
from .pack_form import PackForm, PackRefused
from .terms_form import TermsForm, stays_text


class StockRecordFormMixin(Extension):
    """For Oscar's `dashboard.catalogue.forms.StockRecordForm`."""

    fields: dict[str, Any]
    instance: Any

    @property
    def is_credit_only(self) -> bool:
        if not self.instance.product_id:
            return False
        training = training_of(self.instance.product)
        return bool(training and training.credit_only)

    def full_clean(self) -> None:
        # Oscar asks for a price where stock is tracked.
        if "price" in self.fields and self.is_credit_only:
            self.fields["price"].required = False
        super().full_clean()


class ProductFormMixin(Extension):
    """For Oscar's `dashboard.catalogue.views.ProductCreateUpdateView`."""

    formsets: dict[str, Any]
    request: Request

    training_form = TermsForm
    pack_form = PackForm

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Last, as the terms may put by a price in money that is saved before.
        self.formsets["training_form"] = self.training_form
        self.formsets["pack_form"] = self.pack_form

    def dispatch(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        with changes_by(request.user):
            response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response

    def clean(self, form: Any, formsets: Any) -> bool:
        """Refuse a price in money for a product that stays credit-only."""
        is_clean: bool = super().clean(form, formsets)
        records, terms = formsets["stockrecord_formset"], formsets["training_form"]
        if not (terms.is_valid() and records.is_valid() and terms.stays_credit_only):
            return is_clean
        priced = [
            record
            for record in records.forms
            if record.cleaned_data.get("price") is not None
        ]
        for record in priced:
            text = _(
                "This product is credit-only, so it has no money price."
                " Make it credit-only no longer before you set one."
            )
            record.add_error("price", text)
        return is_clean and not priced

    def forms_valid(self, form: Any, formsets: Any) -> HttpResponse:
        """Save all of it, or say what somebody else did since it was checked."""
        try:
            with transaction.atomic():
                response: HttpResponse = super().forms_valid(form, formsets)
        except ProtectedError:
            formsets["training_form"].add_error("kind", stays_text())
        except PackRefused as error:
            formsets["pack_form"].refuse(error)
        except ValidationError as error:
            formsets["training_form"].add_error(None, error.messages)
        else:
            return response
        invalid: HttpResponse = self.forms_invalid(form, formsets)
        return invalid


class SetProductPriceActionMixin(Extension):
    """For Oscar's `dashboard.catalogue.bulk_actions.SetProductPriceAction`."""

    def filter_products_queryset(self, products: Any) -> Any:
        """Leave out credit-only products, which have no price in money."""
        products = super().filter_products_queryset(products)
        return products.exclude(training__credit_only=True)

    @transaction.atomic
    def execute(self, request: Request, objects: Any, form: Any) -> None:
        """Record what Oscar changes here past the stock records' own signals."""
        products = list(objects)
        before = prices_of(products)
        super().execute(request, objects, form)
        with changes_by(request.user):
            record_prices(products, before=before)


class ProductDeleteViewMixin(Extension):
    """For Oscar's `dashboard.catalogue.views.ProductDeleteView`."""

    object: Any
    request: Request

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Say what stands in the way if course pages or learners need the product."""
        try:
            response: HttpResponse = super().post(request, *args, **kwargs)
        except ProtectedError as error:
            text = in_use_text(self.object.get_title(), error.protected_objects)
            messages.error(request, text)
            return redirect("dashboard:catalogue-product", pk=self.object.pk)
        return response
