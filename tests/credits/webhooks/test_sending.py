"""A receiver that is down, slow, wrong or inside: nothing is lost, nothing gets in."""

from __future__ import annotations

import json
import socket
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from standardwebhooks import WebhookVerificationError

from oscar_training_credits.credits import outbox
from oscar_training_credits.credits.models import Delivery
from oscar_training_credits.credits.webhooks import endpoints, events, sending
from oscar_training_credits.exceptions import DeliveryFailed
from oscar_training_credits.test.factories import make_code

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

LATER = timedelta(minutes=10)


def send_all(later: timedelta = timedelta(0)) -> None:
    with time_machine.travel(timezone.now() + later, tick=False):
        while outbox.deliver_due().arrived:
            pass


def errors() -> set[str]:
    return set(Delivery.objects.exclude(error="").values_list("error", flat=True))


def keys(receiver: Any) -> list[str]:
    return [message.key for message in receiver.messages]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500, 503])
def test_what_was_not_taken_is_sent_again_with_its_id(status, receiver, endpoint):
    receiver.answers = [status]
    receiver.location = receiver.url
    make_code()

    send_all()
    assert errors() == {f"The receiver answered {status}."}
    assert len(receiver.messages) == 1
    send_all(LATER)

    first, again, second = keys(receiver)
    assert first == again != second
    assert not Delivery.objects.pending().exists()


def test_a_later_message_of_a_code_waits_for_an_earlier_one(receiver, endpoint):
    receiver.answers = [500]
    first, second = make_code(), make_code()

    send_all()
    send_all(LATER)

    said = [json.loads(message.body) for message in receiver.messages]
    told = [(each["data"]["code"]["id"], each["type"]) for each in said]
    assert told == [
        (first.pk, "code.issued"),
        (second.pk, "code.issued"),
        (second.pk, "credits.granted"),
        (first.pk, "code.issued"),
        (first.pk, "credits.granted"),
    ]


def test_a_slow_receiver_is_not_waited_for(receiver, endpoint, monkeypatch):
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.2)
    receiver.seconds = 1
    make_code()

    send_all()
    receiver.seconds = 0
    send_all(LATER)

    first, again, _second = keys(receiver)
    assert first == again


def test_a_receiver_that_is_down_gets_all_when_it_is_up(receiver, endpoint, settings):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        down = f"127.0.0.1:{closed.getsockname()[1]}"
        settings.TRAINING_CREDITS_WEBHOOK_HOSTS = [down, receiver.host]
        endpoint.url = f"http://{down}/"
        endpoint.save()
        for _number in range(3):
            make_code()
        send_all()

    assert errors() == {"The receiver can't be reached."}
    endpoint.url = receiver.url
    endpoint.save()
    send_all(LATER)

    assert len(set(keys(receiver))) == len(receiver.messages) == 6


def test_one_dead_receiver_does_not_stop_another(receiver, endpoint, settings):
    settings.TRAINING_CREDITS_WEBHOOK_HOSTS = ["127.0.0.1:9", receiver.host]
    endpoints.make_endpoint("http://127.0.0.1:9/", description="Dead")
    for _number in range(8):
        make_code()

    send_all()

    assert len(receiver.messages) == 16


def test_who_wants_no_more_is_switched_off(receiver, endpoint):
    receiver.answers = [410]
    make_code()

    send_all()

    endpoint.refresh_from_db()
    assert not endpoint.is_enabled
    assert endpoint.disabled_because == "The receiver wants no more (410)."
    assert len(receiver.messages) == 1
    make_code()
    send_all(LATER)
    assert len(receiver.messages) == 1


def test_it_is_given_up_after_five_days_and_the_next_one_goes_on(receiver, endpoint):
    receiver.answers = [500, 500]
    make_code()

    send_all()
    send_all(timedelta(days=5, hours=7))

    dropped = Delivery.objects.get(dropped_at__isnull=False)
    assert dropped.error == "Given up after five days. The receiver answered 500."
    assert len(set(keys(receiver))) == 2


def test_what_was_sent_and_given_up_is_replayed_with_its_ids(receiver, endpoint):
    make_code()
    send_all()
    before = timezone.now() - timedelta(days=1)

    assert endpoints.replay(endpoint, since=timezone.now() + LATER) == 0
    assert endpoints.replay(endpoint, since=before) == 2
    send_all()

    first, second, *again = keys(receiver)
    assert again == [first, second]


def test_what_arrived_long_ago_is_deleted(receiver, endpoint, settings):
    settings.TRAINING_CREDITS_DELIVERY_DAYS = 30
    make_code()
    send_all()

    with time_machine.travel(timezone.now() + timedelta(days=31), tick=False):
        make_code()
        assert outbox.prune() == 2

    assert Delivery.objects.pending().count() == 2


def test_messages_are_signed_with_both_secrets_for_a_day(receiver, endpoint):
    former = endpoints.secret_of(endpoint)
    rotated = endpoints.rotate_secret(endpoint, former=endpoint.salt)
    endpoints.rotate_secret(endpoint, former=endpoint.salt)  # a second click
    secret = endpoints.secret_of(rotated)
    make_code()

    send_all()
    for message in receiver.messages:
        assert message.read(former) == message.read(secret)

    receiver.messages.clear()
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        make_code()
        send_all()
        for message in receiver.messages:
            assert message.read(secret)
            with pytest.raises(WebhookVerificationError):
                message.read(former)


def test_a_secret_signs_for_its_day_though_another_is_made(receiver, endpoint):
    known = [endpoints.secret_of(endpoint)]
    for _each in range(2):
        rotated = endpoints.rotate_secret(endpoint, former=endpoint.salt)
        endpoint.refresh_from_db()
        known.append(endpoints.secret_of(rotated))
    events.try_out(endpoint)

    send_all()

    (message,) = receiver.messages
    assert len(set(known)) == 3
    for secret in known:
        assert message.read(secret)["type"] == "webhook.test"


def test_the_secret_outlives_a_change_of_the_sites_own(receiver, endpoint, settings):
    former = endpoints.secret_of(endpoint)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    events.try_out(endpoint)

    send_all()

    (message,) = receiver.messages
    assert message.read(former) == message.read(endpoints.secret_of(endpoint))


def test_the_database_alone_does_not_know_the_secret(endpoint):
    row = str(type(endpoint).objects.values().get())

    assert endpoints.secret_of(endpoint).removeprefix("whsec_") not in row


def test_what_is_asked_for_is_what_was_written_down(receiver, endpoint):
    events.try_out(endpoint)

    send_all()

    (message,) = receiver.messages
    assert message.headers["host"] == receiver.host
    assert message.headers["content-type"] == "application/json"
    assert message.headers["webhook-id"].startswith("msg_")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.7",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_an_inner_machine_is_not_public(address):
    assert not sending.is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"]
)
def test_a_machine_on_the_internet_is_public(address):
    assert sending.is_public(address)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://127.0.0.1/", "inner network"),
        ("https://localhost/", "inner network"),
        ("https://[::1]/", "inner network"),
        ("https://2130706433/", "inner network"),
        ("http://93.184.216.34/", "must begin with https"),
        ("ftp://93.184.216.34/", "must begin with https"),
        ("https://user:secret@93.184.216.34/", "can't be read"),
        ("https:///nowhere", "can't be read"),
        ("https://[::1/", "can't be read"),
        ("https://93.184.216.34:99999/", "can't be read"),
        ("https://no-such-name.invalid/", "knows the name"),
    ],
)
def test_an_address_that_leads_inwards_or_nowhere_is_refused(url, said):
    with pytest.raises(DeliveryFailed, match=said):
        sending.target_of(url)


def test_a_name_is_looked_at_when_a_message_is_sent(receiver, settings):
    """What was fine when it was saved may lead inwards by now."""
    settings.TRAINING_CREDITS_WEBHOOK_HOSTS = []
    endpoint = endpoints.make_endpoint(
        f"https://localhost:{receiver.host.partition(':')[2]}/", description="Inner"
    )
    events.try_out(endpoint)

    send_all()

    assert errors() == {"The address leads to a machine of an inner network."}
    assert receiver.messages == []
