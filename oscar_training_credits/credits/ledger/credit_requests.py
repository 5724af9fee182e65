"""Requests for credits: asked by learners, answered by managers or staff.

An approved request has a child code of its own: for this learner, this content and
one order, with so many credits. Codes are locked before the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from ...conf import settings
from ...exceptions import (
    NotApproved,
    NotAsked,
    NotCut,
    NotEnoughCredits,
    RequestDecided,
    WiderThanParent,
)
from .. import wording
from ..codes import history, managing
from ..codes.rules import payable_products
from ..isolation import own_transaction
from ..locking import for_update
from ..models import (
    CodeManager,
    CreditCode,
    CreditRequest,
    CreditRequestLine,
    TrainingProduct,
)
from ..webhooks import events
from . import cutting

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

State = CreditRequest.State
MOST_A_DAY = 20
"""How often one learner may ask in 24 hours: each time people get a mail."""


def ask(
    learner: AbstractBaseUser,
    wanted: Mapping[TrainingProduct, int],
    *,
    code: CreditCode | None = None,
    note: str = "",
    in_basket: bool = False,
) -> tuple[CreditRequest, bool]:
    """Ask for the credits that so many of each training product cost today.

    `code` is what the learner tried, and may know of. Asked again for the same while
    that is open, nothing is done. With `in_basket` it is bought in the shop's basket,
    else in place on its page. Returns the request, and whether it is new.

    Raises:
        NotAsked: nothing of it costs credits, or the learner has asked too often.
    """
    credits = sum((each.credits or 0) * number for each, number in wanted.items())
    if credits < 1:
        raise NotAsked(_("There is nothing here that needs credits."))
    content = sorted((each.pk, number) for each, number in wanted.items())
    key = ",".join([f"{learner.pk}", *(f"{pk}x{number}" for pk, number in content)])
    if len(key) > 255:
        raise NotAsked(_("That is too much for one request. Ask for less at once."))
    open_one = CreditRequest.objects.filter(open_key=key)
    if earlier := open_one.first():
        return earlier, False
    _refuse_too_many(learner)
    try:
        with own_transaction():
            request = CreditRequest.objects.create(
                learner_id=learner.pk,
                code=code,
                credits=credits,
                note=note,
                in_basket=in_basket,
                open_key=key,
            )
            CreditRequestLine.objects.bulk_create(
                CreditRequestLine(request=request, training_id=pk, quantity=number)
                for pk, number in content
            )
            events.request_changed(request)
    except IntegrityError:
        # A second click at the same moment.
        return open_one.get(), False
    return request, True


@own_transaction()
def approve(
    request: CreditRequest, *, parent: CreditCode, by: AbstractBaseUser | None = None
) -> CreditRequest:
    """Cut the child code that a request asks for from `parent`.

    The second time nothing is done.

    Raises:
        RequestDecided: it was declined, withdrawn, or has expired.
        NotApproved: the code has too few credits, or must not be used for this.
    """
    parent = history.lock(parent)
    locked = _lock(request)
    if locked.state == State.APPROVED:
        return locked
    _refuse_decided(locked)
    _refuse_unfit(locked, parent)
    try:
        child = _cut(locked, parent, by)
    except NotEnoughCredits as error:
        raise NotApproved(_too_few(locked, parent)) from error
    except WiderThanParent as wider:
        raise NotApproved(_wider_text(wider.field)) from wider
    except NotCut as error:
        text = _("No credits can be moved from this code: choose another one.")
        raise NotApproved(text) from error
    return _decide(locked, State.APPROVED, by, child=child)


@own_transaction()
def decline(
    request: CreditRequest, *, reason: str, by: AbstractBaseUser | None = None
) -> CreditRequest:
    """Decline a request, with a reason for the learner; nothing the second time.

    Raises:
        RequestDecided: it was approved, withdrawn, or has expired.
    """
    locked = _lock(request)
    if locked.state == State.DECLINED:
        return locked
    _refuse_decided(locked)
    return _decide(locked, State.DECLINED, by, reason=reason)


@own_transaction()
def withdraw(request: CreditRequest) -> CreditRequest:
    """Take a request back, for its learner; nothing the second time.

    Raises:
        RequestDecided: it was answered, or has expired.
    """
    locked = _lock(request)
    if locked.state == State.WITHDRAWN:
        return locked
    _refuse_decided(locked)
    return _decide(locked, State.WITHDRAWN, None)


@own_transaction()
def expire_requests(at: datetime | None = None) -> int:
    """End the requests that nobody has answered in time; return how many.

    The time is `TRAINING_CREDITS_REQUEST_DAYS`. Safe to run at any time.
    """
    at = at or timezone.now()
    late = CreditRequest.objects.filter(
        state=State.OPEN, created_at__lte=at - timedelta(days=settings.REQUEST_DAYS)
    )
    ended = {"state": State.EXPIRED, "open_key": None, "decided_at": at}
    requests = list(for_update(late.order_by("pk")))
    late.filter(pk__in=[each.pk for each in requests]).update(**ended)
    for request in requests:
        request.state = State.EXPIRED
        events.request_changed(request)
    return len(requests)


def requests_of(learner: Any) -> QuerySet[CreditRequest]:
    """Return what a learner has asked for."""
    return with_content(CreditRequest.objects.filter(learner=learner.pk))


def requests_to(manager: Any) -> QuerySet[CreditRequest]:
    """Return the requests that a manager may answer. Nobody else may see them."""
    own = managing.codes_of(manager).values("pk")
    return with_content(CreditRequest.objects.filter(code__in=own))


def with_content(requests: QuerySet[CreditRequest]) -> QuerySet[CreditRequest]:
    """Read along who asks, for what, and with which code; the latest come first."""
    named = requests.select_related("learner", "code", "child", "decided_by")
    content = "lines__training__product__parent"
    return named.prefetch_related(content, "child__grants").order_by("-pk")


def has_manager(code: CreditCode | None) -> bool:
    """Tell whether somebody on the customer's side could answer."""
    return code is not None and managers_of([code]).exists()


def managers_of(codes: Iterable[CreditCode]) -> QuerySet[CodeManager]:
    """Return the managers of these codes who have accepted."""
    accepted = CodeManager.objects.filter(code__in=list(codes), user__isnull=False)
    return accepted.select_related("user").order_by("pk")


def _refuse_too_many(learner: AbstractBaseUser) -> None:
    since = timezone.now() - timedelta(days=1)
    asked = CreditRequest.objects.filter(learner_id=learner.pk, created_at__gt=since)
    if asked.count() >= MOST_A_DAY:
        raise NotAsked(_("You have asked often today. Try again tomorrow."))


def _lock(request: CreditRequest) -> CreditRequest:
    return for_update(CreditRequest.objects.order_by("pk")).get(pk=request.pk)


def _refuse_decided(request: CreditRequest) -> None:
    if not request.is_open:
        raise RequestDecided(request.state)


def _refuse_unfit(request: CreditRequest, parent: CreditCode) -> None:
    """Refuse a code whose child could not pay for what is asked for."""
    products = {line.training.product_id for line in request.lines.all()}
    cap = parent.credits_per_learner
    if not products:
        raise NotApproved(_("What was asked for is not on sale any more."))
    if parent.starts_at and parent.starts_at > timezone.now():
        raise NotApproved(_("This code can't be used yet: choose another one."))
    if payable_products(parent, products) != products:
        text = _("This code can't pay for this content: choose another one.")
        raise NotApproved(text)
    if cap is not None and cap < request.credits:
        text = _("This code allows each learner %(most)s at most.")
        raise NotApproved(text % {"most": wording.in_words(cap)})


def _cut(
    request: CreditRequest, parent: CreditCode, by: AbstractBaseUser | None
) -> CreditCode:
    terms: cutting.ChildTerms = {
        "learners": [request.learner],
        "one_order_only": True,
        "notes": _("For a request for credits: %(content)s.")
        % {"content": request.content},
    }
    try:
        with transaction.atomic():
            ends = {"expires_at": _end_of_child(parent)}
            return _cut_child(request, parent, by, {**terms, **ends})
    except WiderThanParent as wider:
        if wider.field != "expires_at":
            raise
    # The credits themselves end earlier: so does the child, by itself.
    return _cut_child(request, parent, by, dict(terms))


def _cut_child(
    request: CreditRequest,
    parent: CreditCode,
    by: AbstractBaseUser | None,
    terms: dict[str, Any],
) -> CreditCode:
    label = f"{parent.label}: {wording.name_of(request.learner)}"[:200]
    record: history.Record = {"by": by, "idempotency_key": f"request:{request.pk}"}
    issued = cutting.cut_code(
        parent, request.credits, label=label, record=record, **terms
    )
    return issued.code


def _end_of_child(parent: CreditCode) -> datetime | None:
    # Access that ends with the code must not end with the time to answer.
    if parent.ends_access:
        return parent.expires_at
    end = timezone.now() + timedelta(days=settings.REQUEST_DAYS)
    return min(end, parent.expires_at) if parent.expires_at else end


def _decide(
    request: CreditRequest,
    state: str,
    by: AbstractBaseUser | None,
    *,
    child: CreditCode | None = None,
    reason: str = "",
) -> CreditRequest:
    request.state = state
    request.open_key = None
    request.child = child
    request.reason = reason
    request.decided_at = timezone.now()
    request.decided_by_id = by.pk if by else None
    request.save()
    request.decided_now = True
    events.request_changed(request)
    return request


def _too_few(request: CreditRequest, parent: CreditCode) -> str:
    text = _("Only %(left)s are left on this code, and %(asked)s are asked for.")
    return text % {
        "left": wording.in_words(parent.balance()),
        "asked": wording.in_words(request.credits),
    }


def _wider_text(field: str) -> str:
    if field == "learners":
        return _("This code is not for this learner: choose another one.")
    return _("This code does not allow that: choose another one.")
