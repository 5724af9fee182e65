"""Addresses of a site that forgot ours, and whose checkout is Oscar's own."""

from django.urls import include, path
from oscar.apps.checkout.views import PaymentDetailsView

checkout = [
    path("payment/", PaymentDetailsView.as_view(), name="payment-details"),
    path("preview/", PaymentDetailsView.as_view(preview=True), name="preview"),
]
urlpatterns = [path("checkout/", include((checkout, "checkout")))]
