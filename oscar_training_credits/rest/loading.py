"""Our mixins on top of django-oscar-api's classes, or of a site's own.

django-oscar-api takes a class from the first of `OSCARAPI_OVERRIDE_MODULES` that has
it. The modules beside this one have the classes that we extend; each is based on what
would have been taken without us.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from itertools import dropwhile
from typing import Any

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from ..shop.loading import with_mixin

OURS = "oscar_training_credits.rest"

MIXINS = {
    ("serializers.basket", "BasketLineSerializer"): "basket.BasketLineSerializerMixin",
    ("serializers.basket", "BasketSerializer"): "basket.BasketSerializerMixin",
    ("serializers.checkout", "CheckoutSerializer"): "checkout.CheckoutSerializerMixin",
    ("serializers.checkout", "OrderLineSerializer"): "orders.OrderLineSerializerMixin",
    ("serializers.checkout", "OrderSerializer"): "orders.OrderSerializerMixin",
    ("serializers.checkout", "PriceSerializer"): "orders.PriceSerializerMixin",
    ("views.basket", "AddVoucherView"): "basket.AddVoucherViewMixin",
    ("views.checkout", "CheckoutView"): "checkout.CheckoutViewMixin",
    ("views.login", "LoginView"): "basket.LoginViewMixin",
}
"""Our mixins, by the class of django-oscar-api that they extend."""


def extended(module_label: str, name: str) -> Any:
    """Return the class as the site has it without us, with our mixin on top."""
    mixin = import_string(f"{OURS}.{MIXINS[module_label, name]}")
    return with_mixin(next_class(module_label, name), mixin)


def next_class(module_label: str, name: str) -> type:
    """Return the class of the modules named after us, or of django-oscar-api."""
    named = getattr(django_settings, "OSCARAPI_OVERRIDE_MODULES", [])
    after_us = list(dropwhile(lambda module: module != OURS, named))[1:]
    for package in (*after_us, "oscarapi"):
        module = f"{package}.{module_label}"
        if has_module(module) and hasattr(import_module(module), name):
            found: type = getattr(import_module(module), name)
            return found
    raise ImportError(f"django-oscar-api has no {module_label}.{name}.")


def has_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
