"""What the shop's page of a product shows of the page that sells it."""

from __future__ import annotations

import logging
from pathlib import PurePath
from typing import Any

from django.core.files import File
from django.utils.html import conditional_escape

from ..shop.catalogue.visibility import lacks_image, lacks_text, present

logger = logging.getLogger("training_credits")


def present_product(page: Any) -> None:
    """Copy a page's text and picture to its product, where that has none.

    What staff wrote in the shop stays, and so does what was copied before.
    """
    product, text, image = page.product, page.shop_text, page.shop_image
    if text and lacks_text(product):
        present(product, text=str(conditional_escape(text)))
    if image and lacks_image(product):
        try:
            with image.file.open() as file:
                name = PurePath(file.name).name
                present(product, image=File(file, name=name), caption=image.title)
        except OSError:
            # The page is live without it; the file may be on another machine's disk.
            logger.warning("image %s of page %s can't be read", image.pk, page.pk)
