"""Blocks for StreamFields: what only learners with access see, and what sells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from ..credits.access import buying_again
from ..shop.boxes import purchase_box
from ..shop.order.packs_bought import packs_on_sale
from . import localize
from .models import TrainingPageMixin


class Restricted:
    """The content of a restricted block: nothing, for all but the block itself.

    So that no template, feed, index or API shows it that iterates or prints values.
    """

    __slots__ = ("_stream", "is_read")

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.is_read = False
        """Whether a translator's tool may look inside this very value."""

    @property
    def stream_block(self) -> Any:
        return self._stream.stream_block

    def __iter__(self) -> Iterator[Any]:
        return iter(self._stream if self.is_read else ())

    def __len__(self) -> int:
        return len(self._stream) if self.is_read else 0

    def __bool__(self) -> bool:
        return True  # a block is there, though it says nothing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Restricted) and bool(self._stream == other._stream)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return ""

    def __html__(self) -> str:
        return ""

    def __repr__(self) -> str:
        return "<Restricted>"


def closed(value: Any) -> Restricted:
    return value if isinstance(value, Restricted) else Restricted(value)


def opened(value: Any) -> Any:
    return value._stream if isinstance(value, Restricted) else value


class RestrictedBlock(blocks.StreamBlock):
    """Blocks that are shown only to learners with access to what the page opens.

    For the body of a page with `TrainingPageMixin`. Others are told where to get
    access. Neither searches nor Wagtail's API see the children, and a template must
    render the block with `{% include_block %}`, which passes page and request on.
    """

    class Meta:
        icon = "lock"
        label = _("Only with access")

    def to_python(self, value: Any) -> Restricted:
        return closed(super().to_python(value))

    def bulk_to_python(self, values: Iterable[Any]) -> list[Restricted]:
        return [closed(each) for each in super().bulk_to_python(values)]

    def normalize(self, value: Any) -> Restricted:
        return closed(super().normalize(opened(value)))

    def value_from_datadict(self, data: Any, files: Any, prefix: str) -> Restricted:
        return closed(super().value_from_datadict(data, files, prefix))

    def clean(self, value: Any) -> Restricted:
        return closed(super().clean(opened(value)))

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(opened(value))

    def get_form_state(self, value: Any) -> Any:
        return super().get_form_state(opened(value))

    def extract_references(self, value: Any) -> Any:
        return super().extract_references(opened(value))

    def get_block_by_content_path(self, value: Any, path_elements: Any) -> Any:
        return super().get_block_by_content_path(opened(value), path_elements)

    def get_comparison_class(self) -> Any:
        # Wagtail's admin can't be imported while models are still being loaded.
        from wagtail.admin.compare import StreamBlockComparison

        class RestrictedBlockComparison(StreamBlockComparison):
            @staticmethod
            def get_blocks_from_value(val: Any) -> list[Any]:
                return list(opened(val))

            def htmlvalue(self, val: Any) -> Any:
                return super().htmlvalue(opened(val))

        return RestrictedBlockComparison

    def get_searchable_content(self, value: Any) -> list[str]:
        return []

    def get_api_representation(self, value: Any, context: Any = None) -> list[Any]:
        return []

    def get_translatable_segments(self, value: Any) -> list[Any]:
        value.is_read = True  # wagtail-localize looks up where each text was
        return localize.texts_in(opened(value))

    def restore_translated_segments(self, value: Any, segments: list[Any]) -> Any:
        return closed(localize.with_texts(opened(value), segments))

    def render(self, value: Any, context: Any = None) -> Any:
        page, request = _whose(context)
        if request is None or not isinstance(page, TrainingPageMixin):
            return ""
        access_status = page.access_status(request)
        if access_status.has_access:
            return super().render(opened(value), context)
        again = buying_again.refusals_again(request.user, filter(None, [page.training]))
        return render_to_string(
            "training_credits/locked.html",
            {"access_status": access_status, "may_buy": not again},
            request=request,
        )


class PurchaseBlock(blocks.StaticBlock):
    """The box that sells what the page opens, at the place of the editor's choice."""

    class Meta:
        icon = "tag"
        label = _("Purchase box")
        admin_text = _(
            "Shows the price and the box for codes, or until when access is."
        )
        template = "training_credits/purchase.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(value, parent_context)
        page, request = _whose(parent_context)
        if request is None or not isinstance(page, TrainingPageMixin):
            return {**context, "training": None}
        return {**context, **purchase_box(page, request=request)}


class CreditPacksBlock(blocks.StaticBlock):
    """The credits that the shop sells, each with a button that puts it in the basket.

    For any page, also one without `TrainingPageMixin`.
    """

    class Meta:
        icon = "tag"
        label = _("Credits on sale")
        admin_text = _("Lists the packs of credits that the shop sells, with prices.")
        template = "training_credits/packs.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(value, parent_context)
        _page, request = _whose(parent_context)
        offered = packs_on_sale(request) if hasattr(request, "strategy") else []
        return {**context, "request": request, "offered": offered}


def _whose(context: Any) -> tuple[Any, Any]:
    """Return the page and the request that a block is rendered for, if known."""
    context = context or {}
    return context.get("page"), context.get("request")
