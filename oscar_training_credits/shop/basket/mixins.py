"""Mixins for the views of Oscar's basket."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from oscar.core.loading import get_class
from oscar.core.utils import redirect_to_referrer

from ...aliases import Basket, Request
from ...mixins import Extension
from ..catalogue.training import takes_part, training_of
from ..personal import PersonalPageMixin
from . import code_handlers
from .frozen import unfinished_basket, waiting_url
from .quotes import is_settled

Unavailable = get_class("partner.availability", "Unavailable")


class BasketViewMixin(PersonalPageMixin):
    """For Oscar's `basket.views.BasketView`."""

    request: Request

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
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
                waiting_url(basket),
                _("See what can be done"),
            )
            messages.info(self.request, text, extra_tags="safe noicon")

    def get_basket_warnings(self, basket: Basket) -> list[str]:
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

    takes_code = True
    request: Request

    def dispatch(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> Any:
        if self.request.basket.pk and self.take_code(form):
            return redirect_to_referrer(self.request, "basket:summary")
        return super().form_valid(form)

    def take_code(self, form: Any) -> bool:
        """Apply what is no voucher; return whether that was done, or refused."""
        answer = code_handlers.take_code(
            form.data["code"], request=self.request, leave_vouchers=True
        )
        return answer is not None


def is_cheaper_by_credits(line: Any) -> bool:
    """Tell whether the only warning about a line is that credits pay for it."""
    return (
        training_of(line.product) is not None
        and is_settled(line)
        and not isinstance(line.purchase_info.availability, Unavailable)
    )
