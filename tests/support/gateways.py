"""Gateways that sites have, each as its own `handle_payment` under our mixins."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpResponseRedirect
from django.urls import include, path, reverse
from oscar.apps.checkout import views
from oscar.apps.payment.exceptions import RedirectRequired, UnableToTakePayment
from oscar.core.loading import get_class, get_model

from sandbox.urls import urlpatterns as sandbox_urls


class Gateway:
    """Charges in `handle_payment`, and remembers what was charged."""

    def __init__(self) -> None:
        self.charged: list[Decimal] = []
        self.seen: list[Any] = []

    def handle_payment(self, view: Any, order_number: Any, total: Any) -> None:
        self.charge(view, order_number, total)

    def charge(self, view: Any, order_number: Any, total: Any) -> None:
        self.charged.append(total.incl_tax)
        SourceType = get_model("payment", "SourceType")
        Source = get_model("payment", "Source")
        view.add_payment_source(
            Source(
                source_type=SourceType.objects.get(name="Card"),
                currency=total.currency,
                amount_allocated=total.incl_tax,
                amount_debited=total.incl_tax,
                reference=f"card-{order_number}",
            )
        )


class Declining(Gateway):
    """Declines the first payment and takes the second."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error: Exception | None = error or UnableToTakePayment("Card declined.")

    def handle_payment(self, view: Any, order_number: Any, total: Any) -> None:
        if self.error:
            error, self.error = self.error, None
            raise error
        self.charge(view, order_number, total)


class Redirecting(Gateway):
    """Sends the customer away, who pays there and comes back, or does not."""

    def handle_payment(self, view: Any, order_number: Any, total: Any) -> None:
        if not isinstance(view, ReturnView):
            raise RedirectRequired(url="https://pay.example/")
        self.charge(view, order_number, total)


class ReturnView(get_class("checkout.views", "PaymentDetailsView")):
    """Where customers come back to, as gateway packages do it."""

    preview = True

    def get_pre_conditions(self, request: Any) -> list[str]:
        return []

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        submitted = self.checkout_session.get_submitted_basket_id()
        basket = get_model("basket", "Basket").objects.filter(pk=submitted).first()
        if basket is None or basket.status != basket.FROZEN:
            return HttpResponseRedirect(reverse("basket:summary"))
        basket.strategy = request.strategy
        Applicator = get_class("offer.applicator", "Applicator")
        Applicator().apply(basket, request.user, request)
        return self.submit(**self.build_submission(basket=basket))


urlpatterns = [
    path("pay/return/", ReturnView.as_view(), name="gateway-return"),
    path("", include(sandbox_urls)),
]


def install(monkeypatch: Any, gateway: Gateway) -> Gateway:
    """Let Oscar's own view charge by `gateway`, as a site's fork of it would."""

    def handle_payment(view: Any, order_number: Any, total: Any, **kwargs: Any) -> None:
        gateway.handle_payment(view, order_number, total)

    get_model("payment", "SourceType").objects.get_or_create(name="Card")
    core = views.PaymentDetailsView
    monkeypatch.setattr(core, "handle_payment", handle_payment, raising=False)
    return gateway
