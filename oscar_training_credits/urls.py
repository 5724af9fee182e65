from django.urls import path

from . import converters  # noqa: F401
from .shop import place_pages, views
from .shop.dashboard import access_pages, delivery_pages

app_name = "training_credits"

urlpatterns = [
    path("", views.MyTrainingView.as_view(), name="my-training"),
    path(
        "orders/<training_row:basket_id>/",
        views.OrderUnderWayView.as_view(),
        name="under-way",
    ),
    path("codes/apply/", views.ApplyCodeView.as_view(), name="apply"),
    path(
        "codes/<training_row:code_id>/remove/",
        views.RemoveCodeView.as_view(),
        name="remove",
    ),
    path(
        "lines/<training_row:line_id>/",
        views.SettleLineView.as_view(),
        name="settle-line",
    ),
    path("claim/<str:text>/", place_pages.ClaimView.as_view(), name="claim"),
    path(
        "places/<training_row:place_id>/revoke/",
        place_pages.RevokeLinkView.as_view(),
        name="revoke-link",
    ),
    path(
        "places/<training_row:place_id>/take/",
        place_pages.TakePlaceView.as_view(),
        name="take-place",
    ),
    path(
        "<training_row:training_id>/apply/",
        views.ExpressApplyView.as_view(),
        name="express-apply",
    ),
    path(
        "<training_row:training_id>/codes/<training_row:code_id>/remove/",
        views.ExpressRemoveView.as_view(),
        name="express-remove",
    ),
    path(
        "<training_row:training_id>/confirm/",
        views.ExpressConfirmView.as_view(),
        name="express-confirm",
    ),
    path(
        "dashboard/access/",
        access_pages.AccessListView.as_view(),
        name="access-list",
    ),
    path(
        "dashboard/access/give/",
        access_pages.GiveAccessView.as_view(),
        name="access-give",
    ),
    path(
        "dashboard/access/<training_row:pk>/",
        access_pages.AccessDetailView.as_view(),
        name="access-detail",
    ),
    path(
        "dashboard/access/<training_row:pk>/extend/",
        access_pages.ExtendAccessView.as_view(),
        name="access-extend",
    ),
    path(
        "dashboard/access/<training_row:pk>/end/",
        access_pages.EndAccessView.as_view(),
        name="access-end",
    ),
    path(
        "dashboard/deliveries/",
        delivery_pages.DeliveryListView.as_view(),
        name="delivery-list",
    ),
    path(
        "dashboard/deliveries/try-again/",
        delivery_pages.TryAgainView.as_view(),
        name="delivery-try-again",
    ),
]
