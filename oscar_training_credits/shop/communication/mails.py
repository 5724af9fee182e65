"""Mails by Oscar's communication events: who gets one, and writing it to the outbox.

A mail is rendered when it is sent. Until then the outbox keeps the name of the function
that reads its context, and what that is called with: rows as ids, and plain values. So
a context is `partial(function, …)` of a function of a module, and no secret.

A site edits them as Oscar's: by templates, or by a row of the event in the dashboard.
A row that Django's admin saved unchanged has empty templates, with which Oscar would
send nothing and say nothing. It is read as a row that changes nothing: mails are
turned off by the setting `TRAINING_CREDITS_MAILS`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.sites.models import Site
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.debug import sensitive_variables
from oscar.core.loading import get_class, get_model

from ...aliases import Order
from ...conf import PLACE_TAKEN_BACK, settings
from ...credits import outbox
from ...credits.models import Delivery
from ...credits.wording import name_of
from ...exceptions import DeliveryDropped, NotMailed
from .contexts import Attachments, Context, as_call, as_json, called, from_json

logger = logging.getLogger("training_credits")

Messages = dict[str, str]


def send_to_user(
    event: str,
    user: Any,
    context: Context,
    *,
    key: str = "",
    attachments: Attachments | None = None,
) -> bool:
    """Mail a user about an event, once what was done is committed.

    Whoever has no address gets none, nor does anybody while the event is turned off.
    A mail server that is down undoes nothing: the mail is tried again. With a `key`, a
    text of 64 characters at most, there is one mail for it, ever. `attachments` is kept
    and called as the context is. Returns whether a mail was written.

    Raises:
        TypeError: the context is not one that can be read again later.
    """
    if not is_sent(event, address_of(user)):
        return False
    content = {"context": as_call(context)}
    if attachments:
        content["attachments"] = as_call(attachments)
    return _write(event, content, key=key, user=user)


def send_about_order(event: str, order: Order, context: Context) -> None:
    """Mail an order's customer about an event, by Oscar's dispatcher of orders.

    As `send_to_user` otherwise. A customer without an account gets it, too.
    """
    if is_sent(event, order.email):
        content = {"context": as_call(context), "order": as_json(order)}
        _write(event, content, user=order.user)


def send_to_address(event: str, address: str, context: Context) -> None:
    """Mail an address about an event; Oscar keeps nothing of it.

    As `send_to_user` otherwise.
    """
    if is_sent(event, address):
        _write(event, {"context": as_call(context)}, address=address)


def send(delivery: Delivery) -> None:
    """Render a mail of the outbox, and hand it to the mail server."""
    if delivery.kind not in settings.MAILS:
        raise DeliveryDropped(_("Mails of this kind are turned off."))
    content = delivery.content or {}
    context = called(content["context"])
    if content.get("order"):
        _mail_about_order(delivery.kind, from_json(content["order"]), context)
    elif delivery.user:
        attached = content.get("attachments")
        attachments = called(attached) if attached else list
        _mail_user(delivery.kind, delivery.user, context, attachments)
    elif delivery.address:
        _mail_address(delivery.kind, delivery.address, context)
    else:
        raise DeliveryDropped(_("The account is gone."))


@sensitive_variables()
def send_now(event: str, address: str, context: dict[str, Any]) -> None:
    """Send an address a mail that has a secret in it: at once, and kept nowhere.

    Raises:
        NotMailed: the mail server did not take it.
    """
    dispatcher = get_class("communication.utils", "Dispatcher")()
    with spoken_to(owner_of(address)):
        messages = messages_of(event, context, dispatcher)
        try:
            dispatcher.dispatch_direct_messages(address, messages)
        except Exception as error:
            # A mail backend may raise anything, and whoever asks is to know.
            logger.exception("A mail was not sent: %s", event)
            raise NotMailed(address) from error


def owner_of(address: str) -> Any:
    """Return an account with this address, whose language its mails have, or None."""
    User = get_user_model()
    field = User.get_email_field_name()
    return User._default_manager.filter(**{f"{field}__iexact": address}).first()


def is_sent(event: str, address: str | None) -> bool:
    return bool(address) and event in settings.MAILS


def address_of(user: Any) -> str:
    return str(getattr(user, user.get_email_field_name(), "") or "")


def key_of(*cause: object) -> str:
    """Return the key of the one mail that tells of a cause: texts, numbers, moments."""
    parts = [each.timestamp() if isinstance(each, datetime) else each for each in cause]
    return uuid5(NAMESPACE_OID, f"{tuple(parts)}").hex


def notice(event: str, *, name: str, address: str | None) -> str:
    """Return what staff are told before they confirm: whether a mail goes out."""
    if event not in settings.MAILS:
        return _("No mail is sent about it.")
    if not address:
        text = _("No mail is sent about it: %(name)s has no e-mail address.")
        return text % {"name": name or _("the customer")}
    return _("A mail about it goes to %(address)s.") % {"address": address}


def notice_about_order(event: str, order: Order) -> str:
    return notice(event, name=name_of(order.user), address=order.email)


def notice_of_places(lines: Iterable[Any]) -> str:
    """Return what staff are told of those who lose a place on these; empty for nobody.

    Each of `lines` says how many of its places that were claimed go.
    """
    if not any(line.claimed_places for line in lines):
        return ""
    if PLACE_TAKEN_BACK not in settings.MAILS:
        return _("Who loses a place gets no mail.")
    return _("Who loses a place gets a mail about it, if their address is known.")


def messages_of(event: str, context: dict[str, Any], dispatcher: Any) -> Messages:
    """Return the subject and the bodies of a mail; none of them is empty by mistake."""
    messages: Messages = dispatcher.get_messages(event, context)
    if messages["subject"] and (messages["body"] or messages["html"]):
        return messages
    EventType = get_model("communication", "CommunicationEventType")
    full = dispatcher.get_base_context(**context)
    shipped: Messages = EventType(code=event).get_messages(full)
    if not (messages["body"] or messages["html"]):
        messages |= {"body": shipped["body"], "html": shipped["html"]}
    return {**messages, "subject": messages["subject"] or shipped["subject"]}


def status_path(order: Order) -> str:
    """Return where the customer sees an order; empty for a shop without that page."""
    name, known = "customer:order", {"order_number": order.number}
    if order.user is None:
        name = "customer:anon-order"
        known["hash"] = order.verification_hash()
    try:
        return reverse(name, kwargs=known)
    except NoReverseMatch:
        return ""


def absolute(address: str) -> str:
    """Return an address as a mail needs it; one with a host stays as it is."""
    if not address.startswith("/"):
        return address
    domain = Site.objects.get_current().domain
    return f"{django_settings.OSCAR_URL_SCHEMA}://{domain}{address}"


@contextmanager
def spoken_to(user: Any) -> Iterator[None]:
    """Speak to a user in their language, and in the time zone of the site."""
    language = settings.load("LEARNER_LANGUAGE")(user)
    with override(language), timezone.override(timezone.get_default_timezone()):
        yield


def _write(
    event: str, content: dict[str, Any], *, key: str = "", **receiver: Any
) -> bool:
    delivery = Delivery(
        channel=Delivery.Channel.MAIL,
        key=key or uuid4().hex,
        is_kept=bool(key),
        kind=event,
        content=content,
        **receiver,
    )
    if key:
        return outbox.write_once(delivery)
    outbox.write([delivery])
    return True


def _mail_user(
    event: str, user: Any, context: Context, attachments: Attachments
) -> None:
    if not address_of(user):
        raise DeliveryDropped(_("The account has no e-mail address."))
    dispatcher = get_class("communication.utils", "Dispatcher")()
    with spoken_to(user):
        messages = messages_of(event, {"user": user, **context()}, dispatcher)
        dispatcher.dispatch_user_messages(user, messages, attachments())


def _mail_about_order(event: str, order: Order, context: Context) -> None:
    if not order.email:
        raise DeliveryDropped(_("The account has no e-mail address."))
    sender = get_class("order.utils", "OrderDispatcher")()
    with spoken_to(order.user):
        known = {"order": order, "user": order.user, "status_path": status_path(order)}
        messages = messages_of(event, {**known, **context()}, sender.dispatcher)
        sender.dispatch_order_messages(order, messages, event)


def _mail_address(event: str, address: str, context: Context) -> None:
    dispatcher = get_class("communication.utils", "Dispatcher")()
    with spoken_to(owner_of(address)):
        messages = messages_of(event, context(), dispatcher)
        dispatcher.dispatch_direct_messages(address, messages)
