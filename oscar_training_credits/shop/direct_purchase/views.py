"""The steps of buying one training product from its page."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)

from ...aliases import Request
from ...credits.models import TrainingProduct
from ...exceptions import PurchaseRefused
from ..basket import answers, refused_codes, typed_codes
from ..basket.views import ReturningView
from ..catalogue.content_links import content_links
from ..catalogue.training import offered_product
from ..order import confirmed
from ..requesters import requester_of
from . import purchase
from .links import login_url_of_box


class DirectPurchaseView(LoginRequiredMixin, ReturningView):
    """A step of buying one training product from its page."""

    anchor = "#training-purchase-next"
    training: TrainingProduct

    def default_url(self) -> str:
        links = content_links([self.training])
        return links.get(self.training.pk) or reverse("training_credits:my-training")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            product = offered_product("partner", training=kwargs.pop("training_id"))
        except ObjectDoesNotExist as unknown:
            raise Http404 from unknown
        self.training = product.training
        return super().dispatch(request, *args, **kwargs)

    def handle_no_permission(self) -> HttpResponseRedirect:
        """Let who was logged out meanwhile log in, and come back to the open box."""
        return HttpResponseRedirect(login_url_of_box(self.page()))

    def post(self, request: Request, **kwargs: Any) -> HttpResponse:
        try:
            text = self.step(request, **kwargs)
        except PurchaseRefused as refused:
            return self.refuse(refused)
        if text:
            answers.put(request, text, accepted=True)
        return self.back()

    def refuse(self, refused: PurchaseRefused) -> HttpResponse:
        answers.put(self.request, str(refused), accepted=False)
        return self.back()

    def step(self, request: Request, **kwargs: Any) -> str:
        """Do it, and return what to say."""
        raise NotImplementedError


@method_decorator(sensitive_post_parameters("code"), name="dispatch")
class ApplyCodeToPurchaseView(DirectPurchaseView):
    takes_code = True

    @sensitive_variables("text")
    def refuse(self, refused: PurchaseRefused) -> HttpResponse:
        refused_codes.remember(self.request, refused.__cause__)
        back = super().refuse(refused)
        if typed_codes.AGAIN not in self.request.POST:
            return back
        text = self.request.POST.get("code", "").strip()
        product = self.training.product
        page = self.page()
        return typed_codes.show_again(
            text, request=self.request, page=page, product=product
        )

    @sensitive_variables("code")
    def step(self, request: Request, **kwargs: Any) -> str:
        code = request.POST.get("code", "").strip()
        purchase.apply(
            code,
            self.training,
            request.user,
            strategy=request.strategy,
            requester=requester_of(request),
        )
        return ""


class RemoveCodeFromPurchaseView(DirectPurchaseView):
    def step(self, request: Request, **kwargs: Any) -> str:
        purchase.remove(kwargs["code_id"], self.training, request.user)
        return _("The code was removed.")


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class ConfirmPurchaseView(DirectPurchaseView):
    """Place the order. It is committed before its mail and receivers can fail."""

    def step(self, request: Request, **kwargs: Any) -> str:
        order = purchase.confirm(
            self.training, request=request, before=confirmed.read(request.POST)
        )
        return purchase.thanks(self.training, order)
