"""Errors in families that Wagtail knows what to do with."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _

from ..exceptions import TrainingCreditsError


class AlreadySold(TrainingCreditsError, ValidationError, PermissionDenied):
    """A page can't be live, as `rival`, another live page, sells its product.

    Wagtail's API answers it as invalid input. Its admin, where it shows no form to
    complain in, answers a refusal, and not an error page, as it is a denial, too.
    """

    def __init__(self, page: Any, rival: Any) -> None:
        ValidationError.__init__(self, {"product": not_published(page, rival)})
        self.page = page
        self.rival = rival


def not_published(page: Any, rival: Any) -> str:
    return _(
        "“%(page)s” is not published: the page “%(rival)s” sells its product already."
    ) % {
        "page": page.get_admin_display_title(),
        "rival": rival.get_admin_display_title(),
    }
