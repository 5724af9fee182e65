"""Receivers that hold a sender, are not who they say, or lead inwards."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from time import monotonic

import pytest

from oscar_training_credits.credits import outbox
from oscar_training_credits.credits.models import Delivery
from oscar_training_credits.credits.outbox import Result
from oscar_training_credits.credits.webhooks import endpoints, events, sending

from ...support import receiver

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

CERTIFICATE = Path(receiver.__file__).parent / "hooks_example.pem"
"""For hooks.example alone, by nobody whom others trust, from 2020 to 2120."""
TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Answer one connection after another, and tell on which port."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _address = server.accept()
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def take(connection: socket.socket) -> None:
    message = b""
    while not message.endswith(b"}"):
        message += connection.recv(65536)
    connection.sendall(TAKEN)


def take_encrypted(connection: socket.socket) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with context.wrap_socket(connection, server_side=True) as encrypted:
        take(encrypted)


def answer_slowly(connection: socket.socket) -> None:
    for byte in b"HTTP/1.1 204 No Content\r\n" + b"X-Slow: yes\r\n" * 50:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def greet_slowly(connection: socket.socket) -> None:
    # The head of a record of TLS that is long, and then a byte of it at a time.
    connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xf0")
    for _each in range(500):
        connection.sendall(b"\x00")
        time.sleep(0.1)


def say_nothing(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


@pytest.fixture
def sent_to(settings, monkeypatch) -> Callable[[str, int], tuple[Result, str]]:
    """Send one message to a name that leads to this machine; tell what came of it."""
    settings.TRAINING_CREDITS_WEBHOOKS = True
    look_up = socket.getaddrinfo

    def known(host: str, *args: object, **more: object) -> object:
        host = "127.0.0.1" if host.endswith(".example") else host
        return look_up(host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", known)

    def send(url: str, port: int) -> tuple[Result, str]:
        host = url.partition("//")[2].partition("/")[0]
        trusted = host.encode("idna").decode()
        settings.TRAINING_CREDITS_WEBHOOK_HOSTS = [f"{trusted}:{port}"]
        address = url.replace(host, f"{host}:{port}", 1)
        endpoint = endpoints.make_endpoint(address, description="Accounting")
        delivery = events.try_out(endpoint)
        result = outbox.try_again(delivery.pk)
        return result, Delivery.objects.get(pk=delivery.pk).error

    return send


@pytest.mark.parametrize(
    ("answer", "scheme"),
    [
        (answer_slowly, "http"),
        (say_nothing, "http"),
        (greet_slowly, "https"),
        (say_nothing, "https"),
    ],
    ids=["byte by byte", "nothing", "TLS byte by byte", "no TLS"],
)
def test_nobody_holds_a_sender(answer, scheme, sent_to, monkeypatch):
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.5)

    with listening(answer) as port:
        began = monotonic()
        result = sent_to(f"{scheme}://hooks.example/", port)
        took = monotonic() - began

    assert result == (Result.FAILED, "The receiver did not answer in time.")
    assert took < 3


def test_a_certificate_is_for_the_name_and_not_for_the_machine(sent_to, monkeypatch):
    with listening(take_encrypted) as port:
        by_a_stranger = sent_to("https://hooks.example/", port)
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        valid = sent_to("https://hooks.example/", port)
        for_another = sent_to("https://books.example/", port)

    invalid = Result.FAILED, "The receiver has no valid certificate."
    assert by_a_stranger == invalid
    assert valid == (Result.ARRIVED, "")
    assert for_another == invalid


@pytest.mark.parametrize("host", ["b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher"])
def test_an_address_may_have_any_letters(host, sent_to):
    with listening(take) as port:
        result = sent_to(f"http://{host}.example/{host}?from={host}", port)

    assert result == (Result.ARRIVED, "")


def test_garbage_is_no_answer(sent_to):
    with listening(lambda connection: connection.sendall(b"hello\r\n\r\n")) as port:
        result = sent_to("http://hooks.example/", port)

    assert result == (Result.FAILED, "The receiver can't be reached.")


@pytest.mark.parametrize(
    "address",
    [
        "::127.0.0.1",
        "::10.0.0.1",
        "::ffff:0:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::10.0.0.1",
        "fec0::1",
        "2001:0:a00:1::1",
        "2001:db8::1",
        "5f00::1",
    ],
)
def test_an_inner_machine_has_no_other_name(address):
    assert not sending.is_public(address)


@pytest.mark.parametrize("address", ["64:ff9b::8.8.8.8", "2606:4700::1111"])
def test_a_machine_behind_nat64_is_public(address):
    assert sending.is_public(address)
