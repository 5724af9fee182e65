"""What becomes of a product of the shop when pages that sell it come and go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import CharField, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from wagtail.log_actions import get_active_log_context

from ..aliases import Product
from ..credits.locking import for_update
from ..credits.models import TrainingProduct
from ..shop.catalogue.training import sell_as_training
from ..shop.catalogue.visibility import put_on_sale, take_off_sale
from .exceptions import AlreadySold
from .presenting import present_product


def sells_training(model: Any) -> bool:
    """Tell whether a model, or one of its pages, has the `TrainingPageMixin`."""
    # Not asked for the class, as the mixin needs what is in this module.
    return getattr(model, "sells_training", False) is True


def training_page_models() -> Iterator[type[Any]]:
    """Yield the site's page models with the mixin, whatever they derive from.

    With `WAGTAIL_PAGE_MODEL` that is not Wagtail's `Page`.
    """
    yield from filter(sells_training, apps.get_models())


def bases_of_training_pages() -> set[type[Any]]:
    """Return the models by which a training page is saved as an ordinary one."""
    bases = (model._meta.get_parent_list() for model in training_page_models())
    return {
        base
        for parents in bases
        for base in parents
        if hasattr(base, "specific_class") and not sells_training(base)
    }


def live_pages(product: Product) -> Iterator[Any]:
    """Yield the live pages that sell `product`: one query for each page model."""
    for model in training_page_models():
        yield from model._default_manager.filter(product=product, live=True)


def live_pages_that_sell() -> Iterator[Any]:
    """Yield a queryset of the live pages that sell something, of each page model."""
    for model in training_page_models():
        yield model._default_manager.filter(live=True, product__isnull=False)


def sold_only_by(condition: Q) -> Iterator[tuple[int, str]]:
    """Yield each product that only live pages of this condition sell, and a path.

    Two queries at most for each page model.
    """
    for live in live_pages_that_sell():
        sold = dict(live.filter(condition).values_list("product", "path"))
        if sold:
            others = live.exclude(condition).filter(product__in=sold)
            for product_id in others.values_list("product", flat=True):
                sold.pop(product_id, None)
        yield from sold.items()


def pages_with_product() -> Iterator[Any]:
    """Yield all pages that sell something or would: a query for each page model."""
    for model in training_page_models():
        pages = model._default_manager.filter(product__isnull=False).order_by("pk")
        for page in pages.select_related("product__training").iterator():
            if page.specific_class is model:
                yield page


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


def other_seller(page: Any) -> Any:
    """Return another live page that sells the same product, or None.

    An alias or a translation of the page itself does not count.
    """
    for other in live_pages(page.product):
        is_same = other.pk == page.pk or other.translation_key == page.translation_key
        if not is_same and not other.alias_of_id:
            return other
    return None


def other_seller_of(draft: Any, *, coming: dict[int, Any] | None = None) -> Any:
    """Return the page that keeps `draft` from being published now, or None.

    `coming` are the pages that become live before it, by product; it is added.
    """
    draft.follow_terms_page()
    if draft.product is None or draft.alias_of_id or is_scheduled(draft):
        return None
    if other := other_seller(draft):
        return other
    first = {} if coming is None else coming
    before = first.setdefault(draft.product_id, draft)
    return None if before.translation_key == draft.translation_key else before


def refuse_other_seller(page: Any) -> None:
    """Let no page become live that sells what another live page sells.

    Raises:
        AlreadySold: there is one. The product is locked, so that of two pages which
            become live at the same moment the second is refused.
    """
    lock(page.product)
    if other := other_seller(page):
        raise AlreadySold(page, other)


def publish_terms(page: Any, *, by: Any) -> None:
    """Make a page's terms the live ones, and put its product on sale.

    Of a page and its translations only the one where terms are edited sets them.
    A product that staff took off sale while the page was live stays so.
    """
    if page.product and holds_terms(page):
        sell_as_training(page.product, by=by, **page.terms)
    if not page.alias_of_id:
        update_translations(page)
    if page.product:
        if holds_terms(page):
            present_product(page)
        follow_live_pages(page.product)


def follow_page(page: Any) -> None:
    """Let the shop follow a page that was saved past Wagtail's own publishing.

    Such a page sets no terms where the shop has some already.
    """
    if page.product is None:
        return
    if is_selling(page) and holds_terms(page) and not is_training(page.product):
        sell_as_training(page.product, by=acting_user(), **page.terms)
    follow_live_pages(page.product)


def holds_terms(page: Any) -> bool:
    """Tell whether the terms are edited on this page, and on no other."""
    return not page.alias_of_id and page.terms_page() is None


def source_of(page: Any) -> Any:
    """Return the page that holds the terms of an alias or a translation."""
    original = page.alias_of.specific if page.alias_of_id else page
    return original.terms_page() or original


def is_training(product: Product) -> bool:
    return TrainingProduct.objects.filter(product=product).exists()


def is_scheduled(page: Any) -> bool:
    return bool(page.go_live_at and page.go_live_at > timezone.now())


def is_selling(page: Any) -> bool:
    # Wagtail adds a new page as live even if it is only scheduled.
    return page.live and not is_scheduled(page)


def acting_user() -> Any:
    """Return who works in Wagtail's admin or API just now, or None."""
    return get_active_log_context().user


@transaction.atomic
def follow_live_pages(product: Product) -> None:
    """Put `product` on sale, or take it off, as its pages are now.

    It goes on sale with the page that holds its terms, once, and stays so while any
    page that sells it is live. What staff do about it meanwhile stays, too.
    """
    lock(product)
    pages = list(filter(is_selling, live_pages(product)))
    if not pages and _mark(product, sold_by_page=False):
        take_off_sale(product)
    elif any(map(holds_terms, pages)) and _mark(product, sold_by_page=True):
        put_on_sale(product)


def _mark(product: Product, *, sold_by_page: bool) -> bool:
    """Keep in mind whether a page sells `product`; tell whether that is new."""
    trainings = TrainingProduct.objects.filter(product=product)
    others = trainings.exclude(sold_by_page=sold_by_page)
    return bool(others.update(sold_by_page=sold_by_page))


def lock(product: Product) -> None:
    for_update(type(product)._default_manager.filter(pk=product.pk)).first()


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


@transaction.atomic
def take_down(page: Any) -> None:
    """Take the product of an unpublished page off sale, if no other page sells it."""
    if page.product and all(other.pk == page.pk for other in live_pages(page.product)):
        take_off_sale(page.product)
        _mark(page.product, sold_by_page=False)
