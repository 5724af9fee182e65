from django.urls import path

from .. import converters  # noqa: F401
from .basket import AppliedCodesView, AppliedCodeView

app_name = "training_credits_api"

urlpatterns = [
    path("basket/credit-codes/", AppliedCodesView.as_view(), name="codes"),
    path(
        "basket/credit-codes/<training_row:code_id>/",
        AppliedCodeView.as_view(),
        name="code",
    ),
]
