"""Staff make webhooks in the dashboard, try them out, and look after them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits.credits import outbox
from oscar_training_credits.credits.models import Delivery, WebhookEndpoint
from oscar_training_credits.credits.webhooks import endpoints
from oscar_training_credits.test.factories import make_code

from ...support.receiver import Receiver
from ...support.roles import NOBODY, client_in, client_of
from ...support.shop import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

VIEW, ADD, CHANGE, DELETE = ALL = (
    "view_webhookendpoint",
    "add_webhookendpoint",
    "change_webhookendpoint",
    "delete_webhookendpoint",
)
LIST = reverse("training_credits:webhook-list")
NEW = reverse("training_credits:webhook-create")
PAGES = {
    "webhook-list": VIEW,
    "webhook-create": ADD,
    "webhook": VIEW,
    "webhook-edit": CHANGE,
    "webhook-switch": CHANGE,
    "webhook-rotate": CHANGE,
    "webhook-try": CHANGE,
    "webhook-replay": CHANGE,
    "webhook-delete": DELETE,
}


@pytest.fixture
def staff():
    return client_of(*ALL, "view_delivery", "change_delivery")


@pytest.fixture
def endpoint(receiver) -> WebhookEndpoint:
    return endpoints.make_endpoint(receiver.url, description="Accounting")


def page(name: str, endpoint: WebhookEndpoint) -> str:
    return reverse(f"training_credits:{name}", args=[endpoint.pk])


def secret_on(response: Any) -> str:
    found = re.search(r'value="(whsec_[\w+/=]+)"', response.content.decode())
    return found.group(1) if found else ""


def form_of(client: Any, receiver: Receiver, **more: Any) -> dict[str, Any]:
    salt = client.get(NEW).context["form"]["salt"].value()
    return {"description": "CRM", "url": receiver.url, "salt": salt, **more}


def test_a_webhook_is_made_once_and_its_secret_shown_once(staff, receiver):
    form = form_of(staff, receiver, events=["code.rotated"])

    staff.post(NEW, form)
    shown = staff.post(NEW, form, follow=True)

    endpoint = WebhookEndpoint.objects.get()
    assert secret_on(shown) == endpoints.secret_of(endpoint)
    assert endpoint.events == ["code.rotated"]
    assert endpoint.created_by == staff.user
    assert secret_on(staff.get(page("webhook", endpoint))) == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"url": "https://localhost/"}, "inner network"),
        ({"url": "http://example.com/"}, "must begin with https"),
        ({"url": ""}, "required"),
        ({"description": ""}, "required"),
        ({"events": ["all"]}, "not one of the available choices"),
    ],
)
def test_a_webhook_that_makes_no_sense_is_not_made(staff, receiver, more, said):
    response = staff.post(NEW, form_of(staff, receiver, **more))

    assert said in text_of(response)
    assert not WebhookEndpoint.objects.exists()


def test_a_test_says_whether_it_arrived(staff, receiver, endpoint):
    arrived = staff.post(page("webhook-try", endpoint), follow=True)
    receiver.answers = [500]
    failed = staff.post(page("webhook-try", endpoint), follow=True)

    assert "It has arrived." in text_of(arrived)
    assert "It did not arrive: The receiver answered 500." in text_of(failed)


def test_a_new_secret_is_shown_and_a_second_click_makes_no_other(staff, endpoint):
    form = {"former": endpoint.salt}

    first = staff.post(page("webhook-rotate", endpoint), form, follow=True)
    again = staff.post(page("webhook-rotate", endpoint), form, follow=True)

    assert secret_on(first) == secret_on(again) != endpoints.secret_of(endpoint)


def test_a_webhook_is_switched_off_and_on(staff, receiver, endpoint):
    switch = page("webhook-switch", endpoint)
    make_code()

    for _again in range(2):
        staff.post(switch, {"to": "off"})
    make_code()
    outbox.deliver_due()
    assert receiver.messages == []
    dropped = Delivery.objects.filter(dropped_at__isnull=False)
    assert {each.error for each in dropped} == {"The webhook is switched off."}

    staff.post(switch, {"to": "on"})
    make_code()
    while outbox.deliver_due().arrived:
        pass
    assert len(receiver.messages) == 2


def test_messages_are_sent_again_from_a_day_on(staff, receiver, endpoint):
    make_code()
    while outbox.deliver_due().arrived:
        pass
    since = timezone.localdate().isoformat()

    response = staff.post(
        page("webhook-replay", endpoint), {"since": since}, follow=True
    )

    assert "2 messages are sent again." in text_of(response)
    while outbox.deliver_due().arrived:
        pass
    first, second, *again = [message.key for message in receiver.messages]
    assert again == [first, second]


def test_a_webhook_is_changed_and_deleted(staff, receiver, endpoint):
    form = {"description": "Books", "url": receiver.url, "events": ["code.issued"]}

    staff.post(page("webhook-edit", endpoint), form)
    endpoint.refresh_from_db()
    assert (endpoint.description, endpoint.events) == ("Books", ["code.issued"])
    staff.post(page("webhook-delete", endpoint))

    assert not WebhookEndpoint.objects.exists()


def test_deliveries_list_what_was_sent_and_try_again(staff, receiver, endpoint):
    receiver.answers = [500]
    make_code()
    outbox.deliver_due()
    log = f"{reverse('training_credits:delivery-list')}?webhook={endpoint.pk}"

    shown = text_of(staff.get(log))

    assert "Accounting" in shown
    assert "A code was issued" in shown
    assert "The receiver answered 500." in shown
    first = Delivery.objects.order_by("pk").first()
    again = reverse("training_credits:delivery-try-again")
    response = staff.post(again, {"delivery": first.pk}, follow=True)
    assert "It has arrived." in text_of(response)


@pytest.mark.parametrize("role", [*NOBODY, "partner", *ALL, "superuser"])
@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_for_those_with_its_permission(name, role, endpoint):
    args = [] if name in ("webhook-list", "webhook-create") else [endpoint.pk]
    url = reverse(f"training_credits:{name}", args=args)
    client = client_in(role, ALL)

    got, posted = client.get(url).status_code, client.post(url).status_code

    allowed = role in ("superuser", PAGES[name])
    assert (got == 200) is allowed
    assert got in (200, 302, 403)
    if not allowed:
        assert posted in (302, 403, 405)
        assert WebhookEndpoint.objects.filter(pk=endpoint.pk).exists()


def test_where_none_are_sent_there_are_none(staff):
    assert staff.get(LIST).status_code == 404
    assert "Webhooks" not in text_of(staff.get(reverse("dashboard:index")))


def test_a_test_that_failed_holds_no_other(staff, receiver, endpoint):
    receiver.answers = [500]
    staff.post(page("webhook-try", endpoint))

    arrived = staff.post(page("webhook-try", endpoint), follow=True)

    assert "It has arrived." in text_of(arrived)


def test_a_form_that_was_used_shows_the_secret_to_nobody_else(staff, receiver):
    form = form_of(staff, receiver)
    staff.post(NEW, form)

    again = client_of(*ALL).post(NEW, form, follow=True)

    assert "This page was used before" in text_of(again)
    assert secret_on(again) == ""


def test_a_form_that_was_used_shows_no_secret_later(staff, receiver):
    form = form_of(staff, receiver)
    staff.post(NEW, form)

    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        again = staff.post(NEW, form, follow=True)

    assert "This page was used before" in text_of(again)
    assert secret_on(again) == ""


@pytest.mark.parametrize("former", ["the first", "of nobody"])
def test_an_old_form_shows_no_new_secret(staff, endpoint, former):
    first = endpoint.salt
    endpoints.rotate_secret(endpoint, former=first)
    secret = endpoints.secret_of(WebhookEndpoint.objects.get())
    sent = {"former": first if former == "the first" else "0" * 64}

    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        again = staff.post(page("webhook-rotate", endpoint), sent, follow=True)

    assert "This page was used before" in text_of(again)
    assert secret_on(again) == ""
    assert endpoints.secret_of(WebhookEndpoint.objects.get()) == secret
