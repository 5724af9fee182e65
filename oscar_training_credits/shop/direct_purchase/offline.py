"""Placing an order without a request: by a script, or for who stands at a counter."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings as django_settings
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from oscar.core.loading import get_class

from ...aliases import Basket, Order, Request
from .placement import DirectPlacement


class OfflinePlacement(DirectPlacement):
    """Places an order for the owner of a basket, whoever asks for it."""

    def __init__(self, basket: Basket) -> None:
        super().__init__(request_of(basket))

    def handle_successful_order(self, order: Order) -> HttpResponseRedirect:
        """Send mail and signal once the caller's transaction, if any, is committed."""
        send = super().handle_successful_order
        # No `partial`: Django could not name it where it fails.
        transaction.on_commit(lambda: send(order), robust=True)
        return HttpResponseRedirect(self.get_success_url())


def request_of(basket: Basket) -> HttpRequest:
    """Return what Oscar hands on to mails and receivers where there is no request.

    Its user is the owner of `basket`; its session is never saved.
    """
    request: Request = HttpRequest()
    request.user = basket.owner
    request.basket, request.strategy = basket, basket.strategy
    request.session = import_module(django_settings.SESSION_ENGINE).SessionStore()
    return request


def strategy_for(learner: Any) -> Any:
    """Return the site's strategy for `learner`, without a request."""
    strategy = get_class("partner.strategy", "Selector")().strategy(user=learner)
    # Oscar's strategies know nobody but whom they find in a request.
    strategy.user = learner
    return strategy
