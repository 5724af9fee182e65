"""What wagtail-localize asks, on a site that has it: no other import needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SharedField:
    """A field that a translation shares with its source: nothing to translate.

    It answers as wagtail-localize's own `SynchronizedField` that can't be overridden.
    """

    field_name: str

    def get_field(self, model: Any) -> Any:
        return model._meta.get_field(self.field_name)

    def get_value(self, page: Any) -> Any:
        return self.get_field(type(page)).value_from_object(page)

    def is_editable(self, page: Any) -> bool:
        return True

    def is_translated(self, page: Any) -> bool:
        return False

    def is_synchronized(self, page: Any) -> bool:
        return True

    def is_overridable(self, page: Any) -> bool:
        return False


def texts_in(stream: Any) -> list[Any]:
    """Return what there is to translate in the value of a StreamBlock.

    Not the snippets that it names, for which a block isn't told the language.
    """
    from wagtail_localize.segments import RelatedObjectSegmentValue
    from wagtail_localize.segments.extract import StreamFieldSegmentExtractor

    extractor = StreamFieldSegmentExtractor(None, include_overridables=True)
    found = extractor.handle_stream_block(stream)
    return [each for each in found if not isinstance(each, RelatedObjectSegmentValue)]


def with_texts(stream: Any, segments: list[Any]) -> Any:
    """Return the value of a StreamBlock with its translated texts."""
    from wagtail_localize.segments.ingest import StreamFieldSegmentsWriter

    writer = StreamFieldSegmentsWriter(None, None, None)
    return writer.handle_stream_block(stream, segments)
