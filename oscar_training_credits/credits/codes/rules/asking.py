"""What the rules are asked, and asking them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, cast

from django.utils import timezone

from ....conf import settings
from ...models import CreditCode
from ..refusals import Refusal

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


@dataclass(frozen=True, slots=True)
class Purchase:
    """Who wants to buy what, and when."""

    learner: AbstractBaseUser | None = None
    """None for a visitor who has not logged in."""
    product_ids: frozenset[int] = frozenset()
    """The products whose price in credits is to be paid; empty for any."""
    at: datetime = field(default_factory=timezone.now)


Rule = Callable[[CreditCode, Purchase], "Refusal | None"]


def first_refusal(code: CreditCode, purchase: Purchase) -> Refusal | None:
    """Return why `code` can't be used for `purchase`, or None if it can."""
    return next(refusals(code, purchase), None)


def refusals(code: CreditCode, purchase: Purchase) -> Iterator[Refusal]:
    """Return one after the other all reasons why `code` can't be used."""
    return filter(None, (refusal for _rule, refusal in answers(code, purchase)))


def answers(
    code: CreditCode, purchase: Purchase
) -> Iterator[tuple[Rule, Refusal | None]]:
    """Ask each of the site's rules in turn; yield it with its refusal, or None."""
    rules = cast("list[Rule]", settings.load_all("CODE_RULES"))
    return ((rule, rule(code, purchase)) for rule in rules)
