"""The checkout by API: one order for a basket, and no training that is not paid."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings as django_settings
from django.db import OperationalError, connection
from django.utils.translation import gettext as _
from oscar.core.loading import get_model
from oscarapi.views.utils import parse_basket_from_hyperlink
from rest_framework import serializers
from rest_framework.exceptions import NotAcceptable
from rest_framework.response import Response

from ..conf import settings
from ..mixins import Extension
from ..shop.basket.quotes import quote_of
from ..shop.basket.wording import needs_account
from ..shop.catalogue.training import takes_part, training_of
from ..shop.exceptions import OrderRefused
from ..shop.order import confirmed
from ..shop.order.creator import placed_order, refuse_unless_priced_so
from .patience import PatientAPIMixin

logger = logging.getLogger("training_credits")


class CheckoutSerializerMixin(Extension):
    """For `serializers.checkout.CheckoutSerializer`.

    A client may post `credits`, the credits that it has shown, as it may post `total`;
    or, signed, all that the basket's answer said.
    """

    request: Any

    def get_fields(self) -> Any:
        fields = super().get_fields()
        fields["credits"] = serializers.IntegerField(min_value=0, required=False)
        fields[confirmed.FIELD] = serializers.CharField(required=False, write_only=True)
        return fields

    def validate(self, attrs: Any) -> Any:
        credits = attrs.pop("credits", None)
        signed = {name: attrs.pop(name) for name in [confirmed.FIELD] if name in attrs}
        attrs = super().validate(attrs)
        if takes_part(attrs["basket"]):
            self.refuse_unpaid(attrs["basket"], credits)
            self.refuse_other(attrs["basket"], signed)
        return attrs

    def refuse_other(self, basket: Any, signed: dict[str, str]) -> None:
        """Refuse what is not the basket that the client has shown, if it says so.

        Raises:
            ValidationError: with what the learner can do.
        """
        if text := confirmed.change_since(signed, confirmed.price_of(basket)):
            raise serializers.ValidationError(text)
        confirmed.confirm(basket, confirmed.read(signed))

    def refuse_unpaid(self, basket: Any, credits: int | None) -> None:
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
        if credits is not None and quote.credits > credits:
            raise serializers.ValidationError(confirmed.price_changed())
        if costs_money(basket) and not (settings.API_IS_PAID_FIRST or _waits()):
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


def _waits() -> bool:
    """Tell whether what an order opens waits for the money that it costs."""
    initial = getattr(django_settings, "OSCAR_INITIAL_ORDER_STATUS", "")
    return bool(settings.PAID_STATUSES) and initial not in settings.PAID_STATUSES


class CheckoutViewMixin(PatientAPIMixin):
    """For `views.checkout.CheckoutView`: asked again, it answers with the first order.

    The basket stays submitted, as the order's own transaction left it; django-oscar-api
    would freeze it, and a basket that is thawed could be ordered no more.
    """

    order_serializer_class: Any
    request: Any

    def post(self, request: Any, format: Any = None, *args: Any, **kwargs: Any) -> Any:
        basket = parse_basket_from_hyperlink(request.data, format)
        if not takes_part(basket):
            return super().post(request, format, *args, **kwargs)
        if order := order_of(basket, request.user):
            return self.show_order(basket, order)
        try:
            answer = super().post(request, format, *args, **kwargs)
        except OperationalError:
            # Else all of it is undone with the request's transaction.
            if not connection.in_atomic_block and (order := placed_order(basket)):
                logger.exception("Order %s: failed after it was placed", order.number)
                return self.show_order(basket, order)
            raise
        except Exception:
            keep_submitted(basket)
            raise
        keep_submitted(basket)
        return answer

    def show_order(self, basket: Any, order: Any) -> Response:
        keep_submitted(basket)
        context = {"request": self.request}
        return Response(self.order_serializer_class(order, context=context).data)


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


def keep_submitted(basket: Any) -> None:
    """Leave a basket that has become an order as the order's transaction left it."""
    if (order := placed_order(basket)) is None:
        return
    Basket = get_model("basket", "Basket")
    frozen = Basket._default_manager.filter(pk=basket.pk, status=Basket.FROZEN)
    frozen.update(status=Basket.SUBMITTED, date_submitted=order.date_placed)
