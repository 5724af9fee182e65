"""What happens to credits, written for those who want to be told, in its transaction.

Each endpoint has a message of its own with an id of its own, in the queue of the code
that it is about: what happens to one code arrives in the order in which it happened.
Nothing is sent here, as nobody who buys should wait for another system.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timezone as zones
from typing import Any
from uuid import uuid4

from django.utils import timezone

from ...conf import settings
from .. import outbox
from ..models import (
    Access,
    CodeChange,
    CreditCode,
    CreditRequest,
    Delivery,
    EventType,
    LedgerEntry,
    Redemption,
    Refund,
    WebhookEndpoint,
)

CHANGES: dict[str, str] = {
    CodeChange.Kind.ISSUED: EventType.CODE_ISSUED,
    CodeChange.Kind.EDITED: EventType.CODE_EDITED,
    CodeChange.Kind.EXTENDED: EventType.CODE_EXTENDED,
    CodeChange.Kind.ROTATED: EventType.CODE_ROTATED,
    CodeChange.Kind.DISABLED: EventType.CODE_DISABLED,
    CodeChange.Kind.ENABLED: EventType.CODE_ENABLED,
    CodeChange.Kind.CLOSED: EventType.CODE_CLOSED,
}
"""Of all changes of a code those that are told as such. Others move credits alone."""
MOVEMENTS: dict[str, str] = {
    LedgerEntry.Kind.GRANT: EventType.CREDITS_GRANTED,
    LedgerEntry.Kind.ADJUST: EventType.CREDITS_ADJUSTED,
    LedgerEntry.Kind.LAPSE: EventType.CREDITS_LAPSED,
    LedgerEntry.Kind.MOVE: EventType.CREDITS_MOVED,
}
"""Of all entries of the ledger those that no order is about."""


def code_changed(
    sender: Any, *, instance: CodeChange, created: bool, raw: bool, **kwargs: Any
) -> None:
    """Tell that something was done to a code. A receiver of `post_save`."""
    event = CHANGES.get(instance.kind)
    if not event or not created or raw or not (endpoints := _listening(event)):
        return
    fields = sorted({name for name, _before, _after in instance.details})
    _write_of_code(
        endpoints,
        event,
        instance.code,
        reason=instance.reason or None,
        fields=fields,
        by=_key(instance.changed_by_id),
    )


def credits_moved(
    sender: Any, *, instance: LedgerEntry, created: bool, raw: bool, **kwargs: Any
) -> None:
    """Tell that credits came or went without an order. A receiver of `post_save`."""
    event = MOVEMENTS.get(instance.kind)
    if event and created and not raw and (endpoints := _listening(event)):
        _write_of_credits(endpoints, event, instance.grant.code, instance.credits)


def codes_issued(issued: Iterable[tuple[CreditCode, int]]) -> None:
    """Tell that many codes were issued together, with their credits: in one event."""
    event = EventType.CODES_ISSUED
    if endpoints := _listening(event):
        codes = [
            {"id": code.pk, "last_four": code.last_four, "credits": credits}
            for code, credits in issued
        ]
        _write(endpoints, event, {"codes": codes}, queue="codes")


def redeemed(redemptions: Iterable[Redemption], *, were_held: bool) -> None:
    """Tell that credits were spent. Those that were held have left the code before."""
    event = EventType.CREDITS_REDEEMED
    _tell_of_redemptions(event, redemptions, sign=-1, were_held=were_held)


def held(redemptions: Iterable[Redemption]) -> None:
    _tell_of_redemptions(EventType.CREDITS_HELD, redemptions, sign=-1)


def released(redemptions: Iterable[Redemption]) -> None:
    _tell_of_redemptions(EventType.CREDITS_RELEASED, redemptions, sign=1)


def refunded(refunds: Iterable[Refund]) -> None:
    event = EventType.CREDITS_REFUNDED
    endpoints = _listening(event)
    for each in refunds if endpoints else ():
        code, about = each.redemption.code, _about(each.redemption)
        _write_of_credits(endpoints, event, code, each.credits, refund=each.pk, **about)


def access_changed(rows: Iterable[Access], kind: str) -> None:
    """Tell that access was given, changed or ended; `kind` is that of its change."""
    event = f"access.{kind}"
    if not (endpoints := _listening(event)):
        return
    for access in rows:
        data = {
            "access": access.pk,
            "learner": _key(access.learner_id),
            "training": access.training_id,
            "starts_at": _moment(access.starts_at),
            "ends_at": _moment(access.ends_at),
        }
        _write(endpoints, event, data, queue=f"access-{access.pk}")


def request_changed(request: CreditRequest) -> None:
    """Tell that credits were asked for, or that a request was answered."""
    event = f"request.{request.state}"
    if not (endpoints := _listening(event)):
        return
    data = {
        "request": request.pk,
        "learner": _key(request.learner_id),
        "code": request.code_id,
        "child": request.child_id,
        "credits": request.credits,
    }
    _write(endpoints, event, data, queue=f"request-{request.pk}")


def try_out(endpoint: WebhookEndpoint) -> Delivery:
    """Write a message that says nothing, for somebody who tries an endpoint.

    It waits for no other one, nor for a test before it that failed.
    """
    (delivery,) = _write([endpoint], EventType.TEST, {}, queue="")
    return delivery


def _tell_of_redemptions(
    event: str, redemptions: Iterable[Redemption], *, sign: int, **more: Any
) -> None:
    endpoints = _listening(event)
    for each in redemptions if endpoints else ():
        about, credits = {**_about(each), **more}, sign * each.credits
        _write_of_credits(endpoints, event, each.code, credits, **about)


def _about(redemption: Redemption) -> dict[str, Any]:
    return {
        "redemption": redemption.pk,
        "order_number": redemption.order_number,
        "learner": _key(redemption.learner_id),
    }


def _write_of_credits(
    endpoints: list[WebhookEndpoint],
    event: str,
    code: CreditCode,
    credits: int,
    **more: Any,
) -> None:
    balance = code.balance()
    _write_of_code(endpoints, event, code, credits=credits, balance=balance, **more)


def _write_of_code(
    endpoints: list[WebhookEndpoint], event: str, code: CreditCode, **data: Any
) -> None:
    shown = {
        "id": code.pk,
        "label": code.label,
        "last_four": code.last_four,
        "reference": code.reference,
        "holder": code.holder,
        "is_test": code.is_test,
    }
    _write(endpoints, event, {"code": shown, **data}, queue=f"code-{code.pk}")


def _listening(event: str) -> list[WebhookEndpoint]:
    if not settings.WEBHOOKS:
        return []
    enabled = WebhookEndpoint.objects.filter(is_enabled=True).order_by("pk")
    return [endpoint for endpoint in enabled if endpoint.hears(event)]


def _write(
    endpoints: Iterable[WebhookEndpoint],
    event: str,
    data: dict[str, Any],
    *,
    queue: str,
) -> list[Delivery]:
    content = {"type": event, "timestamp": _moment(timezone.now()), "data": data}
    return outbox.write_for_later(
        Delivery(
            channel=Delivery.Channel.WEBHOOK,
            key=uuid4().hex,
            queue=f"webhook-{endpoint.pk}-{queue}" if queue else "",
            kind=event,
            endpoint=endpoint,
            content=content,
            is_kept=False,
        )
        for endpoint in endpoints
    )


def _moment(moment: Any) -> str | None:
    if moment is None:
        return None
    return str(moment.astimezone(zones.utc).isoformat().replace("+00:00", "Z"))


def _key(pk: Any) -> str | None:
    # A text, as a site's primary keys may be of any kind.
    return None if pk is None else str(pk)
