"""How many people a manager may invite in a day: the shop writes to strangers then."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits.credits.codes import managing
from oscar_training_credits.credits.models import CodeManager
from oscar_training_credits.test.factories import make_code

from ...support.shop import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

REFUSED = "You have invited many people today."


@pytest.fixture(autouse=True)
def few(settings):
    settings.TRAINING_CREDITS_INVITATIONS_A_DAY = 2


def invite(bea, code, address):
    page = reverse("training_credits:my-code-managers", args=[code.pk])
    return bea.client.post(page, {"address": address}, follow=True)


def invited():
    found = CodeManager.objects.filter(user=None).values_list("email", flat=True)
    return sorted(found)


def test_a_manager_invites_so_many_on_all_their_codes(bea, code):
    other = make_code(5, label="Other")
    managing.add_manager(other, bea.user)
    invite(bea, code, "a@acme.example")
    invite(bea, other, "b@acme.example")
    invite(bea, code, "a@acme.example")

    answer = invite(bea, code, "c@acme.example")

    assert REFUSED in text_of(answer)
    assert invited() == ["a@acme.example", "b@acme.example"]


def test_to_remove_somebody_makes_no_room(bea, code):
    page = reverse("training_credits:my-code-managers", args=[code.pk])
    for number in range(2):
        invite(bea, code, f"{number}@acme.example")
        bea.client.post(page, {"remove": f"{number}@acme.example"})

    assert REFUSED in text_of(invite(bea, code, "c@acme.example"))
    assert invited() == []


def test_the_next_day_there_are_more(bea, code):
    for number in range(2):
        invite(bea, code, f"{number}@acme.example")

    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        invite(bea, code, "c@acme.example")

    assert "c@acme.example" in invited()


def test_who_is_named_for_a_child_code_counts_and_nothing_is_cut(bea, code):
    page = reverse("training_credits:my-code-cut", args=[code.pk])
    hidden = BeautifulSoup(bea.client.get(page).content, "html.parser")
    form = {
        str(field["name"]): str(field["value"])
        for field in hidden.select("[type=hidden]")
    }
    many = "\n".join(f"{number}@acme.example" for number in range(3))

    answer = bea.client.post(
        page, {**form, "label": "Sales", "credits": 5, "managers": many}
    )

    assert REFUSED in text_of(answer)
    assert not code.children.exists()
    assert invited() == []


def test_staff_name_as_many_as_they_want(code):
    addresses = [f"{number}@acme.example" for number in range(5)]

    managing.set_managers(code, [*managing.addresses_of(code), *addresses])

    assert len(invited()) == 5
