"""A gateway's own views, based on Oscar's classes as they are imported, at odd places.

They take money in every place where gateway packages do: in `handle_payment` without
`super()`, before the checkout is asked at all, and on a post.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View
from oscar.apps.checkout import mixins, views
from oscar.core.loading import get_class, get_model

from sandbox.urls import urlpatterns as sandbox_urls

captured: list[str] = []

Basket = get_model("basket", "Basket")


class Returning:
    """What comes back from a gateway's page: orders the basket of this session."""

    preview = True

    def get_pre_conditions(self, request: Any) -> list[str]:
        return []

    def begun(self) -> Any:
        basket = Basket.objects.get(
            pk=self.checkout_session.get_submitted_basket_id(), status=Basket.FROZEN
        )
        basket.strategy = self.request.strategy
        applicator = get_class("offer.applicator", "Applicator")()
        applicator.apply(basket, self.request.user, self.request)
        return basket

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return self.submit(**self.build_submission(basket=self.begun()))


class InHandlePayment(Returning, views.PaymentDetailsView):
    def handle_payment(self, order_number: Any, total: Any, **kwargs: Any) -> None:
        captured.append("handle_payment")


class Wired(Returning, get_class("checkout.views", "PaymentDetailsView")):
    """Has the mixin, and hides its `handle_payment` all the same."""

    def handle_payment(self, order_number: Any, total: Any, **kwargs: Any) -> None:
        captured.append("handle_payment")


class BeforeSubmit(Returning, views.PaymentDetailsView):
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        captured.append("get")
        return super().get(request, *args, **kwargs)

    def handle_payment(self, order_number: Any, total: Any, **kwargs: Any) -> None:
        """Take nothing: it was taken before."""


class Bare(Returning, mixins.OrderPlacementMixin, View):
    """No view of Oscar's at all: it takes the money and places the order itself."""

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        captured.append("get")
        basket = self.begun()
        submission = self.build_submission(basket=basket)
        submission.pop("payment_kwargs")
        kwargs = submission.pop("order_kwargs")
        number = self.generate_order_number(basket)
        return self.handle_order_placement(number, **submission, **kwargs)


class Direct(views.PaymentDetailsView):
    """Places the open basket at once, by a post to an address of its own."""

    preview = True

    def get_pre_conditions(self, request: Any) -> list[str]:
        return []

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return self.submit(**self.build_submission())

    def handle_payment(self, order_number: Any, total: Any, **kwargs: Any) -> None:
        captured.append("handle_payment")


def forgetful(view: Any) -> Any:
    """Decorate without `functools.wraps`."""

    def inner(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, *args, **kwargs)

    return inner


class Wrapper:
    """Decorate by an object."""

    def __init__(self, view: Any) -> None:
        self.inner = view

    def __call__(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.inner(request, *args, **kwargs)


def with_view(request: Any, *, view: Any) -> HttpResponse:
    return view(request)


deep = [
    path("in-payment/", csrf_exempt(InHandlePayment.as_view()), name="in-payment"),
    path("before/", forgetful(BeforeSubmit.as_view()), name="before"),
    path("bare/", Wrapper(Bare.as_view()), name="bare"),
    path("direct/", partial(with_view, view=Direct.as_view()), name="direct"),
    path("wired/", Wired.as_view(), name="wired"),
]
gateway = [path("return/", include((deep, "deep")))]
urlpatterns = [path("pay/", include((gateway, "gateway"))), *sandbox_urls]
