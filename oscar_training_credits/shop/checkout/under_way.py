"""The page that waits for an order under way."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView
from oscar.core.loading import get_model

from ...aliases import Basket, Request
from ...credits.patience import PatientMixin
from ..basket import frozen
from ..basket.quotes import is_frozen
from ..order.creator import placed_order
from ..payment import lost_payments
from .placement import Placement


@method_decorator(never_cache, name="dispatch")
class OrderUnderWayView(PatientMixin, LoginRequiredMixin, TemplateView):
    """Waits for an order that another click is placing, and shows it.

    Where that takes too long, the click has failed, or its payment was left: then the
    learner can have the basket back.
    """

    template_name = "training_credits/order_under_way.html"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        basket = self.own_basket()
        is_over = frozen.has_taken_too_long(request.GET.get("since", ""))
        return self.after_waiting(basket) or super().get(
            request,
            order_number=Placement(request).generate_order_number(basket),
            is_over=is_over,
            # While the click is at work, its payment waits for its order.
            taken=lost_payments.taken_for(basket) if is_over else [],
        )

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        basket = self.own_basket()
        if frozen.has_taken_too_long(request.GET.get("since", "")):
            Placement(request).reopen_basket(basket)
            basket.refresh_from_db()
        address = frozen.waiting_url(basket)
        return self.after_waiting(basket) or HttpResponseRedirect(address)

    def own_basket(self) -> Any:
        Basket = get_model("basket", "Basket")
        # A purchase on a course page has a basket that is always frozen.
        own = Basket._default_manager.filter(
            owner=self.request.user, direct_purchase=None
        )
        return get_object_or_404(own, pk=self.kwargs["basket_id"])

    def after_waiting(self, basket: Basket) -> HttpResponse | None:
        """Return where to go on, if there is nothing to wait for."""
        if order := placed_order(basket):
            return Placement(self.request).show_order(order)
        if not is_frozen(basket):
            return HttpResponseRedirect(reverse("checkout:preview"))
        return None
