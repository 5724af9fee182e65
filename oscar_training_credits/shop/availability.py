"""Whether training can be bought, and how many places at once."""

from __future__ import annotations

from collections import Counter
from copy import copy
from typing import Any

from django.contrib import messages
from django.forms import HiddenInput, ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from oscar.core.loading import get_class

from ..conf import settings
from ..credits import sale
from ..credits.models import TrainingProduct
from ..mixins import Extension
from .loading import with_mixin
from .training import is_known, training_of, training_of_line

Unavailable: Any = get_class("partner.availability", "Unavailable")


class AccessOver(Unavailable):
    """Nobody can buy what would give no access any more."""

    code = "access-over"

    def __init__(self, training: TrainingProduct) -> None:
        self.message = sale.over_text(training)

    def is_purchase_permitted(self, quantity: int) -> tuple[bool, str]:
        return False, self.message


class AvailabilityMixin(Extension):
    """For any availability: permits no more places than an order may hold."""

    num_available: int

    def is_purchase_permitted(self, quantity: int) -> tuple[bool, str]:
        permitted, reason = super().is_purchase_permitted(quantity)
        if permitted and quantity > settings.MOST_PLACES:
            return False, sale.most_text()
        return permitted, reason


def availability_of(training: TrainingProduct, availability: Any) -> Any:
    """Return the site's availability of a product, kept within what may be sold."""
    if isinstance(availability, (Unavailable, AvailabilityMixin)):
        return availability
    if training.is_over:
        return AccessOver(training)
    # A copy, as a site may share one instance between products.
    limited = copy(availability)
    base: type = type(availability)
    limited.__class__ = with_mixin(base, AvailabilityMixin)
    if not hasattr(limited, "num_available"):
        # Oscar's basket asks for it when it says how many there are.
        limited.num_available = settings.MOST_PLACES
    return limited


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
        if training and quantity and (text := sale.obstacle(training, quantity)):
            raise ValidationError(text)
        return super().clean_quantity()


class AddToBasketFormMixin(Extension):
    """For Oscar's `basket.forms.AddToBasketForm`: asks for no more than permitted."""

    fields: dict[str, Any]

    def __init__(self, basket: Any, product: Any, *args: Any, **kwargs: Any) -> None:
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


def obstacles(basket: Any) -> dict[Any, str]:
    """Return what keeps lines of `basket` from being ordered, by their product.

    What is bought for several is not for its owner.
    """
    quantities: Counter[Any] = Counter()
    trainings = {}
    for line in basket.all_lines():
        if training := training_of_line(line, basket):
            quantities[line.product] += line.quantity
            trainings[line.product] = training
    own = [trainings[each] for each, quantity in quantities.items() if quantity == 1]
    again = sale.refusals_again(basket.owner, own) if basket.owner and own else {}
    found = {
        product: sale.obstacle(trainings[product], quantity)
        or again.get(trainings[product].pk, "")
        for product, quantity in quantities.items()
    }
    return {product: text for product, text in found.items() if text}


def obstacle_texts(basket: Any) -> list[str]:
    """Return for each product that can't be ordered what the learner can do."""
    text = _("“%(title)s” can't be ordered as it is. %(reason)s Change the basket.")
    return [
        text % {"title": product.get_title(), "reason": reason}
        for product, reason in obstacles(basket).items()
    ]


def trim_places(basket: Any, *, request: Any) -> None:
    """Bring a merged basket back to what may be bought, and say so."""
    most = settings.MOST_PLACES
    left: dict[Any, int] = {}
    for line in basket.lines.select_related("product__training").order_by("pk"):
        if not training_of(line.product):
            continue
        allowed = left.get(line.product_id, most)
        left[line.product_id] = max(0, allowed - line.quantity)
        if line.quantity <= allowed:
            continue
        line.quantity = allowed
        if allowed:
            line.save(update_fields=["quantity"])
        else:
            line.delete()
        messages.info(request, _trimmed_text(line.product.get_title(), most))
    basket.reset_offer_applications()


def _trimmed_text(title: str, most: int) -> str:
    text = ngettext(
        "“%(title)s” is in your basket once: more can't be bought in one order.",
        "“%(title)s” is in your basket %(most)s times: more can't be bought in one"
        " order.",
        most,
    )
    return text % {"title": title, "most": most}
