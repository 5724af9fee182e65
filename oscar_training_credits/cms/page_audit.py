"""Whether what is on sale and what pages are live still fit each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from ..shop.catalogue.training import training_of
from . import privacy, selling


@dataclass(frozen=True, slots=True)
class Finding:
    """A product that is on sale without its page, or a page without its product."""

    text: str
    is_fault: bool
    """Nobody decided it so; `mend` sets it right."""

    def __str__(self) -> str:
        return self.text


def audit() -> Iterator[Finding]:
    """Yield what is live and not on sale as training, and the reverse.

    Writes nothing. A query for each page model, and some for each page.
    """
    for page in selling.pages_with_product():
        finding = _of_live(page) if selling.is_selling(page) else _of_other(page)
        if finding:
            yield finding


def mend() -> None:
    """Let the shop follow its pages, as if each were saved.

    What staff took off sale while its page was live stays so.
    """
    for page in selling.pages_with_product():
        selling.follow_page(page)


def _of_live(page: Any) -> Finding | None:
    """Say what is wrong with what a live page sells."""
    product, training = page.product, training_of(page.product)
    source = page if selling.holds_terms(page) else selling.source_of(page)
    if source.pk != page.pk and source.live:
        return None  # what there is to say is said of that page
    if product.is_public and training is None:
        text = _("%(page)s is live, but %(product)s is sold without training terms.")
        return Finding(text % _names(page), is_fault=source.pk == page.pk)
    if product.is_public:
        return _of_private(page)
    if source.pk != page.pk:
        text = _(
            "%(page)s is live, but %(product)s is not on sale: its terms are on"
            " %(source)s, which is not live."
        )
        return Finding(text % {**_names(page), "source": _page(source)}, is_fault=False)
    if training and training.sold_by_page:
        text = _(
            "%(page)s is live, but %(product)s was taken off sale in the shop since."
        )
        return Finding(text % _names(page), is_fault=False)
    text = _("%(page)s is live, but %(product)s is not on sale.")
    return Finding(text % _names(page), is_fault=True)


def _of_private(page: Any) -> Finding | None:
    """Say if a live page sells its product to nobody, as no group may open it."""
    restrictions = page.get_view_restrictions()
    if not any(map(privacy.is_for_nobody, restrictions)):
        return None
    text = _(
        "%(page)s is live, but nobody can buy %(product)s: it is private, for groups"
        " without members."
    )
    return Finding(text % _names(page), is_fault=False)


def _of_other(page: Any) -> Finding | None:
    """Say if what a page sells is on sale, which is a draft or was unpublished."""
    product, training = page.product, training_of(page.product)
    if not product.is_public or any(selling.live_pages(product)):
        return None
    is_shops = training and not training.sold_by_page and not page.first_published_at
    if is_shops:
        return None
    text = _("%(product)s is on sale, but %(page)s, which sells it, is not live.")
    is_fault = bool(training and training.sold_by_page)
    return Finding(text % _names(page), is_fault=is_fault)


def _names(page: Any) -> dict[str, str]:
    return {"page": _page(page), "product": f"“{page.product}”"}


def _page(page: Any) -> str:
    return f"“{page.get_admin_display_title()}” ({page.pk})"
