"""Oscar's applicator of offers, which sees every basket just merged."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, Signer
from oscar.core.loading import get_model

from ...aliases import Basket, Request
from ...credits.codes.applying import move_codes
from ...mixins import Extension
from .merging import trim_places
from .vouchers import read_vouchers


class ApplicatorMixin(Extension):
    """For Oscar's `offer.applicator.Applicator`, which sees every basket just merged.

    `Basket.merge` moves lines and vouchers only, and no signal says which basket
    they went to; the middleware applies offers right after it.
    """

    def apply(self, basket: Basket, user: Any = None, request: Request = None) -> None:
        if request and (merged := merged_basket_id(request)):
            move_codes(from_basket_id=merged, to_basket=basket)
            trim_places(basket, request=request)
        super().apply(basket, user, request)

    def get_basket_offers(self, basket: Basket, user: Any) -> Any:
        # Read once for Oscar and for the code box, in the query that Oscar would make.
        # Whether training is in play is not asked: that would price the lines.
        if basket.pk and user:
            read_vouchers(basket)
        return super().get_basket_offers(basket, user)


def merged_basket_id(request: Request) -> int | None:
    """Return the basket of a guest that was merged at log-in, in this very request.

    Oscar then marks the guest's basket cookie for deletion.
    """
    cookie = settings.OSCAR_BASKET_COOKIE_OPEN
    if cookie not in getattr(request, "cookies_to_delete", []):
        return None
    try:
        basket_id = Signer().unsign(request.COOKIES.get(cookie, ""))
    except BadSignature:
        return None
    Basket = get_model("basket", "Basket")
    merged = Basket._default_manager.filter(pk=basket_id, status=Basket.MERGED)
    return merged.values_list("pk", flat=True).first()
