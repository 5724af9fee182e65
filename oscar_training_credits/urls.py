from django.urls import path

from . import converters  # noqa: F401
from .shop.basket import views as basket_views
from .shop.checkout import under_way
from .shop.customer import (
    credits_children,
    credits_limits,
    credits_notices,
    credits_statement,
    credits_views,
    hand_out,
    place_views,
    request_views,
    views,
)
from .shop.dashboard.access import views as access_views
from .shop.dashboard.api_tokens import views as api_token_views
from .shop.dashboard.codes import changes as code_changes
from .shop.dashboard.codes import explaining as code_explaining
from .shop.dashboard.codes import handing_out as code_handing_out
from .shop.dashboard.codes import jobs as code_jobs
from .shop.dashboard.codes import outlook as code_outlook
from .shop.dashboard.codes import overview as code_overview
from .shop.dashboard.codes import roll_forward as code_roll_forward
from .shop.dashboard.codes import turned_away as code_turned_away
from .shop.dashboard.codes import usage as code_usage
from .shop.dashboard.codes import views as code_views
from .shop.dashboard.deliveries import views as deliveries_views
from .shop.dashboard.requests import views as requests_views
from .shop.dashboard.webhooks import views as webhook_views
from .shop.direct_purchase import asking
from .shop.direct_purchase import views as direct_purchase_views

app_name = "training_credits"

urlpatterns = [
    path("", views.MyTrainingView.as_view(), name="my-training"),
    path(
        "orders/<training_row:basket_id>/",
        under_way.OrderUnderWayView.as_view(),
        name="under-way",
    ),
    path("codes/", basket_views.EnterCodeView.as_view(), name="enter-code"),
    path("codes/check/", views.CheckCodeView.as_view(), name="check-code"),
    path("codes/apply/", basket_views.ApplyCodeView.as_view(), name="apply"),
    path(
        "codes/<training_row:code_id>/remove/",
        basket_views.RemoveCodeView.as_view(),
        name="remove",
    ),
    path(
        "lines/<training_row:line_id>/",
        basket_views.PayLineView.as_view(),
        name="pay-line",
    ),
    path("requests/new/", asking.AskView.as_view(), name="ask"),
    path(
        "<training_row:training_id>/ask/",
        asking.AskView.as_view(),
        name="ask-for",
    ),
    path(
        "requests/<training_row:pk>/use/",
        asking.UseRequestView.as_view(),
        name="use-request",
    ),
    path(
        "requests/<training_row:pk>/withdraw/",
        asking.WithdrawRequestView.as_view(),
        name="withdraw-request",
    ),
    path(
        "credits/requests/",
        request_views.RequestsView.as_view(),
        name="my-requests",
    ),
    path(
        "credits/requests/<training_row:pk>/",
        request_views.RequestView.as_view(),
        name="my-request",
    ),
    path("claim/<str:text>/", place_views.ClaimView.as_view(), name="claim"),
    path(
        "places/<training_row:place_id>/revoke/",
        place_views.RevokeLinkView.as_view(),
        name="revoke-link",
    ),
    path(
        "places/<training_row:place_id>/hand-out/",
        hand_out.HandOutView.as_view(),
        name="hand-out",
    ),
    path(
        "places/<training_row:place_id>/take/",
        place_views.TakePlaceView.as_view(),
        name="take-place",
    ),
    path("credits/", credits_views.MyCreditsView.as_view(), name="my-credits"),
    path("credits/used/", credits_views.UsesView.as_view(), name="my-credits-used"),
    path(
        "credits/<training_row:pk>/",
        credits_views.ManagedCodeView.as_view(),
        name="my-code",
    ),
    path(
        "credits/<training_row:pk>/text/",
        credits_views.ManagedTextView.as_view(),
        name="my-code-text",
    ),
    path(
        "credits/<training_row:pk>/team/",
        credits_views.TeamTextView.as_view(),
        name="my-code-team",
    ),
    path(
        "credits/<training_row:pk>/new-text/",
        credits_views.RotateManagedView.as_view(),
        name="my-code-rotate",
    ),
    path(
        "credits/<training_row:pk>/pause/",
        credits_views.PauseManagedView.as_view(),
        name="my-code-pause",
    ),
    path(
        "credits/invitations/<str:text>/",
        credits_views.InvitedView.as_view(),
        name="manager-invited",
    ),
    path(
        "credits/<training_row:pk>/managers/",
        credits_views.ManagersView.as_view(),
        name="my-code-managers",
    ),
    path(
        "credits/<training_row:pk>/top-up/",
        credits_views.TopUpManagedView.as_view(),
        name="my-code-top-up",
    ),
    path(
        "credits/<training_row:pk>/statement/",
        credits_statement.StatementView.as_view(),
        name="my-code-statement",
    ),
    path(
        "credits/<training_row:pk>/limits/",
        credits_limits.LimitManagedView.as_view(),
        name="my-code-limits",
    ),
    path(
        "credits/<training_row:pk>/notices/",
        credits_notices.NoticesManagedView.as_view(),
        name="my-code-notices",
    ),
    path(
        "credits/<training_row:pk>/cut/",
        credits_children.CutManagedView.as_view(),
        name="my-code-cut",
    ),
    path(
        "credits/<training_row:pk>/children/<training_row:child>/text/",
        credits_children.ChildTextView.as_view(),
        name="my-code-child-text",
    ),
    path(
        "credits/<training_row:pk>/children/<training_row:child>/take-back/",
        credits_children.TakeBackManagedView.as_view(),
        name="my-code-child-back",
    ),
    path(
        "<training_row:training_id>/apply/",
        direct_purchase_views.ApplyCodeToPurchaseView.as_view(),
        name="purchase-apply",
    ),
    path(
        "<training_row:training_id>/codes/<training_row:code_id>/remove/",
        direct_purchase_views.RemoveCodeFromPurchaseView.as_view(),
        name="purchase-remove",
    ),
    path(
        "<training_row:training_id>/confirm/",
        direct_purchase_views.ConfirmPurchaseView.as_view(),
        name="purchase-confirm",
    ),
    path(
        "dashboard/access/",
        access_views.AccessListView.as_view(),
        name="access-list",
    ),
    path(
        "dashboard/access/give/",
        access_views.GiveAccessView.as_view(),
        name="access-give",
    ),
    path(
        "dashboard/access/<training_row:pk>/",
        access_views.AccessDetailView.as_view(),
        name="access-detail",
    ),
    path(
        "dashboard/access/<training_row:pk>/extend/",
        access_views.ExtendAccessView.as_view(),
        name="access-extend",
    ),
    path(
        "dashboard/access/<training_row:pk>/end/",
        access_views.EndAccessView.as_view(),
        name="access-end",
    ),
    path(
        "dashboard/codes/",
        code_views.CodeListView.as_view(),
        name="code-list",
    ),
    path(
        "dashboard/codes/find/",
        code_views.FindCodeView.as_view(),
        name="code-find",
    ),
    path(
        "dashboard/codes/export/",
        code_views.ExportCodesView.as_view(),
        name="code-export",
    ),
    path(
        "dashboard/codes/new/",
        code_views.CreateCodeView.as_view(),
        name="code-create",
    ),
    path(
        "dashboard/codes/state/",
        code_changes.BulkStateView.as_view(),
        name="codes-state",
    ),
    path(
        "dashboard/codes/extend/",
        code_changes.BulkExtendView.as_view(),
        name="codes-extend-several",
    ),
    path(
        "dashboard/codes/outstanding/",
        code_roll_forward.RollForwardView.as_view(),
        name="code-outstanding",
    ),
    *[
        path(f"dashboard/codes/{address}", view.as_view(), name=name)
        for address, name, view in code_jobs.PAGES
    ],
    path(
        "dashboard/codes/outlook/",
        code_outlook.OutlookView.as_view(),
        name="code-outlook",
    ),
    path(
        "dashboard/codes/overview/",
        code_overview.OverviewView.as_view(),
        name="code-overview",
    ),
    path(
        "dashboard/codes/turned-away/",
        code_turned_away.TurnedAwayView.as_view(),
        name="code-turned-away",
    ),
    path(
        "dashboard/codes/use/",
        code_usage.UseView.as_view(),
        name="code-use",
    ),
    path(
        "dashboard/codes/<training_row:pk>/",
        code_views.CodeDetailView.as_view(),
        name="code-detail",
    ),
    path(
        "dashboard/codes/<training_row:pk>/text/",
        code_handing_out.CodeTextView.as_view(),
        name="code-text",
    ),
    path(
        "dashboard/codes/<training_row:pk>/explain/",
        code_explaining.ExplainCodeView.as_view(),
        name="code-explain",
    ),
    *[
        path(
            f"dashboard/codes/<training_row:pk>/{name}/",
            view.as_view(),
            name=f"code-{name}",
        )
        for name, view in code_changes.ACTIONS.items()
    ],
    path(
        "dashboard/requests/",
        requests_views.RequestListView.as_view(),
        name="request-list",
    ),
    path(
        "dashboard/requests/<training_row:pk>/",
        requests_views.RequestDetailView.as_view(),
        name="request-detail",
    ),
    path(
        "dashboard/deliveries/",
        deliveries_views.DeliveryListView.as_view(),
        name="delivery-list",
    ),
    path(
        "dashboard/deliveries/try-again/",
        deliveries_views.TryAgainView.as_view(),
        name="delivery-try-again",
    ),
    path(
        "dashboard/api-tokens/",
        api_token_views.TokenListView.as_view(),
        name="api-token-list",
    ),
    path(
        "dashboard/api-tokens/new/",
        api_token_views.CreateTokenView.as_view(),
        name="api-token-create",
    ),
    path(
        "dashboard/api-tokens/<training_row:pk>/",
        api_token_views.TokenView.as_view(),
        name="api-token",
    ),
    path(
        "dashboard/api-tokens/<training_row:pk>/revoke/",
        api_token_views.RevokeTokenView.as_view(),
        name="api-token-revoke",
    ),
    path(
        "dashboard/webhooks/",
        webhook_views.WebhookListView.as_view(),
        name="webhook-list",
    ),
    path(
        "dashboard/webhooks/new/",
        webhook_views.CreateWebhookView.as_view(),
        name="webhook-create",
    ),
    path(
        "dashboard/webhooks/<training_row:pk>/",
        webhook_views.WebhookView.as_view(),
        name="webhook",
    ),
    path(
        "dashboard/webhooks/<training_row:pk>/edit/",
        webhook_views.EditWebhookView.as_view(),
        name="webhook-edit",
    ),
    path(
        "dashboard/webhooks/<training_row:pk>/switch/",
        webhook_views.SwitchWebhookView.as_view(),
        name="webhook-switch",
    ),
    path(
        "dashboard/webhooks/<training_row:pk>/rotate/",
        webhook_views.RotateSecretView.as_view(),
        name="webhook-rotate",
    ),
    path(
        "dashboard/webhooks/<training_row:pk>/try/",
        webhook_views.TryWebhookView.as_view(),
        name="webhook-try",
    ),
    path(
        "dashboard/webhooks/<training_row:pk>/replay/",
        webhook_views.ReplayWebhookView.as_view(),
        name="webhook-replay",
    ),
    path(
        "dashboard/webhooks/<training_row:pk>/delete/",
        webhook_views.DeleteWebhookView.as_view(),
        name="webhook-delete",
    ),
]
