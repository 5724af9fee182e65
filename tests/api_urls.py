"""The sandbox with django-oscar-api: as it should be wired, and not wired at all."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import include, path
from oscarapi.serializers import checkout as serializers
from oscarapi.views.checkout import CheckoutView

from sandbox.urls import urlpatterns as sandbox_urls


class UnwiredCheckoutView(CheckoutView):
    """django-oscar-api's own, which knows nothing of credits."""

    serializer_class = serializers.CheckoutSerializer
    order_serializer_class = serializers.OrderSerializer


def payment(request, pk):
    return HttpResponse()


urlpatterns = [
    path("api/", include("oscar_training_credits.rest.urls")),
    path("api/", include("oscarapi.urls")),
    path("api/unwired/", UnwiredCheckoutView.as_view(), name="unwired"),
    path("api/payment/<int:pk>/", payment, name="api-payment"),
    *sandbox_urls,
]
