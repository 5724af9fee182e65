"""Who changed the prices and terms of training, when, from what to what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from oscar.core.loading import get_model

from ...credits.models import TermsChange, TrainingProduct
from ...credits.terms import Terms

PRICE = "price"
"""What a change of the price in money is called, beside the names of the terms."""

# Oscar's forms save stock records themselves, and pass on nothing of who does it.
_changer: ContextVar[Any] = ContextVar("changer", default=None)


@contextmanager
def changes_by(user: Any) -> Iterator[None]:
    """Put `user` on record as who changes prices and terms inside the block.

    None leaves it to whom an outer block names.
    """
    token = _changer.set(user or _changer.get())
    try:
        yield
    finally:
        _changer.reset(token)


def record_terms(training: TrainingProduct, old: Terms, new: Terms) -> None:
    TermsChange.objects.bulk_create(
        _change(training.pk, *change) for change in new.changes_since(old)
    )


def prices_of(products: Any) -> dict[int, str]:
    """Return the prices in money of training by the stock record's key, as text."""
    return {record.pk: _price(record) for record in _records(products)}


def record_prices(products: Any, *, before: dict[int, str]) -> None:
    """Record the prices in money that are others than before, for training."""
    TermsChange.objects.bulk_create(
        _change(record.product.training.pk, PRICE, before[record.pk], _price(record))
        for record in _records(products)
        if before.get(record.pk, "") != _price(record)
    )


def price_changing(sender: Any, instance: Any, raw: bool, **kwargs: Any) -> None:
    """Receive Django's `pre_save` of a stock record."""
    # Without it the signal is Oscar's own, sent as an order takes stock.
    if raw or "update_fields" not in kwargs:
        return
    chosen = kwargs["update_fields"]
    if chosen is None or "price" in chosen:
        instance.price_before = _saved_price(sender, instance)


def price_changed(sender: Any, instance: Any, **_kwargs: Any) -> None:
    """Receive Django's `post_save` of a stock record."""
    before = instance.__dict__.pop("price_before", None)
    if before is None or before == (after := _saved_price(sender, instance)):
        return
    training = TrainingProduct.objects.filter(product=instance.product_id).first()
    if training:
        _change(training.pk, PRICE, before, after).save()


def _saved_price(StockRecord: Any, instance: Any) -> str:
    # Read anew, as an instance may hold a text or an expression.
    record = StockRecord._default_manager.filter(pk=instance.pk).first()
    return _price(record) if record else ""


def _records(products: Any) -> Any:
    records = get_model("partner", "StockRecord")._default_manager.filter(
        product__in=products, product__training__isnull=False
    )
    return records.select_related("product__training").order_by("pk")


def _price(record: Any) -> str:
    return "" if record.price is None else f"{record.price:.2f} {record.price_currency}"


def _change(training_id: int, term: str, before: str, after: str) -> TermsChange:
    user = _changer.get()
    return TermsChange(
        training_id=training_id,
        term=term,
        before=before,
        after=after,
        changed_by_id=user.pk if user else None,
    )
