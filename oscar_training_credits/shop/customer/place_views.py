"""The link that claims a place, and what its buyer can do with it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.generic import TemplateView

from ...aliases import Request
from ...credits.access import buying_again, places
from ...credits.access.places import ClaimReason, Offer
from ...credits.models import Place
from ...credits.patience import PatientMixin, nothing_taken
from ...exceptions import PlaceRefused
from ..basket.views import ReturningView
from ..catalogue.content_links import content_links
from ..login import login_url


class PlaceView(LoginRequiredMixin, ReturningView):
    """What a buyer does with one of their places."""

    default_name = "training_credits:my-training"
    place: Place

    @property
    def anchor(self) -> str:  # type: ignore[override]
        return f"#places-{self.place.order_line_id}"

    def post(self, request: Request, place_id: int) -> HttpResponse:
        own = Place.objects.filter(order_line__order__user=request.user)
        self.place = get_object_or_404(own.select_related("order_line"), pk=place_id)
        self.act()
        return self.back()

    def act(self) -> None:
        raise NotImplementedError

    def say_nothing_done(self) -> HttpResponse:
        messages.error(self.request, nothing_taken())
        return HttpResponseRedirect(self.page())


class RevokeLinkView(PlaceView):
    """Make a place's link worthless, for a new one. A second click changes nothing."""

    def act(self) -> None:
        is_shown = self.request.POST.get("salt") == self.place.salt
        numbered = {"number": self.place.number}
        if is_shown and places.renew_link(self.place):
            text = _("The old link of place %(number)s is revoked. It has a new one.")
            messages.success(self.request, text % numbered)
        else:
            text = _("Place %(number)s has changed meanwhile. Nothing was revoked.")
            messages.info(self.request, text % numbered)


class TakePlaceView(PlaceView):
    """Let the buyer have one of the places."""

    def act(self) -> None:
        try:
            places.claim(self.place, self.request.user)
        except PlaceRefused as refused:
            messages.error(self.request, refusal_text(refused.reason, self.place))
        else:
            text = _("You have taken a place. You have access to %(title)s.")
            title = self.place.order_line.title
            messages.success(self.request, text % {"title": title})


@method_decorator(never_cache, name="dispatch")
class ClaimView(PatientMixin, TemplateView):
    """What a place's link leads to: what it gives, and a button to accept it.

    Looking at it claims nothing, so that programs which follow links do no harm.
    """

    template_name = "training_credits/claim.html"
    takes_code = True
    secrets_in_address = ("text",)
    request: Request

    @method_decorator(sensitive_variables())
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        salt = places.salt_of(kwargs["text"])
        self.is_genuine = salt is not None
        self.place = places.place_with(salt) if salt else None
        response = super().dispatch(request, *args, **kwargs)
        # The address is the secret. With `no-referrer` browsers would hide the origin
        # of the form's post, which Django's CSRF protection looks at.
        response["Referrer-Policy"] = "strict-origin"
        response["X-Robots-Tag"] = "noindex"
        return response

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        context = self.get_context_data(**kwargs)
        status = 200 if self.is_genuine else 404
        return self.render_to_response(context, status=status)

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return HttpResponseRedirect(login_url(request.path))
        if self.place:
            # If it is refused, the page says why, as to anybody who looks at it now.
            with suppress(PlaceRefused):
                places.claim(self.place, request.user)
        return HttpResponseRedirect(request.path)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        if self.place is None:
            return {**context, "refusal": _text_without_place(self.is_genuine)}
        offer = places.offer_to(self.request.user, self.place)
        return {**context, **_offer_context(offer), "login_url": self.login_url()}

    def login_url(self) -> str:
        return login_url(self.request.path)


def refusal_text(reason: ClaimReason, place: Place | None = None) -> str:
    """Return what somebody is told who can't claim a place."""
    match reason:
        case ClaimReason.REVOKED:
            return _(
                "This link has been revoked. Ask whoever sent it to you for a new one."
            )
        case ClaimReason.REFUNDED:
            return _("This place was given back to the shop, so nobody can have it.")
        case ClaimReason.CLAIMED:
            return _(
                "Somebody has accepted this place already. Ask whoever sent you the"
                " link for another one."
            )
        case ClaimReason.EXPIRED if place and place.training.is_over:
            return buying_again.over_text(place.training)
        case ClaimReason.EXPIRED:
            return _("The time in which this place could be used is over.")
        case ClaimReason.HAS_PLACE:
            return _(
                "You have accepted a place of this order already. This one stays free"
                " for somebody else."
            )
        case ClaimReason.HAS_ACCESS:
            return _(
                "You have this already, and would gain nothing. The place stays free"
                " for somebody else."
            )


def _text_without_place(is_genuine: bool) -> str:
    if is_genuine:
        return refusal_text(ClaimReason.REVOKED)
    return _("This link is not complete. Copy all of it, from the first letter on.")


def _offer_context(offer: Offer) -> dict[str, Any]:
    training = offer.place.training
    refusal = refusal_text(offer.reason, offer.place) if offer.reason else ""
    has_content = offer.access_status.has_access
    return {
        "offer": offer,
        "title": training.product.get_title(),
        "refusal": refusal,
        "link": content_links([training]).get(training.pk) if has_content else None,
    }
