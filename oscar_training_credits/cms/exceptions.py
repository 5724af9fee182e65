"""Errors in families that Wagtail knows what to do with."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _

from ..exceptions import TrainingCreditsError


class NotPublished(TrainingCreditsError, ValidationError, PermissionDenied):
    """A page can't be live as its draft is; the message says why, at the field.

    Wagtail's API answers it as invalid input. Its admin, where it shows no form to
    complain in, answers a refusal, and not an error page, as it is a denial, too.
    """

    def __init__(self, page: Any, why: Any) -> None:
        ValidationError.__init__(self, why)
        self.page = page

    @property
    def text(self) -> str:
        """What an editor is told where there is no form."""
        return not_published(self.page, " ".join(self.messages))


class AlreadySold(NotPublished):
    """A page can't be live, as `rival`, another live page, sells its product."""

    def __init__(self, page: Any, rival: Any) -> None:
        title = rival.get_admin_display_title()
        why = _("the page “%(rival)s” sells its product already.") % {"rival": title}
        super().__init__(page, {"product": not_published(page, why)})
        self.rival = rival

    @property
    def text(self) -> str:
        return " ".join(self.messages)


class RestrictedFieldClosed(TrainingCreditsError):
    """A restricted field was to be changed by code that has read it as empty.

    It would undo what is stored. Whoever may see the page's restricted fields opens it
    first, by `page.open_for(request)`; code that copies pages for nobody to see opens
    all of them by `restricted_fields_open()`.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is restricted, and reads empty in a visitor's request. Call"
            " open_for(request) or show_restricted_fields() of the page before it is"
            " read and changed."
        )


def not_published(page: Any, why: str) -> str:
    return _("“%(page)s” is not published: %(why)s") % {
        "page": page.get_admin_display_title(),
        "why": why,
    }
