"""Publishing pages of which some can't be live as their drafts are."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.log_actions import LogFormatter, log
from wagtail.models import PageLogEntry

from ..aliases import Request
from .exceptions import AlreadySold, NotPublished
from .selling import is_scheduled, other_seller_of, sells_training

LEFT_OUT = "training_credits.left_out"

logger = logging.getLogger("training_credits")


def reason_not_to_publish(
    draft: Any, *, coming: dict[int, Any] | None = None
) -> NotPublished | None:
    """Return why `draft` can't be live now; None if it can, or is for later.

    `coming` are the pages that become live before it, by product; it is added.
    """
    if is_scheduled(draft):
        return None
    if rival := other_seller_of(draft, coming=coming):
        return AlreadySold(draft, rival)
    try:
        draft.full_clean()
    except ValidationError as why:
        return NotPublished(draft, why)
    return None


def leave_out(page: Any, obstacle: NotPublished, *, revision: Any) -> None:
    """Put on record that the scheduler did not publish `page`.

    It tries again each time that it runs; the page's history says so once.
    """
    if isinstance(obstacle, AlreadySold):
        why = f"page {obstacle.rival.pk} sells its product"
    else:
        why = "; ".join(sorted(getattr(obstacle, "error_dict", ["it is not valid"])))
    logger.warning("page %s is not published: %s", page.pk, why)
    known = PageLogEntry.objects.filter(action=LEFT_OUT, revision=revision)
    if not known.exists():
        data = {"why": obstacle.text}
        log(instance=page, action=LEFT_OUT, revision=revision, data=data)


class LeftOut(LogFormatter):
    """How a page's history shows `LEFT_OUT`."""

    label = _("Not published")

    def format_message(self, log_entry: Any) -> str:
        return str(log_entry.data.get("why", self.label))


def leave_out_of_bulk(
    request: Request, action_type: str, objects: list[Any], action: Any
) -> None:
    """Take out of a bulk publication what can't be live, and tell the editor."""
    if action_type != "publish" or not all(map(is_page, objects)):
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
    for page, obstacle in refused.items():
        link = reverse("wagtailadmin_pages:edit", args=[page])
        edit = messages.button(link, _("Edit"))
        messages.warning(request, obstacle.text, buttons=[edit])


def is_page(instance: Any) -> bool:
    # By what all pages have: a site's page model may be its own, and not Wagtail's.
    return hasattr(instance, "specific_class")


def _with_drafts_below(pages: Iterable[Any], user: Any) -> Iterator[Any]:
    for page in pages:
        yield page
        for draft in page.get_descendants().not_live().specific():
            if draft.permissions_for_user(user).can_publish():
                yield draft


def _refused(pages: Iterable[Any]) -> Iterator[tuple[int, NotPublished]]:
    """Yield what can't be live by its key, with what is in its way.

    That may be one that comes before it here.
    """
    first: dict[int, Any] = {}
    for page in pages:
        if not sells_training(page.specific_class):
            continue
        draft = page.get_latest_revision_as_object()
        if obstacle := reason_not_to_publish(draft, coming=first):
            yield page.pk, obstacle
