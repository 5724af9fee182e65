"""What stands in the way of deleting something of the shop, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.utils import NestedObjects
from django.db import router
from django.utils.translation import gettext as _

from ...credits.models import TrainingProduct

MOST_NAMED = 5


def users_of(row: Any) -> set[Any]:
    """Return what forbids deleting `row`, as it could not be without it."""
    uses = NestedObjects(using=router.db_for_write(type(row)))
    uses.collect([row])
    return set(uses.protected)


def in_use_text(title: str, users: Iterable[Any]) -> str:
    """Return what is said of something that can't be deleted for its `users`."""
    text = _("“%(title)s” can't be deleted, as it is in use: %(uses)s.")
    return text % {"title": title, "uses": _named(users)}


def _named(rows: Iterable[Any]) -> str:
    names = {_name(row) for row in rows}
    more = ["…"] if len(names) > MOST_NAMED else []
    return ", ".join(sorted(names)[:MOST_NAMED] + more)


def _name(row: Any) -> str:
    kind = str(row._meta.verbose_name)
    title = getattr(row, "title", "") or getattr(row, "label", "")
    if isinstance(row, TrainingProduct):
        title = row.product.get_title()
    return f"{kind} “{title}”" if title else kind
