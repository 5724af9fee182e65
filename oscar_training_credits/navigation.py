"""The entries for Oscar's dashboard navigation, to be added in a site's settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import NoReverseMatch, resolve, reverse
from django.utils.translation import gettext_lazy as _


def may_open(
    user: Any,
    url_name: str,
    url_args: Sequence[Any] | None = None,
    url_kwargs: dict[str, Any] | None = None,
) -> bool:
    """Tell whether `user` may open one of our pages: as the page itself decides."""
    try:
        address = reverse(url_name, args=url_args, kwargs=url_kwargs)
    except NoReverseMatch:
        return False
    view: Any = resolve(address).func
    return bool(view.view_class.is_open_to(user))


TRAINING = {
    "label": _("Training"),
    "icon": "fas fa-graduation-cap",
    "children": [
        {
            "label": _("Credit codes"),
            "url_name": "training_credits:code-list",
            "access_fn": may_open,
        },
        {
            "label": _("Overview"),
            "url_name": "training_credits:code-overview",
            "access_fn": may_open,
        },
        {
            "label": _("Outstanding balance"),
            "url_name": "training_credits:code-outstanding",
            "access_fn": may_open,
        },
        {
            "label": _("Usage"),
            "url_name": "training_credits:code-use",
            "access_fn": may_open,
        },
        {
            "label": _("Outlook"),
            "url_name": "training_credits:code-outlook",
            "access_fn": may_open,
        },
        {
            "label": _("Turned away"),
            "url_name": "training_credits:code-turned-away",
            "access_fn": may_open,
        },
        {
            "label": _("Training access"),
            "url_name": "training_credits:access-list",
            "access_fn": may_open,
        },
        {
            "label": _("Requests"),
            "url_name": "training_credits:request-list",
            "access_fn": may_open,
        },
        {
            "label": _("Deliveries"),
            "url_name": "training_credits:delivery-list",
            "access_fn": may_open,
        },
        {
            "label": _("Webhooks"),
            "url_name": "training_credits:webhook-list",
            "access_fn": may_open,
        },
        {
            "label": _("API tokens"),
            "url_name": "training_credits:api-token-list",
            "access_fn": may_open,
        },
    ],
}
