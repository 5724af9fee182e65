"""Lists of codes, searched, filtered and paged by indexes where there are a million."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import IntegerField, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.db.models.lookups import LessThan
from django.utils import timezone
from django.utils.functional import cached_property

from ..models import CreditGrant
from ..models.codes import CreditCodeQuerySet


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts to `CAP` rows and no further; the pages end there.

    To count a million takes longer than to show a page of them, and to skip as many as
    well: whoever looks for something searches or filters.
    """

    CAP = 10_000

    @cached_property
    def _counted(self) -> int:
        return int(self.rows().order_by().values("pk")[: self.CAP + 1].count())

    def rows(self) -> Any:
        """Return the queryset that is paged."""
        return self.object_list

    @property
    def is_capped(self) -> bool:
        """There are more rows than are counted."""
        return self._counted > self.CAP

    @property
    def count(self) -> int:
        return min(self._counted, self.CAP)


def matching(codes: CreditCodeQuerySet, term: str) -> CreditCodeQuerySet:
    """Narrow `codes` to those that each word of `term` is found in.

    It is a part of the label, or the last four characters of the code.
    """
    for word in term.split():
        named = Q(label__icontains=word)
        codes = codes.filter(named | Q(last_four=word.upper()))
    return codes


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
    small = Q(remaining_digits__lte=len(str(most)) if most > 0 else 0)
    few = CreditGrant.objects.filter(small | Q(expires_at__lte=at))
    return codes.filter(LessThan(_balance(at), credits), pk__in=few.values("code"))


def _balance(at: datetime) -> Coalesce:
    grants = CreditGrant.objects.unexpired(at).filter(code=OuterRef("pk"))
    total = grants.values("code").annotate(total=Sum("remaining")).values("total")
    return Coalesce(Subquery(total, output_field=IntegerField()), 0)
