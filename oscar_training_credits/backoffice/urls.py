"""The API for back offices, as in `path("api/v1/", include(…))`."""

from __future__ import annotations

from django.urls import path, re_path

from .. import converters  # noqa: F401
from .access import (
    AccessListView,
    AccessView,
    EndAccessView,
    ExtendAccessView,
    TrainingsView,
)
from .codes import (
    AdjustCodeView,
    CheckCodeView,
    CodeStateView,
    CodesView,
    CodeView,
    ExtendCodeView,
    GrantsView,
    RotateCodeView,
)
from .entries import EntriesView
from .orders import OrderCreditsView, RefundPreviewView, RefundView
from .problem_page import NothingView, ProblemView
from .requests import ApproveView, DeclineView, RequestsView, RequestView
from .schema import SchemaView

app_name = "training_credits_backoffice"

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("problems/<slug:name>/", ProblemView.as_view(), name="problem"),
    path("codes/", CodesView.as_view(), name="codes"),
    path("codes/check/", CheckCodeView.as_view(), name="check"),
    path("codes/<training_row:pk>/", CodeView.as_view(), name="code"),
    path("codes/<training_row:pk>/rotate/", RotateCodeView.as_view(), name="rotate"),
    path("codes/<training_row:pk>/grants/", GrantsView.as_view(), name="grants"),
    path("codes/<training_row:pk>/adjust/", AdjustCodeView.as_view(), name="adjust"),
    path("codes/<training_row:pk>/state/", CodeStateView.as_view(), name="state"),
    path("codes/<training_row:pk>/extend/", ExtendCodeView.as_view(), name="extend"),
    path("entries/", EntriesView.as_view(), name="entries"),
    path("orders/<training_order:number>/", OrderCreditsView.as_view(), name="order"),
    path(
        "orders/<training_order:number>/refunds/", RefundView.as_view(), name="refunds"
    ),
    path(
        "orders/<training_order:number>/refunds/preview/",
        RefundPreviewView.as_view(),
        name="refund-preview",
    ),
    path("trainings/", TrainingsView.as_view(), name="trainings"),
    path("access/", AccessListView.as_view(), name="access-list"),
    path("access/<training_row:pk>/", AccessView.as_view(), name="access"),
    path(
        "access/<training_row:pk>/extend/",
        ExtendAccessView.as_view(),
        name="extend-access",
    ),
    path("access/<training_row:pk>/end/", EndAccessView.as_view(), name="end-access"),
    path("requests/", RequestsView.as_view(), name="requests"),
    path("requests/<training_row:pk>/", RequestView.as_view(), name="request"),
    path("requests/<training_row:pk>/approve/", ApproveView.as_view(), name="approve"),
    path("requests/<training_row:pk>/decline/", DeclineView.as_view(), name="decline"),
    # Else the site answers with a page.
    re_path(r"^[\s\S]*$", NothingView.as_view()),
]
