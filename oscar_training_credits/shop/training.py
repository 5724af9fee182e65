"""Oscar products as training: their terms, looked up and changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Prefetch, prefetch_related_objects
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from ..credits import giving
from ..credits.models import ParkedPrice, PathCourse, TrainingProduct
from ..credits.terms import Terms, check_terms
from .history import changes_by, record_terms

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..credits.terms import TermsGiven


def training_of(product: Any) -> TrainingProduct | None:
    """Return the terms on which `product` is sold as training, if it is.

    Asks the database once per product instance, and not at all for a product that
    came from `base_queryset()` or was priced by the strategy before.
    """
    return cast("TrainingProduct | None", getattr(product, "training", None))


def takes_part(basket: Any) -> bool:
    """Tell whether any line of `basket` is training.

    Prices lines that are not priced yet, which reads their terms along.
    """
    return any(training_of_line(line, basket) for line in basket.all_lines())


def trainings_of(basket: Any) -> list[TrainingProduct]:
    """Return what lines of `basket` are sold as, where they are training."""
    lines = (training_of_line(line, basket) for line in basket.all_lines())
    return [training for training in lines if training]


def training_of_line(line: Any, basket: Any) -> TrainingProduct | None:
    """Return what a basket line is sold as; an unpriced line is priced on the way."""
    if basket.has_strategy and not is_known(line.product):
        _priced = line.purchase_info
    return training_of(line.product)


def read_with_stock(product: Any) -> None:
    """Read the training terms of `product` in the query that reads its stock records.

    Oscar reads the stock records of each product that it prices, one by one. This
    does it for Oscar, with a join, so that products that are no training cost no
    query more. The caller drops what was read ahead with `forget_stock`.
    """
    StockRecord = get_model("partner", "StockRecord")
    stock = StockRecord.objects.select_related("product__training")
    prefetch_related_objects([product], Prefetch("stockrecords", queryset=stock))
    for record in product.stockrecords.all():
        remember(product, training_of(record.product))
        break
    else:
        remember(product, None)


def forget_stock(product: Any) -> None:
    product._prefetched_objects_cache.pop("stockrecords", None)


def has_read_stock(product: Any) -> bool:
    return "stockrecords" in getattr(product, "_prefetched_objects_cache", {})


def is_known(product: Any) -> bool:
    """Tell whether `training_of(product)` answers without a query."""
    return _field(product).is_cached(product)


def remember(product: Any, training: TrainingProduct | None) -> None:
    _field(product).set_cached_value(product, training)
    if training:
        training.product = product


def _field(product: Any) -> Any:
    return product._meta.get_field("training")


@transaction.atomic
def sell_as_training(
    product: Any, *, by: Any = None, **terms: Unpack[TermsGiven]
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
    if new.path_courses:
        refuse_listed(product)
    training, created = TrainingProduct.objects.select_for_update().get_or_create(
        product=product, defaults=new.plain()
    )
    old = Terms() if created else training.terms
    if not created and old.plain() != new.plain():
        TrainingProduct.objects.filter(pk=training.pk).update(**new.plain())
        training.refresh_from_db(fields=list(new.plain()))
    if old.path_courses != new.path_courses:
        list_courses(training, new.path_courses)
    if _opens_less(old, new):
        transaction.on_commit(giving.bring_forward, robust=True)
    remember(product, training)
    records = product.stockrecords.select_for_update().order_by("pk")
    with changes_by(by):
        record_terms(training, old, new)
        if new.credit_only:
            park_prices(records)
        else:
            restore_prices(records)
    return training


@transaction.atomic
def sell_no_longer_as_training(product: Any) -> None:
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


def _opens_less(old: Terms, new: Terms) -> bool:
    opened = (old.plan_content, old.path_courses)
    return any(opened) and opened != (new.plan_content, new.path_courses)


def refuse_listed(product: Any) -> None:
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
