"""What a site may replace by a setting: the defaults, under names that never move."""

from .credits.codes.code_text import generate
from .credits.wording import amount_text
from .shop.basket.code_handlers import credit_code, voucher
from .shop.catalogue.content_links import product_pages
from .shop.communication.languages import site_language
from .shop.requesters import client_address

__all__ = [
    "amount_text",
    "client_address",
    "credit_code",
    "generate",
    "product_pages",
    "site_language",
    "voucher",
]
