"""Oscar's basket, with credits."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.signing import BadSignature, Signer
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from oscar.core.loading import get_class, get_model
from oscar.core.utils import redirect_to_referrer

from ..credits.applying import move_codes
from ..mixins import Extension
from . import kinds
from .availability import trim_places
from .quotes import is_settled
from .training import takes_part, training_of
from .unfinished import unfinished_basket, waiting_address

Unavailable = get_class("partner.availability", "Unavailable")


class BasketViewMixin(Extension):
    """For Oscar's `basket.views.BasketView`."""

    request: Any

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        # Reads the lines that the page needs anyway; `is_empty` would count them first.
        if request.user.is_authenticated and not list(request.basket.all_lines()):
            self.tell_of_unfinished_order()
        return super().get(request, *args, **kwargs)

    def tell_of_unfinished_order(self) -> None:
        """Lead who lost a basket while paying back to it."""
        if basket := unfinished_basket(self.request.user):
            text = format_html(
                '{} <a href="{}">{}</a>',
                _("An order of yours has not been finished."),
                waiting_address(basket),
                _("See what can be done"),
            )
            messages.info(self.request, text, extra_tags="safe noicon")

    def get_basket_warnings(self, basket: Any) -> list[str]:
        """Leave out the price “decrease” of lines that are settled in credits."""
        warnings = super().get_basket_warnings(basket)
        if not takes_part(basket):
            return list(warnings)
        expected = {
            str(line.get_warning())
            for line in basket.all_lines()
            if is_cheaper_by_credits(line)
        }
        return [warning for warning in warnings if str(warning) not in expected]


@method_decorator(sensitive_post_parameters("code"), name="dispatch")
class VoucherAddViewMixin(Extension):
    """For Oscar's `basket.views.VoucherAddView`: its box takes every kind of code.

    Oscar would repeat an unknown text in a message, which is kept in the session.
    """

    request: Any

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> Any:
        voucher = kinds.find_voucher(form.cleaned_data["code"])
        if voucher or not self.request.basket.pk:
            return super().form_valid(form)
        kinds.take_code(form.data["code"], request=self.request)
        return redirect_to_referrer(self.request, "basket:summary")


class ApplicatorMixin(Extension):
    """For Oscar's `offer.applicator.Applicator`, which sees every basket just merged.

    `Basket.merge` moves lines and vouchers only, and no signal says which basket
    they went to; the middleware applies offers right after it.
    """

    def apply(self, basket: Any, user: Any = None, request: Any = None) -> None:
        if request and (merged := merged_basket_id(request)):
            move_codes(from_basket_id=merged, to_basket=basket)
            trim_places(basket, request=request)
        super().apply(basket, user, request)


def is_cheaper_by_credits(line: Any) -> bool:
    """Tell whether the only warning about a line is that credits pay for it."""
    return (
        training_of(line.product) is not None
        and is_settled(line)
        and not isinstance(line.purchase_info.availability, Unavailable)
    )


def merged_basket_id(request: Any) -> int | None:
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
