"""Publishing pages of which some can't be live, as others sell their products."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.log_actions import LogFormatter, log
from wagtail.models import Page, PageLogEntry

from .exceptions import not_published
from .selling import rival_of, sells_training

LEFT_OUT = "training_credits.left_out"

logger = logging.getLogger("training_credits")


def leave_out(page: Any, rival: Any, *, revision: Any) -> None:
    """Put on record that the scheduler did not publish `page`.

    It tries again each time that it runs; the page's history says so once.
    """
    logger.warning(
        "page %s is not published: page %s sells its product", page.pk, rival.pk
    )
    known = PageLogEntry.objects.filter(action=LEFT_OUT, revision=revision)
    if not known.exists():
        text = not_published(page, rival)
        log(instance=page, action=LEFT_OUT, revision=revision, data={"why": text})


class LeftOut(LogFormatter):
    """How a page's history shows `LEFT_OUT`."""

    label = _("Not published")

    def format_message(self, log_entry: Any) -> str:
        return str(log_entry.data.get("why", self.label))


def leave_out_of_bulk(
    request: Any, action_type: str, objects: list[Any], action: Any
) -> None:
    """Take out of a bulk publication what can't be live, and tell the editor."""
    if action_type != "publish" or not all(isinstance(each, Page) for each in objects):
        return
    chosen = action.cleaned_form.cleaned_data
    pages = list(objects)
    if chosen.get("include_descendants"):
        pages = list(_with_drafts_below(pages, request.user))
    refused = dict(_refused(pages))
    if not refused:
        return
    # Wagtail publishes what is left on this very list, and nothing below it.
    chosen["include_descendants"] = False
    objects[:] = [page for page in pages if page.pk not in refused]
    for page, rival in refused.values():
        link = reverse("wagtailadmin_pages:edit", args=[page.pk])
        edit = messages.button(link, _("Edit"))
        messages.warning(request, not_published(page, rival), buttons=[edit])


def _with_drafts_below(pages: Iterable[Page], user: Any) -> Iterator[Page]:
    for page in pages:
        yield page
        for draft in page.get_descendants().not_live().specific():
            if draft.permissions_for_user(user).can_publish():
                yield draft


def _refused(pages: Iterable[Page]) -> Iterator[tuple[int, tuple[Any, Any]]]:
    """Yield what can't be live by its key, with the page that is in its way.

    That may be one that comes before it here.
    """
    first: dict[int, Any] = {}
    for page in pages:
        draft = page.get_latest_revision_as_object()
        if sells_training(draft) and (rival := rival_of(draft, coming=first)):
            yield page.pk, (draft, rival)
