from django.urls import path

from .shop import views

app_name = "training_credits"

urlpatterns = [
    path("", views.MyTrainingView.as_view(), name="my-training"),
    path(
        "orders/<int:basket_id>/",
        views.OrderUnderWayView.as_view(),
        name="under-way",
    ),
    path("codes/apply/", views.ApplyCodeView.as_view(), name="apply"),
    path("codes/<int:code_id>/remove/", views.RemoveCodeView.as_view(), name="remove"),
    path("lines/<int:line_id>/", views.SettleLineView.as_view(), name="settle-line"),
    path(
        "<int:training_id>/apply/",
        views.ExpressApplyView.as_view(),
        name="express-apply",
    ),
    path(
        "<int:training_id>/codes/<int:code_id>/remove/",
        views.ExpressRemoveView.as_view(),
        name="express-remove",
    ),
    path(
        "<int:training_id>/confirm/",
        views.ExpressConfirmView.as_view(),
        name="express-confirm",
    ),
]
