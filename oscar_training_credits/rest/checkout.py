"""The checkout by API: one order for a basket, and no training that is not paid."""

from __future__ import annotations

import logging
from typing import Any

from django.utils.translation import gettext as _
from oscar.core.loading import get_model
from oscarapi.views.utils import parse_basket_from_hyperlink
from rest_framework import serializers
from rest_framework.exceptions import NotAcceptable
from rest_framework.response import Response

from ..conf import settings
from ..mixins import Extension
from ..shop.exceptions import OrderRefused
from ..shop.orders import (
    needs_account,
    placed_order,
    price_changed,
    refuse_unless_priced_so,
)
from ..shop.quotes import quote_of
from ..shop.training import takes_part, training_of

logger = logging.getLogger("training_credits")


class CheckoutSerializerMixin(Extension):
    """For `serializers.checkout.CheckoutSerializer`.

    A client may post `credits`, the credits that it has shown, as it may post `total`.
    """

    request: Any

    def get_fields(self) -> Any:
        fields = super().get_fields()
        fields["credits"] = serializers.IntegerField(min_value=0, required=False)
        return fields

    def validate(self, attrs: Any) -> Any:
        shown = attrs.pop("credits", None)
        attrs = super().validate(attrs)
        if takes_part(attrs["basket"]):
            self.refuse_unpaid(attrs["basket"], shown)
        return attrs

    def refuse_unpaid(self, basket: Any, shown: int | None) -> None:
        """Say early and in full what the order's own guards would say.

        Raises:
            ValidationError: with what the learner can do.
        """
        if not self.request.user.is_authenticated:
            raise serializers.ValidationError(needs_account())
        quote = quote_of(basket)
        try:
            refuse_unless_priced_so(basket, quote)
        except OrderRefused as refused:
            raise serializers.ValidationError(str(refused)) from refused
        if shown is not None and quote.credits > shown:
            raise serializers.ValidationError(price_changed())
        if costs_money(basket) and not settings.API_IS_PAID_FIRST:
            raise serializers.ValidationError(
                _(
                    "Training can be ordered here with credits only."
                    " Enter a code that pays for it."
                )
            )

    def create(self, validated_data: Any) -> Any:
        """Return the one order of this basket, whatever fails beside it."""
        basket = validated_data["basket"]
        if not takes_part(basket):
            return super().create(validated_data)
        try:
            return super().create(validated_data)
        except Exception as error:
            # A twin of this request may have been faster, or a receiver may have
            # failed after the order was committed.
            order = order_of(basket, self.request.user)
            if order is None:
                raise
            if not isinstance(error, NotAcceptable):
                logger.exception("Order %s: failed after it was placed", order.number)
            return order


class CheckoutViewMixin(Extension):
    """For `views.checkout.CheckoutView`: asked again, it answers with the first order.

    The basket stays submitted, as the order's own transaction left it; django-oscar-api
    would freeze it, and a basket that is thawed could be ordered no more.
    """

    order_serializer_class: Any

    def post(self, request: Any, format: Any = None, *args: Any, **kwargs: Any) -> Any:
        basket = parse_basket_from_hyperlink(request.data, format)
        if takes_part(basket) and (order := order_of(basket, request.user)):
            keep_submitted(basket, order)
            serializer = self.order_serializer_class
            return Response(serializer(order, context={"request": request}).data)
        try:
            return super().post(request, format, *args, **kwargs)
        finally:
            if takes_part(basket) and (order := placed_order(basket)):
                keep_submitted(basket, order)


def costs_money(basket: Any) -> bool:
    """Tell whether any training in `basket` costs money as it is settled."""
    return any(
        training_of(line.product) and line.line_price_excl_tax_incl_discounts
        for line in basket.all_lines()
    )


def order_of(basket: Any, user: Any) -> Any:
    """Return the order that `basket` has become, if it is this user's; or None."""
    order = placed_order(basket)
    return order if order and user.pk and order.user_id == user.pk else None


def keep_submitted(basket: Any, order: Any) -> None:
    Basket = get_model("basket", "Basket")
    frozen = Basket._default_manager.filter(pk=basket.pk, status=Basket.FROZEN)
    frozen.update(status=Basket.SUBMITTED, date_submitted=order.date_placed)
