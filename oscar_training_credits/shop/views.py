"""The views behind the code boxes. All change something, so all are posts."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.generic import TemplateView, View
from oscar.core.loading import get_class, get_model

from ..credits import access
from ..credits.applying import remove_code
from ..credits.models import MoneyChoice, TrainingProduct
from ..exceptions import PurchaseRefused
from . import boxes, express, flash, kinds, shown, unfinished
from .askers import asker_of
from .content import content_links
from .orders import placed_order
from .places_bought import places_bought
from .quotes import is_frozen

PageTitleMixin: Any = get_class("customer.mixins", "PageTitleMixin")


class ReturningView(View):
    """A post that goes back to where it came from, at the box.

    The address ends with the control that comes next: a browser moves the focus there,
    also without JavaScript.
    """

    http_method_names = ["post"]
    request: Any
    default_name = "basket:summary"
    anchor = "#credit-code-next"

    def back(self) -> HttpResponseRedirect:
        return HttpResponseRedirect(self.page() + self.anchor)

    def page(self) -> str:
        """Return the address of the page with the box, on this site."""
        address = self.request.POST.get("next", "")
        allowed = url_has_allowed_host_and_scheme(
            address, self.request.get_host(), self.request.is_secure()
        )
        return str(address if allowed else self.default_address()).partition("#")[0]

    def default_address(self) -> str:
        return reverse(self.default_name)


@method_decorator(sensitive_post_parameters("code"), name="dispatch")
class ApplyCodeView(ReturningView):
    """Apply a code of any kind to the shopping basket."""

    def post(self, request: Any) -> HttpResponse:
        if request.basket.pk:
            kinds.take_code(request.POST.get("code", "").strip(), request=request)
        return self.back()


class RemoveCodeView(ReturningView):
    """Take a credit code off the shopping basket."""

    def post(self, request: Any, code_id: int) -> HttpResponse:
        if request.basket.pk and remove_code(code_id, basket=request.basket):
            flash.put(request, _("The code was removed."), accepted=True)
        return self.back()


class SettleLineView(ReturningView):
    """Pay a basket line with money although credits could, or with credits again."""

    def post(self, request: Any, line_id: int) -> HttpResponse:
        if not request.basket.pk:
            return self.back()
        line = get_object_or_404(request.basket.lines, pk=line_id)
        if request.POST.get("with") == "money":
            MoneyChoice.objects.get_or_create(line=line)
        else:
            MoneyChoice.objects.filter(line=line).delete()
        return self.back()


class OrderUnderWayView(LoginRequiredMixin, TemplateView):
    """Waits for an order that another click is placing, and shows it.

    Where that takes too long, the click has failed, or its payment was left: then the
    learner can have the basket back.
    """

    template_name = "training_credits/order_under_way.html"

    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        basket = self.own_basket()
        return self.after_waiting(basket) or super().get(
            request,
            order_number=express.Placement(request).generate_order_number(basket),
            is_over=unfinished.has_taken_too_long(request.GET.get("since", "")),
        )

    def post(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        basket = self.own_basket()
        if unfinished.has_taken_too_long(request.GET.get("since", "")):
            express.Placement(request).reopen_basket(basket)
            basket.refresh_from_db()
        address = unfinished.waiting_address(basket)
        return self.after_waiting(basket) or HttpResponseRedirect(address)

    def own_basket(self) -> Any:
        Basket = get_model("basket", "Basket")
        # A purchase on a course page has a basket that is always frozen.
        own = Basket._default_manager.filter(
            owner=self.request.user, express_purchase=None
        )
        return get_object_or_404(own, pk=self.kwargs["basket_id"])

    def after_waiting(self, basket: Any) -> HttpResponse | None:
        """Return where to go on, if there is nothing to wait for."""
        if order := placed_order(basket):
            return express.Placement(self.request).show_order(order)
        if not is_frozen(basket):
            return HttpResponseRedirect(reverse("checkout:preview"))
        return None


class ExpressView(LoginRequiredMixin, ReturningView):
    """A step of buying one training product from its page."""

    anchor = "#training-purchase-next"
    training: TrainingProduct

    def default_address(self) -> str:
        links = content_links([self.training])
        return links.get(self.training.pk) or reverse("training_credits:my-training")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        trainings = TrainingProduct.objects.select_related("product")
        self.training = get_object_or_404(trainings, pk=kwargs.pop("training_id"))
        return super().dispatch(request, *args, **kwargs)

    def handle_no_permission(self) -> HttpResponseRedirect:
        """Let who was logged out meanwhile log in, and come back to the open box."""
        return HttpResponseRedirect(boxes.login_url(self.page()))

    def post(self, request: Any, **kwargs: Any) -> HttpResponse:
        try:
            text = self.step(request, **kwargs)
        except PurchaseRefused as refused:
            flash.put(request, str(refused), accepted=False)
        else:
            if text:
                flash.put(request, text, accepted=True)
        return self.back()

    def step(self, request: Any, **kwargs: Any) -> str:
        """Do it, and return what to say."""
        raise NotImplementedError


@method_decorator(sensitive_post_parameters("code"), name="dispatch")
class ExpressApplyView(ExpressView):
    @sensitive_variables("code")
    def step(self, request: Any, **kwargs: Any) -> str:
        code = request.POST.get("code", "").strip()
        return express.apply(
            code,
            self.training,
            request.user,
            strategy=request.strategy,
            asker=asker_of(request),
        )


class ExpressRemoveView(ExpressView):
    def step(self, request: Any, **kwargs: Any) -> str:
        express.remove(kwargs["code_id"], self.training, request.user)
        return _("The code was removed.")


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class ExpressConfirmView(ExpressView):
    """Place the order. It is committed before its mail and receivers can fail."""

    def step(self, request: Any, **kwargs: Any) -> str:
        order = express.confirm(
            self.training, request=request, before=shown.read(request.POST)
        )
        return express.thanks(self.training, order)


class MyTrainingView(LoginRequiredMixin, PageTitleMixin, TemplateView):
    """What a learner has access to: since when, until when, and where."""

    template_name = "training_credits/my_training.html"
    page_title = gettext_lazy("My training")
    active_tab = "training"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        holdings = access.holdings(self.request.user)
        links = content_links(holdings)
        # What was bought to begin later may be open by a plan or a path meanwhile.
        by_any = access.standings(self.request.user, holdings)
        rows = [
            {
                "title": training.product.get_title(),
                "standing": by_any.get(training.pk, standing),
                "link": self.elsewhere(links.get(training.pk)),
            }
            for training, standing in holdings.items()
        ]
        rows.sort(key=lambda row: (not row["standing"].has_access, row["title"]))
        groups = places_bought(self.request)
        return super().get_context_data(rows=rows, groups=groups, **kwargs)

    def elsewhere(self, link: str | None) -> str | None:
        """Return a link, unless it leads to this page: what is off sale has no page."""
        return None if link == self.request.path else link
