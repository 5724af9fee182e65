"""What becomes of a product of the shop when pages that sell it come and go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db.models import CharField, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from wagtail.models import Page

from ..credits.models import TrainingProduct
from ..shop.sale import put_on_sale, take_off_sale
from ..shop.training import sell_as_training
from .exceptions import AlreadySold


def sells_training(model: Any) -> bool:
    """Tell whether a model, or one of its pages, has the `TrainingPageMixin`."""
    # Not asked for the class, as the mixin needs what is in this module.
    return getattr(model, "sells_training", False) is True


def training_page_models() -> Iterator[type[Any]]:
    for model in apps.get_models():
        if sells_training(model) and issubclass(model, Page):
            yield model


def live_pages(product: Any) -> Iterator[Any]:
    """Yield the live pages that sell `product`: one query for each page model."""
    for model in training_page_models():
        yield from model._default_manager.filter(product=product, live=True)


def live_page_title(product: str) -> Any:
    """Return what annotates rows with the title of the live page that sells `product`.

    `product` is the name of the rows' own column with the number of a product.
    """
    titles = [
        Subquery(
            model._default_manager.filter(live=True, product=OuterRef(product))
            .order_by("pk")
            .values("title")[:1]
        )
        for model in training_page_models()
    ]
    return Coalesce(*titles, Value(""), Value(""), output_field=CharField())


def shop_terms(page: Any) -> dict[str, Any]:
    """Return the terms on which the shop sells what `page` sells, asked anew."""
    training = TrainingProduct.objects.filter(product=page.product_id).first()
    if training is None:
        return {}
    terms = training.terms
    return {name: getattr(terms, name) for name in page.terms}


def rival(page: Any) -> Any:
    """Return another live page that sells the same product, or None.

    Aliases and translations of the same page are no rivals.
    """
    for other in live_pages(page.product):
        is_same = other.pk == page.pk or other.translation_key == page.translation_key
        if not is_same and not other.alias_of_id:
            return other
    return None


def rival_of(draft: Any, *, coming: dict[int, Any] | None = None) -> Any:
    """Return the page that keeps `draft` from being published now, or None.

    `coming` are the pages that become live before it, by product; it is added.
    """
    draft.follow_terms_page()
    is_later = draft.go_live_at and draft.go_live_at > timezone.now()
    if draft.product is None or draft.alias_of_id or is_later:
        return None
    if other := rival(draft):
        return other
    first = {} if coming is None else coming
    before = first.setdefault(draft.product_id, draft)
    return None if before.translation_key == draft.translation_key else before


def refuse_rival(page: Any) -> None:
    """Let no page become live that sells what another live page sells.

    Raises:
        AlreadySold: there is one. The product is locked, so that of two pages which
            become live at the same moment the second is refused.
    """
    products = type(page.product)._default_manager.select_for_update()
    products.filter(pk=page.product_id).first()
    if other := rival(page):
        raise AlreadySold(page, other)


def publish_terms(page: Any, *, by: Any) -> None:
    """Make a page's terms the live ones, and put its product on sale.

    Of a page and its translations only the one where terms are edited sets them.
    A product that staff took off sale while the page was live stays so.
    """
    if page.product and not page.alias_of_id and page.terms_page() is None:
        sell_as_training(page.product, by=by, **page.terms)
    if not page.alias_of_id:
        update_translations(page)
    if page.product and not page.was_selling:
        put_on_sale(page.product)


def update_translations(page: Any) -> None:
    """Let the translations of a page sell what it sells now."""
    newer = type(page)._default_manager.filter(
        translation_key=page.translation_key, alias_of=None, pk__gt=page.pk
    )
    if page.terms_page() is None:
        for translation in newer:
            translation.take_terms_of(page)
            names = ["product", *page.terms]
            translation.save(clean=False, update_fields=names)


def take_down(page: Any) -> None:
    """Take the product of an unpublished page off sale, if no other page sells it."""
    if page.product and all(other.pk == page.pk for other in live_pages(page.product)):
        take_off_sale(page.product)
