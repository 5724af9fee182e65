"""Kept apart and free of imports: Oscar's models load it while they are being made."""

from __future__ import annotations

from typing import Any

from ..mixins import Extension


class ProductQuerySetMixin(Extension):
    """Products in lists bring their training terms along, with no query more."""

    def base_queryset(self) -> Any:
        return super().base_queryset().select_related("training")
