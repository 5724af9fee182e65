"""What goes off sale when pages are unpublished, and who keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from wagtail.admin import messages

from ..aliases import Request
from ..credits.models import Access, TrainingProduct
from .selling import live_pages_that_sell, sold_only_by

MOST_NAMED = 20


def notes_on(pages: Iterable[Any]) -> list[str]:
    """Return what somebody is told who is about to unpublish `pages`."""
    pages = list(pages)
    alone = leaving_with(pages)
    known = {training.pk for training in alone}
    every = leaving_with(pages, with_subpages=True)
    below = [training for training in every if training.pk not in known]
    named = alone if len(alone) <= MOST_NAMED else []
    notes = [_named_text(training) for training in named]
    if alone and not named:
        notes.append(_counted_text(alone))
    if below:
        text = _("If you unpublish the subpages too: %(more)s")
        notes.append(text % {"more": _counted_text(below)})
    return notes


def leaving_with(
    pages: Iterable[Any], *, with_subpages: bool = False
) -> list[TrainingProduct]:
    """Return what goes off sale if `pages` and their aliases are unpublished.

    What another live page sells stays. Of a page's subpages one query.
    """
    leaving = _leaving(pages, with_subpages=with_subpages)
    return _on_sale(product_id for product_id, _path in sold_only_by(leaving))


def note_sold(request: Request, pages: Iterable[Any], *, with_subpages: bool) -> None:
    """Keep in mind what `pages` sell, before they are unpublished."""
    leaving = _leaving(pages, with_subpages=with_subpages)
    found: set[int] = set()
    for live in live_pages_that_sell():
        found |= set(live.filter(leaving).values_list("product", flat=True))
    request.training_sold = _on_sale(found)


def tell_off_sale(request: Request) -> None:
    """Tell who unpublished pages what is off sale now of what they sold."""
    sold = [training.pk for training in getattr(request, "training_sold", ())]
    gone = TrainingProduct.objects.filter(pk__in=sold, product__is_public=False)
    trainings = list(gone.select_related("product__parent"))
    if not trainings:
        return
    learners = _learners_of(trainings)
    if len(trainings) == 1:
        text = ngettext(
            "“%(product)s” is off sale now. %(learners)s learner keeps access.",
            "“%(product)s” is off sale now. %(learners)s learners keep access.",
            learners,
        )
        text %= {"product": trainings[0].product, "learners": learners}
    else:
        text = ngettext(
            "%(count)s products are off sale now. %(learners)s learner keeps access.",
            "%(count)s products are off sale now. %(learners)s learners keep access.",
            learners,
        )
        text %= {"count": len(trainings), "learners": learners}
    messages.info(request, text)


def _named_text(training: TrainingProduct) -> str:
    learners = _learners_of([training])
    text = ngettext(
        "“%(product)s” goes off sale. %(learners)s learner has access, and keeps it.",
        "“%(product)s” goes off sale. %(learners)s learners have access, and keep it.",
        learners,
    )
    return text % {"product": training.product.get_title(), "learners": learners}


def _counted_text(trainings: list[TrainingProduct]) -> str:
    learners = _learners_of(trainings)
    going = ngettext(
        "%(count)s product goes off sale.",
        "%(count)s products go off sale.",
        len(trainings),
    )
    keeping = ngettext(
        "%(learners)s learner has access, and keeps it.",
        "%(learners)s learners have access, and keep it.",
        learners,
    )
    return f"{going} {keeping}" % {"count": len(trainings), "learners": learners}


def _learners_of(trainings: Iterable[TrainingProduct]) -> int:
    held = Access.objects.filter(training__in=list(trainings)).current(timezone.now())
    number: int = held.values("learner").distinct().count()
    return number


def _leaving(pages: Iterable[Any], *, with_subpages: bool) -> Q:
    """Return the condition that a page is unpublished with `pages`."""
    keys: set[int] = set()
    for page in pages:
        keys.add(page.pk)
        if with_subpages:
            keys.update(page.get_descendants().live().values_list("pk", flat=True))
    return Q(pk__in=keys) | Q(alias_of__in=keys)


def _on_sale(products: Iterable[int]) -> list[TrainingProduct]:
    found = TrainingProduct.objects.filter(
        product__in=list(products), product__is_public=True
    )
    return list(found.select_related("product__parent").order_by("product__title"))
