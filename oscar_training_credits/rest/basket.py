"""A basket by API: codes put on and taken off, and what they pay."""

from __future__ import annotations

from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from oscarapi.basket import operations
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.exceptions import ValidationError as InvalidField
from rest_framework.fields import CharField
from rest_framework.response import Response
from rest_framework.views import APIView

from ..credits.codes.applying import move_codes, remove_code
from ..mixins import Extension
from ..shop.basket import code_handlers
from ..shop.basket.mixins import is_cheaper_by_credits
from ..shop.basket.quotes import codes_of, quote_of
from ..shop.boxes import basket_box, line_row
from ..shop.catalogue.training import takes_part
from ..shop.order import confirmed
from .patience import PatientAPIMixin

FIELD = "vouchercode"


@method_decorator(sensitive_post_parameters(FIELD), name="dispatch")
class AddVoucherViewMixin(PatientAPIMixin):
    """For `views.basket.AddVoucherView`: it takes every kind of code.

    Vouchers are left to django-oscar-api. A credit code is answered with what is to be
    said and how the basket stands; one that is refused with 406 and a reason.
    """

    takes_code = True

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(request, *args, **kwargs)

    @sensitive_variables("text")
    def post(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        text = typed(request.data)
        if text is None:
            return super().post(request, *args, **kwargs)
        # The kinds know the basket by the request; a site that is all API has no
        # middleware that puts it there.
        request.basket = basket = operations.get_basket(request)
        before = len(codes_of(basket))
        answer = code_handlers.ask_handlers(text, request, leave_vouchers=True)
        if answer is None:
            return super().post(request, *args, **kwargs)
        # A code that does not reach is applied all the same.
        if not answer.accepted and len(codes_of(basket)) == before:
            return Response({"reason": answer.text}, status.HTTP_406_NOT_ACCEPTABLE)
        return Response({"message": answer.text, "credits": credits_in(basket)})


class AppliedCodesView(APIView):
    """What credits pay in the basket of this request, and the codes applied to it."""

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return Response(credits_in(operations.get_basket(request)))


class AppliedCodeView(PatientAPIMixin, APIView):
    """Take a credit code off the basket of this request."""

    def delete(self, request: Any, code_id: int, *args: Any, **kwargs: Any) -> Any:
        basket = operations.get_basket(request)
        if not remove_code(code_id, basket=basket):
            raise NotFound
        basket.reset_offer_applications()
        return Response(credits_in(basket))


class BasketSerializerMixin(Extension):
    """For `serializers.basket.BasketSerializer`: adds `credits`, and what is shown."""

    def to_representation(self, basket: Any) -> Any:
        data = {**super().to_representation(basket), "credits": credits_in(basket)}
        if basket.pk and takes_part(basket):
            data[confirmed.FIELD] = confirmed.write(confirmed.price_of(basket))
        return data


class BasketLineSerializerMixin(Extension):
    """For `serializers.basket.BasketLineSerializer`: adds `credits`, `is_covered`.

    Leaves out the warning that a line which credits pay for has become cheaper.
    """

    def to_representation(self, line: Any) -> Any:
        data = super().to_representation(line)
        row = row_of(line)
        more = {"credits": row and row.credits, "is_covered": bool(row)}
        if row:
            more["is_covered"] = row.is_covered
            if "warning" in data and is_cheaper_by_credits(row.line):
                more["warning"] = None
        return {**data, **more}


class LoginViewMixin(PatientAPIMixin):
    """For `views.login.LoginView`: a guest's codes come along with the lines."""

    def merge_baskets(self, anonymous_basket: Any, basket: Any) -> None:
        super().merge_baskets(anonymous_basket, basket)
        move_codes(from_basket_id=anonymous_basket.pk, to_basket=basket)


def credits_in(basket: Any) -> dict[str, Any]:
    """Return what credits pay in `basket`, in the words of its box in the shop."""
    box = basket_box(basket)
    if box is None:
        return {"asked": 0, "taken": 0, "missing": 0, "notice": "", "codes": []}
    return {
        "asked": box.quote.credits_asked,
        "taken": box.quote.credits,
        "missing": box.quote.missing,
        "notice": box.notice or box.hint,
        "codes": [
            {
                "id": row.quote.code.pk,
                "name": str(row.quote.code),
                "taken": row.quote.taken,
                "left": row.quote.left,
                "refusal": row.refusal,
            }
            for row in box.codes
        ],
    }


def row_of(line: Any) -> Any:
    """Return how a basket line is settled; None if credits have no part in it.

    The line itself is the one that its basket has priced.
    """
    basket = line.basket
    if not takes_part(basket):
        return None
    quote = quote_of(basket)
    items = {item.key: item for item in quote.items}
    priced = {each.pk: each for each in basket.all_lines()}
    if line.pk not in items:
        return None
    return line_row(priced[line.pk], items[line.pk], quote)


@sensitive_variables("text")
def typed(data: Any) -> str | None:
    """Return the text of a code, or None where there is none that can be read."""
    try:
        text: str = CharField().run_validation(data.get(FIELD))
    except (AttributeError, InvalidField):
        return None
    return text
