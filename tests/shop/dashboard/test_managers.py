"""The people on the customer's side who look after a code."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits.credits.codes.managing import (
    LIFETIME,
    accept_invitation,
    addresses_of,
    find_invitation,
    invitation_to,
    set_managers,
)
from oscar_training_credits.credits.models import CodeChange, CreditCode
from oscar_training_credits.test.factories import make_code, make_learner

from ...support.shop import text_of, words
from .test_codes import ALL, LIST, NEW, address, client_of, errors, fill, hidden, labels

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

KIM, LEE = "kim@acme.example", "lee@acme.example"


@pytest.fixture
def staff():
    return client_of(*ALL)


@pytest.fixture
def code():
    return make_code(5, label="ACME")


def test_a_new_code_has_its_managers(staff, django_capture_on_commit_callbacks):
    kim = make_learner(email="KIM@acme.example", first_name="Kim", last_name="Boss")
    form = {"label": "ACME", "credits": "5", "origin": "sale"}
    asked = {**hidden(staff.get(NEW)), **form, "managers": f"Kim@acme.example\n{LEE}"}

    with django_capture_on_commit_callbacks(execute=True):
        for _click in range(2):
            staff.post(NEW, asked)

    code = CreditCode.objects.get()
    assert addresses_of(code) == [KIM, LEE]
    assert [message.to for message in mail.outbox] == [[KIM], [LEE]]
    accept(kim, mail.outbox[0].body)
    page = words(text_of(staff.get(address("detail", code))))
    assert f"Managers Kim Boss ({KIM}), {LEE} (invited)" in page


def accept(user, body):
    """Open the link in a mail, and say yes; return the page that comes then."""
    [link] = re.findall(r"https?://[^/]+(/\S+/invitations/\S+/)", body)
    client = Client()
    client.force_login(user)
    assert "You are invited" in text_of(client.get(link))
    return client.post(link, follow=True)


def test_whoever_has_the_address_sees_nothing_before_they_have_the_mail(
    code, staff, django_capture_on_commit_callbacks
):
    kim = make_learner(email=KIM)
    with django_capture_on_commit_callbacks(execute=True):
        fill(staff, address("edit", code), label="ACME", managers=KIM)
    client = Client()
    client.force_login(kim)
    page = reverse("training_credits:my-code", args=[code.pk])
    assert client.get(page).status_code == 404

    body = mail.outbox[0].body
    assert "Credits left" in text_of(accept(kim, body))
    again = text_of(accept_late(make_learner(), body))

    assert client.get(page).status_code == 200
    assert "works no longer" in again


def accept_late(user, body):
    [link] = re.findall(r"https?://[^/]+(/\S+/invitations/\S+/)", body)
    client = Client()
    client.force_login(user)
    return client.post(link)


def test_an_invitation_ends_after_thirty_days_and_with_its_manager(code):
    [kim, lee] = set_managers(code, [KIM, LEE])
    texts = [invitation_to(kim), invitation_to(lee)]
    assert [find_invitation(text) for text in texts] == [kim, lee]
    assert find_invitation("made up") is None

    set_managers(code, [KIM])
    assert find_invitation(texts[1]) is None
    with time_machine.travel(timezone.now() + LIFETIME + timedelta(minutes=1)):
        assert find_invitation(texts[0]) is None


def test_a_second_click_does_not_undo_what_was_changed_since(staff):
    form = {"label": "ACME", "credits": "5", "origin": "sale", "managers": KIM}
    asked = {**hidden(staff.get(NEW)), **form}
    staff.post(NEW, asked)
    code = CreditCode.objects.get()
    set_managers(code, [LEE])

    staff.post(NEW, asked)

    assert addresses_of(code) == [LEE]


def test_they_are_edited_and_that_is_on_record(staff, code):
    set_managers(code, [KIM])

    fill(staff, address("edit", code), label="ACME", managers=LEE)

    assert addresses_of(code) == [LEE]
    change = CodeChange.objects.latest("pk")
    assert (change.kind, change.changed_by) == ("edited", staff.user)
    assert change.details == [["managers", KIM, LEE]]
    page = words(text_of(staff.get(address("detail", code))))
    assert f"managers: {KIM} → {LEE}" in page


def test_the_form_shows_them_and_keeps_what_is_not_touched(staff, code):
    set_managers(code, [KIM, LEE])
    before = CodeChange.objects.count()

    page = text_of(staff.get(address("edit", code)))
    fill(staff, address("edit", code), label="ACME", managers=f"{KIM}\n{LEE}")

    assert f"{KIM}\n{LEE}" in page
    assert addresses_of(code) == [KIM, LEE]
    assert CodeChange.objects.count() == before


def test_what_is_no_address_is_refused(staff, code):
    response = fill(staff, address("edit", code), label="ACME", managers="kim")

    assert "managers" in errors(response)
    assert addresses_of(code) == []


def test_a_manager_whose_account_is_deleted_is_none_any_more(code):
    learner = make_learner(email=KIM)
    [kim] = set_managers(code, [KIM])
    accept_invitation(invitation_to(kim), learner)

    learner.delete()

    assert addresses_of(code) == []


def test_codes_are_found_by_their_customer(staff):
    make_code(5, label="One", holder="ACME Ltd")
    make_code(5, label="Other", holder="Beta")

    assert labels(staff.get(LIST, {"holder": "acme"})) == ["One"]
