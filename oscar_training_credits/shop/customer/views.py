"""What a learner has, in Oscar's account area."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.generic import TemplateView
from oscar.core.loading import get_class

from ...aliases import Request
from ...credits.access import status
from ...credits.codes.checking import CodeBalance, check_code
from ...credits.codes.refusals import public_text
from ...credits.ledger import credit_requests
from ...credits.ledger.balances import left_after
from ...credits.models import Redemption
from ...exceptions import CreditCodeRefused
from ..catalogue.content_links import content_links
from ..order.places_bought import places_bought
from ..requesters import requester_of

PageTitleMixin: Any = get_class("customer.mixins", "PageTitleMixin")
MOST_REQUESTS = 20
"""How many of a learner's latest requests for credits are listed."""
MOST_PURCHASES = 20
"""How many of a learner's latest purchases with credits are listed."""


@method_decorator(never_cache, name="dispatch")
class MyTrainingView(LoginRequiredMixin, PageTitleMixin, TemplateView):
    """What a learner has access to: since when, until when, and where."""

    template_name = "training_credits/my_training.html"
    page_title = gettext_lazy("My training")
    active_tab = "training"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        holdings = status.holdings(self.request.user)
        links = content_links(holdings)
        # What was bought to begin later may be open by a plan or a path meanwhile.
        by_any = status.access_statuses(self.request.user, holdings)
        rows = [
            {
                "title": training.product.get_title(),
                "access_status": by_any.get(training.pk, access_status),
                "link": self.elsewhere(links.get(training.pk)),
            }
            for training, access_status in holdings.items()
        ]
        rows.sort(key=lambda row: (not row["access_status"].has_access, row["title"]))
        groups = places_bought(self.request)
        waiting = status.ordered(self.request.user)
        return super().get_context_data(
            rows=rows,
            groups=groups,
            waiting=waiting,
            purchases=_purchases(self.request.user),
            requests=credit_requests.requests_of(self.request.user)[:MOST_REQUESTS],
            **kwargs,
        )

    def elsewhere(self, link: str | None) -> str | None:
        """Return a link, unless it leads to this page: what is off sale has no page."""
        return None if link == self.request.path else link


def _purchases(learner: Any) -> list[tuple[Redemption, CodeBalance]]:
    """Return what a learner paid with codes, and what that left, the latest first."""
    paid = Redemption.objects.filter(
        learner=learner, state=Redemption.State.CAPTURED, order__isnull=False
    )
    latest = list(paid.select_related("code", "order").order_by("-pk")[:MOST_PURCHASES])
    return list(zip(latest, left_after(latest), strict=True)) if latest else []


@method_decorator([never_cache, sensitive_post_parameters("code")], name="dispatch")
class CheckCodeView(LoginRequiredMixin, PageTitleMixin, TemplateView):
    """What a code has for a learner. The answer is in the page that is sent, alone."""

    template_name = "training_credits/check_code.html"
    page_title = gettext_lazy("Check a code")
    active_tab = "training"
    takes_code = True

    @sensitive_variables("text")
    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        text = request.POST.get("code", "").strip()
        try:
            balance = check_code(
                text, learner=request.user, requester=requester_of(request)
            )
        except CreditCodeRefused as refused:
            answer: dict[str, Any] = {"refusal": public_text(refused.refusal)}
        else:
            answer = {"balance": balance}
        return self.render_to_response(self.get_context_data(**answer))
