"""A buyer names places, copies all links, and mails one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.db import connection
from django.urls import reverse

from oscar_training_credits import api
from oscar_training_credits.credits.models import Place, PlaceMail
from oscar_training_credits.test.factories import make_learner, make_training

from ...support.orders import place_order
from ...support.shop import text_of, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def bought(bea) -> SimpleNamespace:
    """Bea's three places, their page, and what the second's posts go to."""
    course = make_training("Git & SQL", credits=None, price="90.00")
    order = place_order(bea.user, (course.product, 3))
    places = api.places_of(order)
    return SimpleNamespace(
        order=order,
        second=places[1],
        places=places,
        page=reverse("customer:order", args=[order.number]),
        address=reverse("training_credits:hand-out", args=[places[1].pk]),
    )


def send(bea, bought, to: str = "ann@acme.example", key: str = "") -> Any:
    form = {"address": to, "key": key or uuid4().hex}
    return bea.client.post(bought.address, form, follow=True)


def test_a_place_has_a_name_and_stands_with_its_link_among_all(bea, bought):
    done = bea.client.post(bought.address, {"meant_for": "Ann <A>"}, follow=True)

    page = text_of(bea.client.get(bought.page))
    link = api.claim_url(bought.second)
    assert "The name is noted." in text_of(done)
    assert "for Ann &lt;A&gt;" in page
    assert f"Place 2 (Ann &lt;A&gt;): http://testserver{link}" in page
    assert page.count(link) == 2


def test_a_link_is_mailed_once_by_key_and_kept_nowhere(bea, bought):
    bea.client.post(bought.address, {"meant_for": "Ann"})
    mail.outbox.clear()
    key = uuid4().hex
    done = send(bea, bought, key=key)
    send(bea, bought, key=key)
    other = send(bea, bought, to="eve@acme.example", key=key)

    [message] = mail.outbox
    assert message.to == ["ann@acme.example"]
    assert message.subject == "A place for you: Git & SQL"
    assert api.claim_url(bought.second) in message.body
    assert "Bea Boss has a place for you" in message.body
    assert "The link was mailed to ann@acme.example." in text_of(done)
    assert "used before" in text_of(other)
    assert "mailed to ann@acme.example" in words(text_of(bea.client.get(bought.page)))
    [row] = PlaceMail.objects.values()
    assert bought.second.salt not in str(row)
    with connection.cursor() as cursor:
        cursor.execute("SELECT body_text, body_html FROM communication_email")
        assert bought.second.salt not in str(cursor.fetchall())


def test_it_is_not_mailed_for_ever_nor_once_somebody_has_the_place(bea, bought):
    mail.outbox.clear()
    for _each in range(6):
        last = send(bea, bought)
    assert len(mail.outbox) == 5
    assert "mailed often enough" in text_of(last)

    api.claim_place(bought.places[0], make_learner())
    bought.address = reverse("training_credits:hand-out", args=[bought.places[0].pk])
    assert "its link is not mailed" in text_of(send(bea, bought))
    assert len(mail.outbox) == 5


def test_a_mail_server_that_is_down_is_told_and_nothing_is_on_record(
    bea, bought, settings
):
    settings.EMAIL_BACKEND = "tests.support.broken.EmailBackend"

    page = send(bea, bought)

    assert "the mail server did not take it" in text_of(page)
    assert not PlaceMail.objects.exists()


@pytest.mark.parametrize("form", [{"address": "no address"}, {"meant_for": "x" * 201}])
def test_bad_input_is_named_and_changes_nothing(bea, bought, form):
    page = bea.client.post(bought.address, {"key": uuid4().hex, **form})

    assert "error-block" in text_of(page)
    assert not PlaceMail.objects.exists()
    assert not Place.objects.exclude(meant_for="").exists()


@pytest.mark.parametrize("form", [{"address": "e@x.example"}, {"meant_for": "Eve"}])
def test_nobody_else_hands_out_a_place(bought, beta, client, admin_client, form):
    for other in (beta.client, admin_client):
        assert other.get(bought.address).status_code == 404
        posted = other.post(bought.address, {"key": uuid4().hex, **form})
        assert posted.status_code == 404
    assert client.post(bought.address, form).status_code == 302
    assert not PlaceMail.objects.exists()
    assert not Place.objects.exclude(meant_for="").exists()
