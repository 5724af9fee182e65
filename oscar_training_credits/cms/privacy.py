"""Pages that are private in Wagtail: who may buy what they sell, and who opens them.

Who may not open a page isn't sold what it sells. What was bought opens its page,
whatever restriction is laid on it: access is the buyer's way in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from types import SimpleNamespace
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import (
    BooleanField,
    ExpressionWrapper,
    Q,
    QuerySet,
    prefetch_related_objects,
)
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from wagtail.models import PageViewRestriction

from ..aliases import Request
from ..credits.access import status
from .selling import sells_training, sold_only_by

LOGIN, GROUPS = PageViewRestriction.LOGIN, PageViewRestriction.GROUPS
PASSWORD = PageViewRestriction.PASSWORD
CLOSING = (GROUPS, PASSWORD)
"""Those that not everybody who logs in can meet."""
READ_ALONG = "training_credits_restrictions"

Serve = Callable[[Any, Any, Any, Any], Any]


# Who is sold what a private page sells


def closed_to(learner: Any, *, request: Request = None) -> dict[int, str]:
    """Return why `learner` can't open the live page that sells a product, by product.

    They are logged in. Without a request nobody knows what passwords they entered, so
    these are not asked for. One query where no page is private, and two more for each
    page model, whatever the number of pages, where some are closed to them.
    """
    unmet = list(_unmet(learner, request=request))
    if not unmet:
        return {}
    shut = {
        kind: _paths_below(each for each in unmet if each.restriction_type == kind)
        for kind in (GROUPS, PASSWORD)
    }
    return {
        product_id: _reason(GROUPS if path.startswith(shut[GROUPS]) else PASSWORD)
        for product_id, path in sold_only_by(is_below(shut[GROUPS] + shut[PASSWORD]))
    }


def _reason(kind: str) -> str:
    if kind == PASSWORD:
        return _("This opens with a password. Enter it on its page before you buy.")
    return _("Only certain learners may open this, and you are not one of them.")


def _unmet(learner: Any, *, request: Request) -> Iterator[Any]:
    """Yield the restrictions that `learner` does not meet, of the whole site."""
    session = getattr(request, "session", None)
    kinds = (GROUPS,) if session is None else CLOSING
    read = _take_read_along(request)
    if read is None:
        found = PageViewRestriction.objects.filter(restriction_type__in=kinds)
        read = list(found.prefetch_related("groups"))
    restrictions = [each for each in read if each.restriction_type in kinds]
    if not restrictions:
        return
    # A copy, as what is read ahead here must not be what others see later.
    learner = copy(learner)
    prefetch_related_objects([learner], "groups")
    visitor = SimpleNamespace(user=learner, session=session)
    for restriction in restrictions:
        if not restriction.accept_request(visitor):
            yield restriction


def _paths_below(restrictions: Iterable[Any]) -> tuple[str, ...]:
    """Return where the branches of pages begin that are restricted so.

    As Wagtail has it, an alias has the restrictions of its source, and none of its own.
    """
    pages = {restriction.page_id for restriction in restrictions}
    if not pages:
        return ()
    restricted = Q(pk__in=pages, alias_of=None) | Q(alias_of__in=pages)
    found = _page_model()._default_manager.filter(restricted)
    return tuple(found.values_list("path", flat=True))


def _page_model() -> Any:
    """Return the model of all pages: with `WAGTAIL_PAGE_MODEL` not Wagtail's own."""
    return PageViewRestriction._meta.get_field("page").related_model


def is_below(paths: Iterable[str]) -> Q:
    """Return the condition that a page is on one of these paths, or below."""
    found = Q(pk__in=[])
    for path in paths:
        found |= Q(path__startswith=path)
    return found


# Who opens a private page


def open_to_learners(serve: Serve) -> Serve:
    """Wrap how Wagtail serves a page: what was bought opens past its restrictions.

    So do the pages below it, save where one has a restriction of its own.
    """

    def open_and_serve(page: Any, request: Request, args: Any, kwargs: Any) -> Any:
        if request.user.is_authenticated:
            restrictions = _restrictions_of(page, request)
            _lift(restrictions, page, request)
            # For this request, and this instance. What is lifted is still there, so
            # that whoever asks, Wagtail and caches, keeps the answer private.
            page.get_view_restrictions = lambda: restrictions
        return serve(page, request, args, kwargs)

    return open_and_serve


def _restrictions_of(page: Any, request: Request) -> list[Any]:
    """Return the restrictions of `page`, read with those that `closed_to` asks for.

    The box of a page asks that of the whole site: a query less.
    """
    own = page.get_view_restrictions()
    if not (sells_training(page) and isinstance(own, QuerySet)):
        return list(own)
    closing = PageViewRestriction.objects.filter(restriction_type__in=CLOSING)
    of_page = ExpressionWrapper(Q(pk__in=own.values("pk")), BooleanField())
    every = (own | closing).annotate(is_of_page=of_page).prefetch_related("groups")
    # Copies, as those of the page may be lifted, which is true of this page alone.
    setattr(request, READ_ALONG, list(map(copy, every)))
    return [each for each in every if each.is_of_page]


def _take_read_along(request: Request) -> list[Any] | None:
    """Return what was read with the page, once: who asks again wants it anew."""
    read: list[Any] | None = getattr(request, READ_ALONG, None)
    if read is not None:
        setattr(request, READ_ALONG, None)
    return read


def _lift(restrictions: list[Any], page: Any, request: Request) -> None:
    """Let the visitor pass those that lie on what they have access to, or above."""
    unmet = [each for each in restrictions if not each.accept_request(request)]
    if not unmet:
        return
    above = page.get_ancestors(inclusive=True).order_by("-depth").specific()
    lower: set[int] = set()
    for each in above:
        if _has_access(request.user, each):
            for restriction in unmet:
                if restriction.page_id not in lower:
                    restriction.accept_request = lambda _request: True
            return
        lower.add(each.alias_of_id or each.pk)


def _has_access(learner: Any, page: Any) -> bool:
    training = page.training if sells_training(page) else None
    return bool(training and status.has_access(learner, training))


# What editors are told


def note_on(page: Any) -> str:
    """Return what an editor is told of a page that is private; empty if it is not."""
    if page.product is None or not page.pk:
        return ""
    restrictions = list(page.get_view_restrictions().prefetch_related("groups"))
    notes = [_note(restriction) for restriction in restrictions]
    if not notes:
        return ""
    kept = _("Who has access already keeps it, and opens the page all the same.")
    return " ".join([_("This page is private."), *dict.fromkeys(notes), kept])


def _note(restriction: Any) -> str:
    kind = restriction.restriction_type
    if kind == LOGIN:
        return _("Visitors see it, and can buy, once they have logged in.")
    if kind == PASSWORD:
        return _(
            "The shop sells its product only to those who have entered its password."
        )
    if is_for_nobody(restriction):
        return _("Its groups have no members, so nobody can buy its product.")
    names = [f"“{group}”" for group in restriction.groups.all()]
    text = _("The shop sells its product only to members of %(groups)s.")
    return text % {"groups": get_text_list(names, _("or"))}


def is_for_nobody(restriction: Any) -> bool:
    """Tell whether a restriction names groups, and nobody is in any of them."""
    if restriction.restriction_type != GROUPS:
        return False
    users = get_user_model()._default_manager.filter(is_active=True)
    return not users.filter(groups__in=restriction.groups.all()).exists()


def private_paths() -> tuple[str, ...]:
    """Return where the branches begin that not everybody who buys may open."""
    restrictions = PageViewRestriction.objects.exclude(restriction_type=LOGIN)
    return _paths_below(restrictions)
