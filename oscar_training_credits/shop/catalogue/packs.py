"""Oscar products as packs of credits: what they give, looked up and changed."""

from __future__ import annotations

from typing import Any, cast

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from ...aliases import Product
from ...credits.isolation import own_transaction
from ...credits.models import CreditPack, TrainingProduct


def pack_of(product: Product) -> CreditPack | None:
    """Return what `product` gives as a pack of credits, if it is one.

    Asks the database once per product instance, and not at all for one that was read
    with its terms, or that is known to be training: it is never both.
    """
    if product is None or _is_training(product):
        return None
    return cast("CreditPack | None", getattr(product, "credit_pack", None))


def _is_training(product: Product) -> bool:
    field = product._meta.get_field("training")
    return field.is_cached(product) and field.get_cached_value(product) is not None


def remember(product: Product, pack: CreditPack | None) -> None:
    _field(product).set_cached_value(product, pack)
    if pack:
        pack.product = product


def _field(product: Product) -> Any:
    return product._meta.get_field("credit_pack")


@own_transaction()
def sell_as_pack(
    product: Product, *, credits: int, days: int | None = None, content: Any = None
) -> CreditPack:
    """Let `product` put whole credits on a code for whoever buys it, from now on.

    They expire `days` days after they are put on the code; `content` is the Oscar
    `Range` that a new code with them pays for. The price is Oscar's. What was bought
    before stays as it was. Safe to repeat.

    Raises:
        ValidationError: it is training, a product with variants, or a number makes no
            sense.
    """
    if TrainingProduct.objects.filter(product=product).exists():
        text = _("It is sold as training: credits can't be bought with credits.")
        raise ValidationError(text)
    if product.is_parent:
        raise ValidationError(
            _("It has variants, and only they can be bought: sell those.")
        )
    pack = CreditPack.objects.filter(product=product).first()
    pack = pack or CreditPack(product=product)
    pack.credits, pack.days, pack.content = credits, days, content
    pack.full_clean(exclude=["product"])
    pack.save()
    remember(product, pack)
    return pack


def refuse_pack(product: Product) -> None:
    """Let no pack of credits be sold as training, and so for credits.

    Raises:
        ValidationError: `product` is a pack of credits.
    """
    if CreditPack.objects.filter(product=product).exists():
        text = _("It is a pack of credits, which only money can buy.")
        raise ValidationError({"kind": text})


def sell_no_longer_as_pack(product: Product) -> None:
    """Let `product` be an ordinary product again. What was bought stays. Repeatable."""
    CreditPack.objects.filter(product=product).delete()
    remember(product, None)
