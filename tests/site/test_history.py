"""The year of use that the sandbox begins with."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.urls import reverse

from oscar_training_credits import api
from oscar_training_credits.credits.codes.finding import Condition, condition_of
from oscar_training_credits.credits.models import CreditCode, LedgerEntry

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def test_a_year_of_use_is_there_once_and_adds_up():
    call_command("seed_sandbox", verbosity=0)
    for _time in range(2):
        call_command("seed_history", verbosity=0)

    states = {condition_of(code) for code in CreditCode.objects.all()}
    assert states == set(Condition)
    assert list(api.audit()) == []
    months = LedgerEntry.objects.dates("created_at", "month")
    assert len(months) >= 12
    assert CreditCode.objects.filter(holder="Larkfield Hospital").count() == 2


def test_the_manager_of_the_sandbox_has_codes_to_look_after(client):
    call_command("seed_sandbox", verbosity=0)
    call_command("seed_history", verbosity=0)
    client.force_login(get_user_model().objects.get(email="manager@example.com"))

    page = client.get(reverse("training_credits:my-credits")).content.decode()

    assert "Birch, framework agreement" in page
    assert "Acme, whole team" in page
