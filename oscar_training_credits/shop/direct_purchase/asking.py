"""Asking for credits that a purchase lacks, and using those that were given."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.generic import FormView, View

from ...aliases import Basket, Request
from ...credits.codes import applying, history
from ...credits.codes.refusals import public_text
from ...credits.codes.rules import Purchase, first_refusal
from ...credits.isolation import own_transaction
from ...credits.ledger import credit_requests
from ...credits.models import CreditCode, CreditRequest, TrainingProduct
from ...credits.models.requests import LONGEST_NOTE
from ...credits.patience import PatientMixin
from ...exceptions import NotAsked, PurchaseRefused, RequestDecided
from ..basket import refused_codes
from ..basket.quotes import codes_of, quote_of
from ..catalogue.content_links import content_links
from ..catalogue.training import training_of
from ..communication import requests
from . import purchase
from .links import ANCHOR, OPEN

MY_TRAINING = "training_credits:my-training"


def address_to_ask(
    request: Request, codes: list[CreditCode], training: TrainingProduct | None = None
) -> str:
    """Return where a learner asks for credits; empty where nobody would answer.

    `codes` are on the basket. No query where the site names an address.
    """
    if not request.user.is_authenticated:
        return ""
    if not requests.can_be_asked(None) and not code_to_ask(request, codes):
        return ""
    if training is None:
        return reverse("training_credits:ask")
    return reverse("training_credits:ask-for", args=[training.pk])


def code_to_ask(request: Request, codes: list[CreditCode]) -> CreditCode | None:
    """Return whose managers are asked: of these codes, or of the one refused last."""
    refused = refused_codes.last_refused(request)
    known = [*codes, *([refused] if refused else [])]
    managed = (code for code in known if credit_requests.has_manager(code))
    return next(managed, None)


class AskForm(forms.Form):
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Optional: for whoever decides."),
    )


@method_decorator(never_cache, name="dispatch")
class AskView(LoginRequiredMixin, PatientMixin, FormView):  # type: ignore[type-arg]
    """A learner asks for the credits of one training product, or of the basket."""

    request: Request
    template_name = "training_credits/ask_for_credits.html"
    form_class = AskForm

    def dispatch(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        known = request.user.is_authenticated
        if known and not (self.wanted and self.can_be_asked()):
            text = _("There is nothing here to ask for: open the page anew.")
            messages.info(request, text)
            return HttpResponseRedirect(self.page())
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def training(self) -> TrainingProduct | None:
        if (pk := self.kwargs.get("training_id")) is None:
            return None
        known = TrainingProduct.objects.select_related("product__parent")
        return get_object_or_404(known, pk=pk)

    @cached_property
    def basket(self) -> Any:
        if self.training is None:
            return self.request.basket
        return purchase.open_basket(self.training, self.request.user)

    @cached_property
    def wanted(self) -> dict[TrainingProduct, int]:
        """What is to be bought, by what is lacking in the basket."""
        if self.training is not None:
            return {self.training: 1} if self.training.credits else {}
        short = {key for key, _missing in quote_of(self.basket).shortfalls}
        found: dict[TrainingProduct, int] = {}
        for line in self.basket.all_lines() if short else ():
            if line.pk in short and (training := training_of(line.product)):
                found[training] = found.get(training, 0) + line.quantity
        return found

    @cached_property
    def code(self) -> CreditCode | None:
        codes = [] if self.basket is None else codes_of(self.basket)
        return code_to_ask(self.request, codes)

    def can_be_asked(self) -> bool:
        return bool(self.code) or requests.can_be_asked(None)

    def page(self) -> str:
        """Return where the learner comes from."""
        if self.training is None:
            return reverse("basket:summary")
        links = content_links([self.training])
        return links.get(self.training.pk) or reverse(MY_TRAINING)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        lines = [
            (training.product.get_title(), number)
            for training, number in self.wanted.items()
        ]
        credits = sum((each.credits or 0) * n for each, n in self.wanted.items())
        return super().get_context_data(
            lines=lines, credits=credits, code=self.code, page=self.page(), **kwargs
        )

    def form_valid(self, form: Any) -> HttpResponse:
        note = form.cleaned_data["note"]
        try:
            _asked, is_new = requests.ask(
                self.request.user,
                self.wanted,
                code=self.code,
                note=note,
                in_basket=self.training is None,
            )
        except NotAsked as refused:
            form.add_error(None, str(refused))
            return self.form_invalid(form)
        text = _("Your request is sent. You get a mail when it is answered.")
        if not is_new:
            text = _("You have asked for this already, and it is not answered yet.")
        messages.success(self.request, text)
        return redirect(MY_TRAINING)


class OwnRequestView(LoginRequiredMixin, PatientMixin, View):
    """Something about a request of the learner's own; others are told there is none."""

    request: Request

    @cached_property
    def asked(self) -> CreditRequest:
        own = CreditRequest.objects.filter(learner=self.request.user.pk)
        return get_object_or_404(
            credit_requests.with_content(own), pk=self.kwargs["pk"]
        )


class WithdrawRequestView(OwnRequestView):
    http_method_names = ["post"]

    def post(self, request: Request, **kwargs: Any) -> HttpResponse:
        try:
            credit_requests.withdraw(self.asked)
        except RequestDecided:
            messages.info(request, _("It has been answered meanwhile."))
        else:
            messages.success(request, _("Your request is withdrawn."))
        return redirect(MY_TRAINING)


@method_decorator(never_cache, name="dispatch")
class UseRequestView(OwnRequestView):
    """Puts the code that a request was given on the purchase it was for.

    Nothing is spent: the learner is led to the page that asks to confirm. A link in a
    mail leads here, so that it is no post; opened twice, it does nothing more.
    """

    http_method_names = ["get"]

    def get(self, request: Request, **kwargs: Any) -> HttpResponse:
        child = self.asked.child
        if child is None:
            return self.leave(_("This request has no credits to use."))
        if refusal := first_refusal(child, Purchase(request.user)):
            return self.leave(public_text(refusal))
        if not (lines := list(self.asked.lines.all())):
            return self.leave(_("This can't be bought here at the moment."))
        training = lines[0].training
        if self.asked.in_basket or not purchase.is_bought_directly(training):
            return self.in_basket(lines, child)
        return self.on_its_page(training, child)

    def on_its_page(self, training: TrainingProduct, child: CreditCode) -> HttpResponse:
        user, strategy = self.request.user, self.request.strategy
        try:
            basket = purchase.begin(training, user, strategy=strategy)
        except PurchaseRefused as refused:
            return self.leave(str(refused))
        put_on(child, basket)
        page = content_links([training]).get(training.pk)
        if not page:
            return self.leave(_("This can't be bought here at the moment."))
        mark = "&" if "?" in page else "?"
        return HttpResponseRedirect(f"{page}{mark}{OPEN}=open{ANCHOR}")

    def in_basket(self, lines: list[Any], child: CreditCode) -> HttpResponse:
        basket = self.request.basket
        there = {line.product_id for line in basket.all_lines()}
        for line in lines:
            product = line.training.product
            if product.pk in there:
                continue
            if purchase.asks_options(product):
                return self.leave(purchase.choose_options())
            info = basket.strategy.fetch_for_product(product)
            allowed, reason = info.availability.is_purchase_permitted(line.quantity)
            if not allowed:
                return self.leave(str(reason))
            basket.add_product(product, line.quantity)
        put_on(child, basket)
        basket.reset_offer_applications()
        return redirect("basket:summary")

    def leave(self, text: str) -> HttpResponse:
        messages.info(self.request, text)
        return redirect(MY_TRAINING)


@own_transaction()
def put_on(child: CreditCode, basket: Basket) -> None:
    """Apply a code that was cut for the owner of `basket`. Safe to repeat."""
    applying.put_on(history.lock(child), basket=basket)
