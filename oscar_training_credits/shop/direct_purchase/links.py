"""Where the box of a purchase is, and where to log in first."""

from __future__ import annotations

from urllib.parse import urlencode

from ..login import login_url

OPEN = "purchase"
NEXT = "training-purchase-next"
ANCHOR = f"#{NEXT}"


def login_url_of_box(page: str) -> str:
    """Return where to log in or register, and come back to the open box of `page`."""
    query = urlencode({OPEN: "open"})
    return login_url(f"{page}{'&' if '?' in page else '?'}{query}{ANCHOR}")
