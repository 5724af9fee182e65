"""A refused code stays in its field, so that it can be compared and corrected.

It is in no session, cookie or address: the box is shown again in the answer to the
post itself, on a page of its own, and what was typed is gone with that page.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers
from django.views.decorators.debug import sensitive_variables

from ...aliases import Product, Request

AGAIN = "again"
"""The field by which a form asks for this."""

ATTRIBUTE = "training_credits_typed"


class Typed:
    """What a learner typed. A report of an error does not show it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return "<Typed>"


@dataclass(frozen=True, slots=True)
class Retry:
    """A box that is shown again, with what was typed, in place of `page`."""

    typed: Typed
    page: str
    """The address of the page on which the box stood."""


def retry_of(request: Request) -> Retry | None:
    """Return what was refused in this very request, to be shown again."""
    return getattr(request, ATTRIBUTE, None)


def page_of(request: Request, usual: str) -> str:
    """Return the address to which the box of this request leads back."""
    retry = retry_of(request)
    return retry.page if retry else usual


@sensitive_variables("text")
def show_again(
    text: str, *, request: Request, page: str, product: Product = None
) -> TemplateResponse:
    """Show the box of `product`, or of the basket, again with `text` in its field."""
    setattr(request, ATTRIBUTE, Retry(Typed(text), page))
    context = {"product": product, "page": page}
    response = TemplateResponse(request, "training_credits/code_again.html", context)
    add_never_cache_headers(response)
    return response
