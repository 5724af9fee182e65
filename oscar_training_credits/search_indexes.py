"""The search index of products, for a site that excludes Oscar's own.

Haystack finds it here. It takes one index for each model, so this one is there only if
`EXCLUDED_INDEXES` of `HAYSTACK_CONNECTIONS` names Oscar's.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

OSCARS = "oscar.apps.search.search_indexes.ProductIndex"

connections: dict[str, dict[str, Any]] = getattr(settings, "HAYSTACK_CONNECTIONS", {})

if any(OSCARS in each.get("EXCLUDED_INDEXES", ()) for each in connections.values()):
    from oscar.apps.search import search_indexes as oscars

    from .shop.catalogue.search_indexes import ProductIndexMixin

    class ProductIndex(ProductIndexMixin, oscars.ProductIndex):  # type: ignore[misc]
        """Oscar's index, without a price for what is sold for credits alone."""
