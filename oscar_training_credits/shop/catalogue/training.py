"""Oscar products as training: their terms, looked up and changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from ...aliases import Basket, Product
from ...credits.access import granting
from ...credits.has_row import HasRow
from ...credits.isolation import own_transaction
from ...credits.locking import for_update
from ...credits.models import ParkedPrice, PathCourse, TrainingProduct
from ...credits.terms import Terms, check_terms
from . import packs
from .history import changes_by, record_terms

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ...credits.terms import TermsGiven


TERMS = ("training", "credit_pack")
"""What products are read with: on what terms they are sold, if on any of ours."""


def training_of(product: Product) -> TrainingProduct | None:
    """Return the terms on which `product` is sold as training, if it is.

    Asks the database once per product instance, and not at all for a product that
    came from `base_queryset()` or was priced by the strategy before.
    """
    return cast("TrainingProduct | None", getattr(product, "training", None))


def takes_part(basket: Basket) -> bool:
    """Tell whether `basket` has training or credits: one query, if not known yet."""
    products = [line.product for line in lines_with_terms(basket)]
    return any(training_of(each) or packs.pack_of(each) for each in products)


def trainings_of(basket: Basket) -> list[TrainingProduct]:
    """Return what lines of `basket` are sold as, where they are training."""
    trainings = (training_of(line.product) for line in lines_with_terms(basket))
    return [training for training in trainings if training]


def lines_with_terms(basket: Basket) -> list[Any]:
    """Return the lines of `basket`, of which `training_of` asks no query any more.

    One query for all lines, which spares Oscar one for each when it prices them.
    """
    lines = list(basket.all_lines())
    read_with_stock(line.product for line in lines)
    return lines


def read_with_line(line: Any) -> None:
    """Read the training terms of a basket line, and of the lines in memory with it."""
    # Oscar's memory of a basket's lines is a queryset, which may not be read yet.
    lines = getattr(line.basket._lines, "_result_cache", None) or ()
    together = lines if any(each is line for each in lines) else [line]
    read_with_stock(each.product for each in together)


def read_with_stock(products: Iterable[Any]) -> None:
    """Read the training terms of products in the query that reads their stock records.

    Oscar reads the stock records of each product that it prices, one by one, and
    their partners when it is ordered. This does it for Oscar, with a join, so that
    products that are no training cost no query more. What is known already is not
    read again.
    """
    unknown = [each for each in products if not is_known(each)]
    unknown = [each for each in unknown if not has_read_stock(each)]
    if not unknown:
        return
    StockRecord = get_model("partner", "StockRecord")
    read = StockRecord.objects.filter(product__in=unknown)
    by_product: dict[int, list[Any]] = defaultdict(list)
    joined = ("product__training", "product__credit_pack", "partner")
    for record in read.select_related(*joined):
        by_product[record.product_id].append(record)
    for product in unknown:
        records = by_product[product.pk]
        found = records[0].product if records else None
        remember(product, training_of(found))
        packs.remember(product, packs.pack_of(found))
        keep_stock(product, records)


def offered_product(*also: str, **known: Any) -> Any:
    """Return the product of this `pk` or `training` with all that offering it asks.

    These are its terms, its type, its stock records with what is `also` to be joined
    to them, and whether it has options: one query.

    Raises:
        DoesNotExist: there is none.
    """
    Product = get_model("catalogue", "Product")
    ProductClass = get_model("catalogue", "ProductClass")
    StockRecord = get_model("partner", "StockRecord")
    of_class = ProductClass.options.through
    own = Product.product_options.through
    records = list(
        StockRecord.objects.filter(
            **{f"product__{name}": value for name, value in known.items()}
        )
        .select_related(
            "product__training",
            "product__credit_pack",
            "product__product_class",
            *also,
        )
        .annotate(
            has_product_class_options=HasRow(
                of_class, productclass=F("product__product_class")
            ),
            has_product_options=HasRow(own, product=F("product")),
        )
    )
    if not records:
        return Product._default_manager.select_related(*TERMS).get(**known)
    first = records[0]
    product = first.product
    # Where Oscar's `has_options` looks first, as in Oscar's own lists.
    product.has_product_class_options = first.has_product_class_options
    product.has_product_options = first.has_product_options
    keep_stock(product, records)
    return product


def keep_stock(product: Product, records: list[Any]) -> None:
    """Let `product.stockrecords.all()` answer with `records`, as if prefetched."""
    for record in records:
        record.product = product
    # Not by a `Prefetch`: whoever filters or locks these records would join the terms.
    stock = product.stockrecords.all()
    stock._result_cache, stock._prefetch_done = records, True
    product.__dict__.setdefault("_prefetched_objects_cache", {})["stockrecords"] = stock


@contextmanager
def reading_children(product: Product) -> Iterator[None]:
    """Let Oscar read the children of a parent with their training terms, by a join.

    It asks each for its price and availability, which depend on them.
    """
    children = product.get_public_children()
    if not isinstance(children, QuerySet):  # read ahead
        yield
        return
    children = children.select_related(*TERMS).prefetch_related("stockrecords")
    product._prefetched_public_children = list(children)
    try:
        yield
    finally:
        del product._prefetched_public_children


def forget_stock(product: Product) -> None:
    """Let the stock records of `product` be read anew when they are asked for."""
    getattr(product, "_prefetched_objects_cache", {}).pop("stockrecords", None)


def has_read_stock(product: Product) -> bool:
    return "stockrecords" in getattr(product, "_prefetched_objects_cache", {})


def is_known(product: Product) -> bool:
    """Tell whether `training_of(product)` answers without a query."""
    return _field(product).is_cached(product)


def remember(product: Product, training: TrainingProduct | None) -> None:
    _field(product).set_cached_value(product, training)
    if training:
        training.product = product


def _field(product: Product) -> Any:
    return product._meta.get_field("training")


@own_transaction()
def sell_as_training(
    product: Product, *, by: Any = None, **terms: Unpack[TermsGiven]
) -> TrainingProduct:
    """Set the terms on which `product` is sold as training, from now on.

    The terms are those of `Terms`; those not given are its defaults. What changes is
    on record, with who changed it. A credit-only product has no money price: its
    stock records' prices are put by, and come back when it is credit-only no longer.
    Safe to repeat.

    Raises:
        ValidationError: the terms make no sense.
    """
    new = Terms(**terms)
    check_terms(new, product=product)
    packs.refuse_pack(product)
    if new.path_courses:
        refuse_listed(product)
    training, created = for_update(TrainingProduct.objects.all()).get_or_create(
        product=product, defaults=new.plain()
    )
    old = Terms() if created else training.terms
    if not created and old.plain() != new.plain():
        TrainingProduct.objects.filter(pk=training.pk).update(**new.plain())
        training.refresh_from_db(fields=list(new.plain()))
    if old.path_courses != new.path_courses:
        list_courses(training, new.path_courses)
    if _opens_less(old, new):
        transaction.on_commit(granting.bring_forward, robust=True)
    remember(product, training)
    forget_stock(product)
    records = for_update(product.stockrecords.order_by("pk"))
    with changes_by(by):
        record_terms(training, old, new)
        if new.credit_only:
            park_prices(records)
        else:
            restore_prices(records)
    return training


@own_transaction()
def sell_no_longer_as_training(product: Product) -> None:
    """Let `product` be an ordinary product again, with its money price if it had one.

    Its terms and their history are gone. Safe to repeat.

    Raises:
        ProtectedError: a learner has access to it, or it is a course of a path.
    """
    locked = TrainingProduct.objects.select_for_update()
    if training := locked.filter(product=product).first():
        restore_prices(product.stockrecords.select_for_update().order_by("pk"))
        training.delete()
    remember(product, None)
    forget_stock(product)


def _opens_less(old: Terms, new: Terms) -> bool:
    opened = (old.plan_content, old.path_courses)
    return any(opened) and opened != (new.plan_content, new.path_courses)


def refuse_listed(product: Product) -> None:
    """Let no path be on the list of a path.

    Raises:
        ValidationError: `product` is to be a path, and is a course of one already.
    """
    if PathCourse.objects.filter(course__product=product).exists():
        text = _("It is a course of a path, so it can't be a path itself.")
        raise ValidationError({"kind": text})


def list_courses(path: TrainingProduct, courses: Iterable[TrainingProduct]) -> None:
    """Let `path` open these courses, in this order, and no others."""
    path.path_courses.all().delete()
    PathCourse.objects.bulk_create(
        PathCourse(path=path, course=course, position=position)
        for position, course in enumerate(courses, start=1)
    )


def park_prices(records: Iterable[Any]) -> None:
    """Take the money prices off stock records, and keep them.

    Without a price Oscar itself can't sell the product, so that it is safe even on
    a site where this package is switched off.
    """
    for record in records:
        if record.price is not None:
            ParkedPrice.objects.update_or_create(
                stockrecord=record, defaults={"price": record.price}
            )
            record.price = None
            record.save(update_fields=["price"])


def restore_prices(records: Iterable[Any]) -> None:
    """Put the kept money prices back on stock records that have none now."""
    for record in records:
        parked = ParkedPrice.objects.filter(stockrecord=record).first()
        if parked and record.price is None:
            record.price = parked.price
            record.save(update_fields=["price"])
        if parked:
            parked.delete()
