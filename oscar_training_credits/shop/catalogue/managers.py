"""Kept apart and free of imports: Oscar's models load it while they are being made."""

from __future__ import annotations

from typing import Any

from ...mixins import Extension


class ProductQuerySetMixin(Extension):
    """Products in lists bring along how we sell them, with no query more."""

    model: Any

    def base_queryset(self) -> Any:
        return super().base_queryset().select_related("training", "credit_pack")

    def prefetch_public_children(self, queryset: Any = None) -> Any:
        if queryset is None:
            queryset = self.model.objects.public().select_related(
                "training", "credit_pack"
            )
        return super().prefetch_public_children(queryset)
