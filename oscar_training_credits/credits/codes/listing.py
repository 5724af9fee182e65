"""Lists of codes, searched, filtered and paged by indexes where there are a million."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import (
    BooleanField,
    Exists,
    F,
    Func,
    IntegerField,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce
from django.db.models.lookups import LessThan
from django.utils import timezone
from django.utils.functional import cached_property

from ..models import CreditCode, CreditGrant
from ..models.codes import CreditCodeQuerySet
from . import word_index

RECENT = 40_000
"""Where little is found among so many codes, more are looked through at once."""
STEP = 8
"""How many times as many that are: what is not rare may begin among older codes."""
FEW = 100_000
"""Of so many codes the holders are read sooner than the index of words."""
FIRST = 1_000
"""To so many of what is found the first pages of a list count."""


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts to `CAP` rows and no further; the pages end there.

    To count a million takes longer than to show a page of them, and to skip as many as
    well: whoever looks for something searches or filters.
    """

    CAP = 10_000
    found: int | None = None
    """How many rows there are, where that is known: of more than `most`, one more."""

    looked_for: int | None = None
    """How many rows were looked for at most, if not as many as any list has."""

    @property
    def most(self) -> int:
        """To how many rows it counts."""
        return self.CAP if self.looked_for is None else self.looked_for

    @cached_property
    def _counted(self) -> int:
        if self.found is not None:
            return self.found
        return int(self.rows().order_by().values("pk")[: self.most + 1].count())

    def rows(self) -> Any:
        """Return the queryset that is paged."""
        return self.object_list

    @property
    def is_capped(self) -> bool:
        """There are more rows than are counted."""
        return self._counted > self.most

    @property
    def count(self) -> int:
        return min(self._counted, self.most)


def matching(codes: CreditCodeQuerySet, term: str) -> CreditCodeQuerySet:
    """Narrow `codes` to those where words begin with each word of `term`.

    Words of the label, the holder, the reference, and the last four characters.
    """
    for word in term.split():
        codes = codes.filter(word_index.having(word, using=codes.db))
    return codes


def held_by(codes: CreditCodeQuerySet, term: str) -> CreditCodeQuerySet:
    """Narrow `codes` to those whose holder has words beginning as those of `term`."""
    is_few = codes.key_range is not None and len(codes.key_range) <= FEW
    for word in term.split():
        held = word_index.having_in_holder(word, using=codes.db, is_few=is_few)
        codes = codes.filter(held)
    return codes


def newest(
    find: Callable[[CreditCodeQuerySet], Any], most: int | None = None
) -> list[int]:
    """Return the keys of the newest `most` that are found, and one more.

    `find` narrows codes to those that are looked for. Without `most`, it is as many as
    the longest list shows.
    """
    most = CappedPaginator.CAP if most is None else most
    return first_keys(find, range(last_key(), 0, -1), most + 1)


def last_key() -> int:
    """Return the key of the code that was issued last; 0 if there is none."""
    return CreditCode.objects.aggregate(last=Max("pk"))["last"] or 0


def first_keys(
    find: Callable[[CreditCodeQuerySet], Any], among: range, most: int
) -> list[int]:
    """Return the first `most` keys that are found `among` some, in their order.

    `find` narrows codes to those that are looked for. It is given the codes that come
    first, then those after them: where many are found, most codes are never read.
    """
    found: list[int] = []
    seen, size = 0, 4 * most
    while seen < len(among) and len(found) < most:
        part = among[seen : seen + size]
        codes = find(CreditCode.objects.among(part if part.step > 0 else part[::-1]))
        found += _keys(codes, most - len(found), is_newest_first=part.step < 0)
        seen += len(part)
        if len(found) * 20 >= most:
            # As many as are likely to be enough.
            size = max(seen * (most - len(found)) * 5 // (4 * len(found)), 4 * most)
        else:
            size = RECENT if seen < RECENT else STEP * seen
    return found


def _keys(codes: Any, most: int, *, is_newest_first: bool) -> list[int]:
    # The database must not walk along the keys: what it would look for may be rare.
    key = F("pk") + 0
    in_order = codes.order_by(key.desc() if is_newest_first else key.asc())
    return list(in_order.values_list("pk", flat=True)[:most])


def of_keys(keys: Sequence[int]) -> CreditCodeQuerySet:
    """Return the codes with these keys."""
    return CreditCode.objects.filter(key_in("pk", keys))


def key_in(name: str, keys: Sequence[int]) -> Any:
    """Return the condition that a key is one of these, which may be thousands.

    As one parameter, where it can be: Django and the driver would adapt each.
    """
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        return Q((f"{name}__in", keys))
    return _IsAmong(F(name), Value("{" + ",".join(map(str, keys)) + "}"))


class _IsAmong(Func):
    arg_joiner = " = ANY("
    template = "(%(expressions)s::bigint[]))"
    output_field = BooleanField()


def with_balance(
    codes: CreditCodeQuerySet, at: datetime | None = None
) -> CreditCodeQuerySet:
    """Read along what each code holds, as `credits_left`: only for the rows shown."""
    return codes.annotate(credits_left=_balance(at or timezone.now()))


def holding_less(
    codes: CreditCodeQuerySet, credits: int, at: datetime | None = None
) -> CreditCodeQuerySet:
    """Narrow `codes` to those that hold fewer than `credits`; below 1 are used up."""
    at = at or timezone.now()
    most = credits - 1
    # What each grant of such a code must be; an index finds them.
    digits = len(str(most)) if most > 0 else 0
    small = Q(remaining_digits__lte=digits, remaining__lt=credits)
    few = codes.grants().filter(small | Q(expires_at__lte=at))
    # What merely exists is joined, and not summed up for each code.
    some = codes.grants().unexpired(at).filter(remaining__gt=0)
    less = (
        LessThan(_balance(at), credits)
        if most
        else ~Exists(some.filter(code=OuterRef("pk")))
    )
    return codes.filter(less, pk__in=few.values("code"))


def _balance(at: datetime) -> Coalesce:
    grants = CreditGrant.objects.unexpired(at).filter(code=OuterRef("pk"))
    total = grants.values("code").annotate(total=Sum("remaining")).values("total")
    return Coalesce(Subquery(total, output_field=IntegerField()), 0)
