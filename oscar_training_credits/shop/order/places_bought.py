"""The places on somebody's orders, as the buyer sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from django.db.models import OuterRef, Subquery
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from ...aliases import Order, Request
from ...credits.access import places
from ...credits.models import Access, Place, PlaceMail
from .. import personal
from .settlements import lines_of


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """One place, as its buyer sees it."""

    place: Place
    link: str
    """What to hand out; empty for a place that nobody can claim any more."""
    access: Access | None
    mailed_to: str = ""
    """To whom the link was mailed last."""


@dataclass(frozen=True, slots=True)
class LinePlaces:
    """The places of one order line."""

    order: Order
    line: Any
    rows: tuple[PlaceRow, ...]
    to_take: PlaceRow | None = None
    """The place that the buyer could take, and would gain something from."""

    @property
    def free(self) -> tuple[PlaceRow, ...]:
        return tuple(row for row in self.rows if row.link)


def places_of(order: Order, *, request: Request) -> list[LinePlaces]:
    """Return the places of an order, for its buyer and nobody else.

    An order without any costs no query, as its lines say so.
    """
    if request is None or order.user_id is None or request.user.pk != order.user_id:
        return []
    lines = [line for line in lines_of(order) if getattr(line, "has_places", True)]
    return (
        _grouped(Place.objects.filter(order_line__in=lines), request) if lines else []
    )


def places_bought(request: Request) -> list[LinePlaces]:
    """Return all the places that the visitor has bought, the latest first."""
    bought = Place.objects.filter(order_line__order__user=request.user)
    return _grouped(bought, request)[::-1]


def _grouped(rows: Any, request: Request) -> list[LinePlaces]:
    rows = rows.select_related("order_line__order", "access__learner", "training")
    mails = PlaceMail.objects.filter(place=OuterRef("pk")).order_by("-pk")
    rows = rows.annotate(mailed_to=Subquery(mails.values("address")[:1]))
    in_order = rows.order_by("order_line", "number")
    groups = [
        _line_places(list(of_line), request)
        for _line, of_line in groupby(in_order, key=lambda place: place.order_line_id)
    ]
    if groups:
        personal.mark(request)
    wanted = [group.to_take.place for group in groups if group.to_take]
    gained = places.gained_from(request.user, wanted)
    return [_with_gain(group, gained) for group in groups]


def _line_places(of_line: list[Place], request: Request) -> LinePlaces:
    line: Any = of_line[0].order_line
    rows = tuple(_place_row(place, request) for place in of_line)
    held = any(row.access and row.access.learner_id == request.user.pk for row in rows)
    free = next((row for row in rows if row.link), None)
    return LinePlaces(line.order, line, rows, to_take=None if held else free)


def _with_gain(group: LinePlaces, gained: frozenset[int]) -> LinePlaces:
    """Offer the buyer nothing that would give them nothing."""
    if group.to_take and group.to_take.place.pk not in gained:
        return replace(group, to_take=None)
    return group


@sensitive_variables()
def claim_url(place: Place) -> str:
    """Return the address at which a place is claimed, without the domain: a secret."""
    return reverse("training_credits:claim", args=[places.link_text(place)])


@sensitive_variables()
def _place_row(place: Place, request: Request) -> PlaceRow:
    link = ""
    if place.is_free:
        link = request.build_absolute_uri(claim_url(place))
    mailed_to = getattr(place, "mailed_to", "") or ""
    return PlaceRow(place, link, getattr(place, "access", None), mailed_to)
