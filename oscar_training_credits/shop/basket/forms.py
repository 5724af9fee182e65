"""Mixins for the forms of Oscar's basket: no more places than may be sold."""

from __future__ import annotations

from typing import Any

from django.forms import HiddenInput, ValidationError
from django.utils.translation import gettext as _

from ...aliases import Basket, Product
from ...conf import settings
from ...credits.access import buying_again
from ...mixins import Extension
from ..catalogue.training import is_known, training_of


class BasketLineFormMixin(Extension):
    """For Oscar's `basket.forms.BasketLineForm`: says how many places there may be."""

    cleaned_data: dict[str, Any]
    fields: dict[str, Any]
    instance: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.id and training_of(self.instance.product):
            limit_quantity(self.fields["quantity"])

    def clean_quantity(self) -> Any:
        # Oscar would first say that the stock does not reach.
        quantity = self.cleaned_data["quantity"] or 0
        training = training_of(self.instance.product)
        if (
            training
            and quantity
            and (text := buying_again.unavailable_reason(training, quantity))
        ):
            raise ValidationError(text)
        return super().clean_quantity()


class AddToBasketFormMixin(Extension):
    """For Oscar's `basket.forms.AddToBasketForm`: asks for no more than permitted."""

    fields: dict[str, Any]

    def __init__(
        self, basket: Basket, product: Product, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(basket, product, *args, **kwargs)
        field = self.fields.get("quantity")
        # A page that shows the form has priced the product; a post need not know.
        if field is None or not is_known(product) or not training_of(product):
            return
        limit_quantity(field)
        if settings.MOST_PLACES == 1:
            field.widget = HiddenInput()
        else:
            field.help_text = _("One place for each learner, %(most)s at most.") % {
                "most": settings.MOST_PLACES
            }


def limit_quantity(field: Any) -> None:
    most = field.widget.attrs.get("max", settings.MOST_PLACES)
    field.widget.attrs["max"] = min(int(most), settings.MOST_PLACES)
