"""Putting training products on sale and taking them off: Oscar's `is_public`.

What was bought stays: access, orders and the terms are not touched.
"""

from __future__ import annotations

from typing import Any

from oscar.core.loading import get_model

from ...aliases import Product
from ...credits.isolation import own_transaction
from ...credits.locking import for_update


def put_on_sale(product: Product) -> None:
    """Let `product` be found and bought in the shop."""
    _set_public(product, is_public=True)


def take_off_sale(product: Product) -> None:
    """Take `product` out of the shop's lists, and let nobody buy it.

    Those who have it keep it, and it can be put on sale again.
    """
    _set_public(product, is_public=False)


@own_transaction()
def _set_public(product: Product, *, is_public: bool) -> None:
    Product = get_model("catalogue", "Product")
    current = for_update(Product._default_manager.filter(pk=product.pk)).get()
    if current.is_public != is_public:
        current.is_public = is_public
        # Saved, not updated, so that the shop's search hears of it.
        current.save(update_fields=["is_public", "date_updated"])
    product.is_public = is_public


def lacks_text(product: Product) -> bool:
    return not product.description


def lacks_image(product: Product) -> bool:
    """Tell whether the shop shows no picture of `product`, nor of its parent."""
    return not product.get_all_images().exists()


@own_transaction()
def present(
    product: Product, *, text: str = "", image: Any = None, caption: str = ""
) -> None:
    """Give `product` a text, in HTML, and a picture, a file, where it has none."""
    Product = get_model("catalogue", "Product")
    current = for_update(Product._default_manager.filter(pk=product.pk)).get()
    if text and lacks_text(current):
        current.description = text
        # Saved, not updated, so that the shop's search hears of it.
        current.save(update_fields=["description", "date_updated"])
        product.description = text
    if image and lacks_image(current):
        longest = get_model("catalogue", "ProductImage")._meta.get_field("caption")
        current.images.create(original=image, caption=caption[: longest.max_length])


def new_product(title: str, product_class: Any) -> Any:
    """Return a product that is not on sale yet, and not saved either."""
    Product = get_model("catalogue", "Product")
    return Product(title=title, product_class=product_class, is_public=False)


@own_transaction()
def create_product(
    *, title: str, product_class: Any, partner: Any, price: Any, category: Any = None
) -> Any:
    """Return a saved product that is not on sale yet, with a stock record.

    `price` is in the shop's currency; None if only credits are to pay for it. Without
    a `category` Oscar's dashboard asks for one when somebody edits the product there.
    """
    product = new_product(title, product_class)
    product.save()
    if category:
        product.categories.add(category)
    product.stockrecords.create(
        partner=partner, partner_sku=f"training-{product.pk}", price=price
    )
    return product
