from __future__ import annotations

from typing import Any

from wagtail.admin.forms import WagtailAdminPageForm


class TrainingPageForm(WagtailAdminPageForm):
    """Begins with the live terms, which may have been changed outside the page.

    A page model with a form of its own takes this one as the form's base.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        page = self.instance
        if page.training and is_as_published(page):
            for name in page.terms:
                self.initial[name] = getattr(page.training, name)


def is_as_published(page: Any) -> bool:
    """Tell whether a page's terms are neither a draft's nor an older revision's."""
    if not page.live or page.has_unpublished_changes:
        return False
    published = type(page)._default_manager.filter(pk=page.pk, **page.terms)
    return bool(published.exists())
